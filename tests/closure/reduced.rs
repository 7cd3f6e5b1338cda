//! The command line keeps a part of a tree, which runs by itself.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::guest::{Guest, LOADER, library};
use super::judge::Judge;
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, rootcast_as_root, run};
use rootcast::closure::testing::build::Build;

/// Creates a program whose library and C library are only found through `/etc/ld.so.conf`, among
/// files that it does not depend on.
fn guest() -> Option<Guest> {
    let guest = Guest::new()?;
    let at = |path: &str| guest.scratch.join(path);
    guest.write("/etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n");
    guest.write("/etc/ld.so.conf.d/x.conf", b"/opt/x\n/opt/none\n");
    guest.write("/etc/other", b"not needed\n");
    guest.write("/opt/x/libother.so.1", b"not needed\n");
    guest.write("/src/x.c", b"const char *said(void) { return \"it runs\"; }\n");
    guest.write(
        "/src/program.c",
        b"int puts(const char *);\nconst char *said(void);\nint main(void) { return puts(said()) < 0; }\n",
    );
    fs::create_dir_all(at("usr/bin")).unwrap();
    let library = at("opt/x/libx.so.1.2");
    let mut gcc = judges::command("gcc")?;
    gcc.args(["-shared", "-fPIC", "-Wl,-soname,libx.so.1"]).arg(at("src/x.c")).arg("-o").arg(&library);
    run(&mut gcc).success().unwrap();
    let mut gcc = judges::command("gcc")?;
    gcc.arg(at("src/program.c")).arg(&library).arg("-o").arg(at("usr/bin/program"));
    run(&mut gcc).success().unwrap();
    let found = run(judges::command("gcc")?.arg("-print-file-name=libc.so.6")).success().unwrap().text();
    guest.write("/opt/x/libc.so.6", &fs::read(found.trim()).unwrap());
    guest.link("/opt/x/libx.so.1", "libx.so.1.2");
    guest.link("/bin", "usr/bin");
    Some(guest)
}

const KEEP: [&str; 2] = ["--keep", "/bin/program"];

fn closure<A: AsRef<OsStr>>(guest: &Path, arguments: &[A]) -> Outcome {
    run(rootcast().arg("closure").arg(guest).args(arguments))
}

fn printed(outcome: Outcome) -> BTreeSet<String> {
    outcome.success().unwrap_or_else(|why| panic!("{why}")).text().lines().map(str::to_owned).collect()
}

/// Unpacks the files of the image of a closure.
pub(super) fn unpacked(source: &Path, scratch: &Scratch, arguments: &[&str]) -> Option<PathBuf> {
    let (image, root) = (scratch.join("root.ext4"), scratch.join("root"));
    let mut command = rootcast_as_root();
    command.arg("image").arg(source).args(["--layout", "bare", "-q", "-o"]).arg(&image).args(arguments);
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    fs::create_dir(&root).unwrap();
    let mut debugfs = judges::command("debugfs")?;
    debugfs.arg("-R").arg(format!("rdump / {}", root.display())).arg(&image);
    run(&mut debugfs).success().unwrap();
    fs::remove_dir(root.join("lost+found")).unwrap();
    Some(root)
}

#[test]
fn the_printed_paths_are_those_that_the_dynamic_linker_loads() {
    let Some(guest) = guest() else { return };
    let names = printed(closure(guest.scratch.path(), &KEEP));
    let expected = "/bin /etc /etc/ld.so.cache /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.conf.d/x.conf /lib64 \
        /lib64/ld-linux-x86-64.so.2 /opt /opt/x /opt/x/libc.so.6 /opt/x/libx.so.1 /opt/x/libx.so.1.2 /usr /usr/bin \
        /usr/bin/program";
    assert_eq!(names, expected.split(' ').map(str::to_owned).collect());

    let scratch = Scratch::new();
    if !judges::is_root() {
        return judges::skip("chroot", "only root may change its root directory");
    }
    let Some(root) = unpacked(guest.scratch.path(), &scratch, &KEEP) else { return };
    let start = || run(Command::new("chroot").arg(&root).arg("/bin/program"));
    assert_eq!(start().success().unwrap().text(), "it runs\n");
    let judge = Judge { root: root.clone(), command: vec![LOADER.to_owned(), "--list".to_owned()] };
    if let Some(verdicts) = judge.ask(&["/usr/bin/program".to_owned()]) {
        let loaded = &verdicts["/usr/bin/program"].loaded;
        let libraries = names.iter().filter(|name| name.contains(".so") && !name.starts_with("/etc"));
        let files = libraries.filter(|name| !guest.scratch.join(&name[1..]).is_symlink());
        assert_eq!(loaded, &files.cloned().collect(), "{:?}", verdicts);
    }
    fs::remove_file(root.join("etc/ld.so.cache")).unwrap();
    assert_ne!(start().code, Some(0), "it needs the cache");
}

#[test]
fn why_prints_the_chain_to_the_request() {
    let Some(guest) = guest() else { return };
    let arguments = [KEEP[0], KEEP[1], "--why", "/opt/x/libx.so.1.2"];
    let text = closure(guest.scratch.path(), &arguments).success().unwrap().text();
    let expected =
        "/opt/x/libx.so.1.2\n  needed library libx.so.1 of /usr/bin/program\n  requested by /bin/program\n";
    assert_eq!(text, expected);
    let arguments = [KEEP[0], KEEP[1], "--why", "/etc/ld.so.conf"];
    let text = closure(guest.scratch.path(), &arguments).success().unwrap().text();
    assert!(text.ends_with("which says which directories /etc/ld.so.cache is made of\n"), "{text}");

    fs::remove_file(guest.scratch.join("opt/x/libx.so.1")).unwrap();
    let outcome = closure(guest.scratch.path(), &KEEP);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let expected = "missing from the tree: libx.so.1, needed by /usr/bin/program: it is not in any of ";
    assert!(outcome.stderr.contains(expected), "{outcome}");
    let arguments = [KEEP[0], KEEP[1], "--missing", "warn"];
    let outcome = closure(guest.scratch.path(), &arguments).success().unwrap();
    assert!(outcome.stderr.contains("warning: missing: libx.so.1, needed by "), "{outcome}");
}

#[test]
fn json_output_matches_its_schema() {
    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/closure.schema.json");
    let Some(guest) = guest() else { return };
    let outcome = closure(guest.scratch.path(), &[KEEP[0], KEEP[1], "--json"]).success().unwrap();
    let value: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let paths =
        value["kept"].as_array().unwrap().iter().map(|kept| kept["path"].as_str().unwrap().to_owned());
    assert_eq!(paths.collect::<BTreeSet<_>>(), printed(closure(guest.scratch.path(), &KEEP)));
    if let Some(mut jsonschema) = judges::command("jsonschema") {
        let instance = guest.scratch.file("closure.json", &outcome.stdout);
        run(jsonschema.arg("-i").arg(instance).arg(SCHEMA)).success().unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn unreadable_files_that_are_not_kept_are_no_error() {
    let Some(guest) = guest() else { return };
    let secret = guest.scratch.file("secret", "closed");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let whole = run(rootcast().arg("tree").arg(guest.scratch.path()));
    assert!(whole.stderr.contains("may not be read"), "{whole}");
    let part = run(rootcast().arg("tree").arg(guest.scratch.path()).args(KEEP)).success().unwrap();
    assert!(!part.text().contains("/secret"));
    let kept = run(rootcast().arg("tree").arg(guest.scratch.path()).args(["--keep", "/secret"]));
    assert!(kept.code != Some(0) && kept.stderr.contains("secret"), "{kept}");
}

/// Creates a tree of parts that are each kept by a flag of their own, and parts that are not kept.
fn configured() -> Option<Guest> {
    let guest = Guest::new()?;
    let text = |path: &str, text: &str| guest.write(path, text.as_bytes());
    guest.add("/usr/bin/served", Build::program().needs("libc.so.6"));
    text("/etc/ld.so.conf", "/opt/lib\n");
    text(
        "/usr/lib/systemd/system/a.service",
        "[Unit]\nWants=b.service\n[Service]\nExecStart=/usr/bin/served\n",
    );
    text(
        "/usr/lib/systemd/system/b.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/usr/bin/wanted\n",
    );
    text("/usr/lib/systemd/system/c.service", "[Service]\nExecStart=/usr/bin/other\n");
    text("/usr/lib/systemd/system/sysinit.target", "[Unit]\n");
    text("/usr/bin/wanted", "a file");
    text("/usr/bin/other", "a file");
    text("/usr/lib/udev/rules.d/60-x.rules", "ACTION==\"add\", IMPORT{program}=\"x_id $devnode\"\n");
    text("/usr/lib/udev/rules.d/61-y.rules", "RUN+=\"/usr/bin/other\"\n");
    text("/usr/lib/udev/x_id", "a file");
    text("/etc/pam.d/login", "auth required pam_x.so\n@include common\n");
    text("/etc/pam.d/common", "session optional pam_y.so\n");
    text("/etc/pam.d/other", "auth required pam_z.so\n");
    text("/etc/nsswitch.conf", "passwd: files x\n");
    let directories = ["security/pam_x", "security/pam_y", "security/pam_z", "libnss_z"];
    for name in directories.into_iter().chain(["ossl-modules/legacy", "gconv/UTF-16", "gconv/OTHER"]) {
        guest.add(&format!("/opt/lib/{name}.so"), Build::new());
    }
    guest.add("/opt/lib/libnss_x.so.2", library("libnss_x.so.2"));
    guest.add("/opt/lib/libc.so.6", library("libc.so.6"));
    text(
        "/opt/lib/gconv/gconv-modules",
        "module UTF-16// INTERNAL UTF-16 1\nmodule OTHER// INTERNAL OTHER 1\n",
    );
    Some(guest)
}

#[test]
fn each_flag_keeps_only_its_own_files() {
    const UNIT: &str = "/etc /etc/ld.so.cache /etc/ld.so.conf /etc/nsswitch.conf /lib64 \
        /lib64/ld-linux-x86-64.so.2 /opt /opt/lib /opt/lib/libc.so.6 /opt/lib/libnss_x.so.2 /usr /usr/bin \
        /usr/bin/served /usr/bin/wanted /usr/lib /usr/lib/systemd /usr/lib/systemd/system \
        /usr/lib/systemd/system/a.service /usr/lib/systemd/system/b.service \
        /usr/lib/systemd/system/sysinit.target";
    let Some(guest) = configured() else { return };
    let unit = ["--keep-unit", "a.service", "--systemd", "no"];
    let check = |arguments: &[&str], more: &str, fewer: &[&str]| {
        let names = printed(closure(guest.scratch.path(), &[&unit, arguments].concat()));
        let expected = UNIT.split_whitespace().chain(more.split_whitespace());
        let expected = expected.filter(|path| !fewer.contains(path)).map(str::to_owned);
        assert_eq!(names, expected.collect(), "{arguments:?}");
    };
    check(&[], "", &[]);
    check(&["--nss", "no"], "", &["/etc/nsswitch.conf", "/opt/lib/libnss_x.so.2"]);
    check(
        &["--follow-units", "none"],
        "",
        &["/usr/bin/wanted", "/usr/lib/systemd/system/b.service", "/usr/lib/systemd/system/sysinit.target"],
    );
    let rule = "/usr/lib/udev /usr/lib/udev/rules.d /usr/lib/udev/rules.d/60-x.rules /usr/lib/udev/x_id";
    check(&["--keep-rule", "60-x.rules"], rule, &[]);
    let pam = "/etc/pam.d /etc/pam.d/common /etc/pam.d/login /etc/pam.d/other /opt/lib/security \
        /opt/lib/security/pam_x.so /opt/lib/security/pam_y.so /opt/lib/security/pam_z.so";
    check(&["--pam", "login"], pam, &[]);
    let gconv = "/opt/lib/gconv /opt/lib/gconv/UTF-16.so /opt/lib/gconv/gconv-modules";
    check(&["--gconv", "utf-16"], gconv, &[]);
    check(&["--gconv", "all"], &format!("{gconv} /opt/lib/gconv/OTHER.so"), &[]);
    check(&["--openssl"], "/opt/lib/ossl-modules /opt/lib/ossl-modules/legacy.so", &[]);

    let outcome = closure(guest.scratch.path(), &[&unit[..], &["--gconv", "none-such"]].concat());
    let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
    assert!(outcome.stderr.contains("--gconv none-such: no gconv-modules of the tree"), "{outcome}");
}

#[test]
fn a_requested_cache_is_written_or_an_error() {
    let Some(guest) = guest() else { return };
    let outcome = closure(guest.scratch.path(), &[KEEP[0], KEEP[1], "--ld-cache"]);
    assert!(printed(outcome).contains("/etc/ld.so.cache"));
    // Closures without a dynamic linker that could read a cache, and without a library.
    guest.add("/bin/alone", Build::program());
    for path in ["/etc/other", "/bin/alone"] {
        let outcome = closure(guest.scratch.path(), &["--keep", path, "--ld-cache"]);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("--ld-cache: what is kept has no program for "), "{outcome}");
        assert!(!printed(closure(guest.scratch.path(), &["--keep", path])).contains("/etc/ld.so.cache"));
    }
}

#[test]
fn chains_of_gconv_dependencies_beyond_the_limit_are_errors() {
    let Some(guest) = Guest::new() else { return };
    // Each program has a dynamic linker of its own, and the directory of that one has the list that
    // names the next program.
    for number in 0..12 {
        let interpreter = Some(format!("/ld-linux-{number}.so"));
        guest.add(&format!("/p{number}.so"), Build { interpreter, ..Build::new() });
        let mut loader = Build::new().bytes();
        loader.extend(format!("\0/d{number}/lib/\0\0").bytes());
        guest.write(&format!("/ld-linux-{number}.so"), &loader);
        let list = format!("module X// INTERNAL /p{} 1\n", number + 1);
        guest.write(&format!("/d{number}/lib/gconv/gconv-modules"), list.as_bytes());
    }
    let from = |program: &str| closure(guest.scratch.path(), &["--keep", program, "--gconv", "all"]);
    let names = printed(from("/p5.so"));
    assert!(names.contains("/p6.so") && names.contains("/p11.so") && names.contains("/ld-linux-11.so"));
    let outcome = from("/p0.so");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("bring in more even after 8 rounds"), "{outcome}");
}

#[test]
fn a_new_cache_has_the_metadata_of_the_old_one_and_lists_existing_files() {
    let Some(guest) = guest() else { return };
    guest.write("/etc/ld.so.cache", b"old");
    fs::set_permissions(guest.scratch.join("etc/ld.so.cache"), fs::Permissions::from_mode(0o640)).unwrap();
    // Its soname has no link, which ldconfig would make.
    guest.add("/opt/x/libq-1.0.so", library("libq.so.1"));
    let mut command = rootcast_as_root();
    command.arg("tree").arg(guest.scratch.path()).args(KEEP).args(["--keep", "/opt/x/libq-1.0.so"]);
    let dump = run(&mut command).success().unwrap().text();
    let line = dump.lines().find(|line| line.starts_with("/etc/ld.so.cache ")).expect("it is written anew");
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!((fields[2], fields[7]), ("100640", "0.0"), "{line}");
    assert!(line.contains("/opt/x/libq-1.0.so\\x00"), "{line}");
    assert!(line.contains("libq.so.1\\x00") && !line.contains("/opt/x/libq.so.1"), "{line}");
}
