//! The libraries that a program gets from its start: by tokens in its search paths, by
//! `/etc/ld.so.preload`, by auditing, and by `LD_LIBRARY_PATH`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rootcast::closure::{self, Closure, Hwcaps, LibraryPath, Options, Request};

use super::guest::{Guest, LOADER, library};
use super::judge::{close, listing, ours};
use crate::judges;
use rootcast::closure::testing::build::{AUDIT, Build, DEPAUDIT, RPATH, RUNPATH};

#[test]
fn the_name_of_a_token_ends_where_glibc_ends_it() {
    let Some(guest) = Guest::new() else { return };
    let lib = if Path::new("/lib/x86_64-linux-gnu").exists() { "lib/x86_64-linux-gnu" } else { "lib64" };
    let expansions = [
        ("/$LIBX", "/$LIBX".to_owned()),
        ("/$LIB_1", "/$LIB_1".to_owned()),
        ("/opt/$ORIGINAL", "/opt/$ORIGINAL".to_owned()),
        ("/${LIBX}", "/${LIBX}".to_owned()),
        ("/${LIB", "/${LIB".to_owned()),
        ("/a/${LIB}x", format!("/a/{lib}x")),
        ("/b/$LIB-x", format!("/b/{lib}-x")),
        ("/c/$LIB/x", format!("/c/{lib}/x")),
    ];
    for (number, (path, directory)) in expansions.iter().enumerate() {
        let found = format!("{directory}/libz.so");
        guest.add(&found, library("libz.so"));
        let program = format!("/program{number}");
        guest.add(&program, Build::program().string(RUNPATH, path).needs("libz.so"));
        guest.check(&program, &[&found]);
    }
}

#[test]
fn an_empty_name_is_ignored() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/usr/lib/libz.so", library("libz.so").needs(""));
    guest.add("/program", Build::program().needs("").needs("libz.so"));
    guest.check("/program", &["/usr/lib/libz.so"]);
}

#[test]
fn every_program_loads_the_libraries_of_ld_so_preload() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/opt/libp.so", library("libp.so").needs("libq.so"));
    guest.add("/usr/lib/libq.so", library("libq.so"));
    guest.add("/usr/lib/libr.so", library("libr.so"));
    guest.add("/a/libz.so", library("libz.so"));
    guest.write("/etc/ld.so.preload", b"/opt/libp.so:libr.so # /usr/lib/none.so\nlibz.so gone.so\n");
    // Names are searched by the search path of the program.
    guest.add("/program", Build::program().string(RPATH, "/a").needs("libq.so"));
    let loaded = ["/opt/libp.so", "/usr/lib/libq.so", "/usr/lib/libr.so", "/a/libz.so"];
    guest.check("/program", &loaded);
    let closure = close(&listing(guest.scratch.path(), &[]).tree(), "/program", Hwcaps::None);
    assert!(closure.kept.contains_key(&b"/etc/ld.so.preload"[..]));
    let gone = "gone.so of /etc/ld.so.preload is not found, and glibc ignores it";
    assert_eq!(closure.warnings, [gone]);
    // A library is not started, and neither is a static program.
    let closure = close(&listing(guest.scratch.path(), &[]).tree(), "/a/libz.so", Hwcaps::None);
    assert_eq!(closure.kept.keys().collect::<Vec<_>>(), [&b"/a"[..], b"/a/libz.so"]);
}

#[test]
fn auditing_libraries_are_loaded_with_what_they_need() {
    let Some(guest) = Guest::new() else { return };
    guest.add("/opt/liba.so", library("liba.so").needs("libn.so"));
    guest.add("/usr/lib/libd.so", library("libd.so"));
    guest.add("/usr/lib/libn.so", library("libn.so"));
    guest.add("/usr/lib/libz.so", library("libz.so"));
    let program = Build::program().string(AUDIT, "/opt/liba.so:gone.so").string(DEPAUDIT, "libd.so");
    guest.add("/program", program.needs("libz.so"));
    let expected = ["/opt/liba.so", "/usr/lib/libn.so", "/usr/lib/libd.so", "/usr/lib/libz.so"];
    guest.expect("/program", LOADER, &Hwcaps::None, &expected);
    let closure = close(&listing(guest.scratch.path(), &[]).tree(), "/program", Hwcaps::None);
    assert_eq!(
        closure.warnings,
        ["/program: its auditing library gone.so is not found, and glibc ignores it"]
    );
    // The dynamic linker lists no other namespace, but names the files that it opens.
    if !judges::is_root() || !guest.put_trace() {
        return;
    }
    let mut chroot = Command::new("chroot");
    let command = chroot.arg(guest.scratch.path()).args(["/trace", "/program"]).env("LD_DEBUG", "files");
    let output = command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for name in ["/opt/liba.so", "libn.so", "libd.so", "libz.so"] {
        let opened = said
            .lines()
            .any(|line| line.contains(&format!("file={name} [")) && line.contains("generating link map"));
        assert!(opened, "{name} is not opened:\n{said}");
    }
}

/// Returns the closure of a program that is started with an `LD_LIBRARY_PATH`.
fn with_library_path(guest: &Guest, program: &str, text: &str) -> Closure {
    let library_paths = [LibraryPath::parse(text.as_bytes()).unwrap()];
    let options = Options { hwcaps: Hwcaps::None, library_paths: &library_paths, ..Options::default() };
    let tree = listing(guest.scratch.path(), &[]).tree();
    closure::close(&tree, &[Request::Path(program.into())], &options).unwrap()
}

#[test]
fn a_library_path_comes_between_rpath_and_runpath() {
    let Some(guest) = Guest::new() else { return };
    for directory in ["/rpath", "/env", "/env2", "/usr/lib"] {
        guest.add(&format!("{directory}/libz.so"), library("libz.so"));
    }
    guest.add("/env2/liby.so", library("liby.so").needs("libz.so"));
    guest.add("/bin/rpath", Build::program().string(RPATH, "/rpath").needs("libz.so").needs("liby.so"));
    guest.add("/bin/runpath", Build::program().string(RUNPATH, "/rpath").needs("libz.so").needs("liby.so"));
    guest.add("/bin/tokens", Build::program().needs("libz.so").needs("liby.so"));
    for (program, path, expected) in [
        ("/bin/rpath", "/env:/env2", ["/rpath/libz.so", "/env2/liby.so"]),
        ("/bin/runpath", "/env:/env2", ["/env/libz.so", "/env2/liby.so"]),
        ("/bin/tokens", "/none:$ORIGIN/../env:/env2", ["/env/libz.so", "/env2/liby.so"]),
    ] {
        let closure = with_library_path(&guest, program, &format!("/bin/*={path}"));
        let (mut loaded, missing) = ours(&closure);
        loaded.remove(LOADER);
        assert_eq!((loaded, missing), (expected.map(str::to_owned).into(), BTreeSet::new()), "{program}");
        assert!(closure.warnings.is_empty(), "{:?}", closure.warnings);
        let judge = listing(guest.scratch.path(), &[LOADER, "--library-path", path, "--list"]);
        let Some(verdicts) = judge.ask(&[program.to_owned()]) else { continue };
        let mut theirs = verdicts[program].loaded.clone();
        theirs.remove(LOADER);
        assert_eq!(theirs, expected.map(str::to_owned).into(), "{program}");
    }
    // It is that of no other program.
    let other = with_library_path(&guest, "/bin/rpath", "/bin/none=/env2");
    assert_eq!(ours(&other).1, ["liby.so".to_owned()].into());
    let warning = "--library-path /bin/none: no program that is kept and loaded by a dynamic linker";
    assert_eq!(other.warnings, [warning]);
}
