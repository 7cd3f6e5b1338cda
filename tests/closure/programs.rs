//! Daemons and tools of this machine run in an image that contains only their dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::judges;
use crate::oracle::Volume;
use crate::oracle::kernel::{Access, Mount};
use crate::product::{NOBODY, Outcome, Scratch, rootcast, run};

/// Programs with an argument that makes each print something and exit. Some are scripts, and some
/// have most of their code in libraries.
const PROGRAMS: [(&str, &str); 24] = [
    ("/usr/lib/systemd/systemd", "--version"),
    ("/usr/lib/systemd/systemd-udevd", "--version"),
    ("/usr/lib/systemd/systemd-logind", "--version"),
    ("/usr/lib/systemd/systemd-networkd", "--version"),
    ("/usr/bin/systemctl", "--version"),
    ("/usr/bin/dbus-daemon", "--version"),
    ("/usr/sbin/apache2", "-v"),
    ("/usr/sbin/dnsmasq", "--version"),
    ("/usr/sbin/dropbear", "-V"),
    ("/usr/sbin/agetty", "--version"),
    ("/usr/bin/busybox", "--help"),
    ("/usr/bin/kmod", "--version"),
    ("/usr/bin/curl", "--version"),
    ("/usr/bin/openssl", "version"),
    ("/usr/bin/python3", "--version"),
    ("/usr/bin/perl", "-v"),
    ("/usr/bin/ip", "-V"),
    ("/usr/bin/dpkg", "--version"),
    ("/usr/bin/tar", "--version"),
    ("/usr/bin/find", "--version"),
    ("/usr/bin/mount", "--version"),
    ("/usr/bin/ldd", "--version"),
    ("/usr/bin/gzip", "--version"),
    ("/usr/bin/gunzip", "--version"),
];

/// Nothing but what the dynamic linker loads is kept with a program.
const LINKED: [&str; 4] = ["--known", "none", "--systemd", "no"];

/// Mounts in the directory `$1` the system's own files without transient ones, then runs the rest
/// as the user and group `$2`. The mounts are visible to no other process, and end with it.
const IN_VIEW: &str = r#"
set -e
cd "$1"
id=$2
shift 2
for name in usr etc bin sbin lib lib32 lib64 libx32 var/lib/nginx var/log/nginx; do
    if [ -L "/$name" ]; then
        cp -P "/$name" "$name"
    elif [ -d "/$name" ]; then
        mkdir -p "$name"
        mount --bind "/$name" "$name"
    fi
done
exec setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
"#;

/// Runs rootcast as an ordinary user, with the files of this machine in an otherwise empty
/// directory.
fn of_this_machine(verb: &str, programs: &[(&str, &str)], flags: &[&str]) -> Outcome {
    as_user(NOBODY, verb, programs, flags)
}

/// As [`of_this_machine`], by this user.
pub(super) fn as_user(user: u32, verb: &str, programs: &[(&str, &str)], flags: &[&str]) -> Outcome {
    let view = Scratch::new();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", IN_VIEW, "sh"]).arg(view.path()).arg(user.to_string());
    command.arg(rootcast().get_program()).arg(verb).arg(view.path()).args(flags);
    command.args(programs.iter().flat_map(|(path, _)| ["--keep", path]));
    let outcome = run(command.env_remove("SOURCE_DATE_EPOCH").current_dir("/"));
    outcome.success().unwrap_or_else(|why| panic!("{why}"))
}

/// Returns the result of a program in a root directory: exit code, standard output, standard error.
fn said(root: &Path, (path, argument): (&str, &str)) -> (Option<i32>, String, String) {
    let outcome = run(in_root(root).args([path, argument]));
    (outcome.code, outcome.text(), outcome.stderr)
}

/// Returns a command that runs the program given as its first argument in a root directory with
/// /dev and /proc.
fn in_root(root: &Path) -> Command {
    const WITH_KERNEL: &str =
        r#"mount --bind /dev "$1/dev" && mount --bind /proc "$1/proc" && exec chroot "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", WITH_KERNEL, "sh"]).arg(root);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command
}

/// Returns the image of programs of this machine, mounted with free space; `None` after a visible
/// skip.
fn reduced(scratch: &Scratch, programs: &[(&str, &str)], flags: &[&str]) -> Option<Mount> {
    reduced_by(NOBODY, scratch, programs, flags)
}

/// As [`reduced`], made by this user.
pub(super) fn reduced_by(
    user: u32,
    scratch: &Scratch,
    programs: &[(&str, &str)],
    flags: &[&str],
) -> Option<Mount> {
    let image = scratch.join("root.ext4");
    let directories = ["--mkdir", "/dev", "--keep", "/dev", "--mkdir", "/proc", "--keep", "/proc"];
    let image_flags = ["--layout", "bare", "--free", "1M", "-q", "-o", image.to_str().unwrap()];
    as_user(user, "image", programs, &[&image_flags[..], &directories, flags].concat());
    let mount = Mount::new(&Volume::new(&image, None), Access::ReadWrite);
    mount.unwrap_or_else(|why| panic!("{why}"))
}

/// Returns the indispensable files: each that one of the programs depends on itself, as a library
/// or interpreter, with the programs that depend on it.
fn needed(closure: &Value, programs: &[(&'static str, &'static str)]) -> Needed {
    let mut needed = Needed::new();
    for kept in closure["kept"].as_array().unwrap() {
        for reason in kept["reasons"].as_array().unwrap() {
            let is_hard = matches!(reason["kind"].as_str(), Some("needed" | "interpreter" | "script"));
            let by = reason["by"].as_str().filter(|_| is_hard);
            let is_real = |path: &str| fs::canonicalize(path).is_ok_and(|real| real.to_str() == by);
            for program in programs.iter().filter(|(path, _)| by.is_some() && is_real(path)) {
                needed.entry(kept["path"].as_str().unwrap().to_owned()).or_default().insert(*program);
            }
        }
    }
    needed
}

/// Returns true if a program depends on another file to start, judged by its first bytes and by
/// ldd: a static program does not, and some packages have a static variant.
fn needs_others(path: &str) -> bool {
    let is_script = fs::read(path).unwrap().starts_with(b"#!");
    let Some(mut ldd) = judges::command("ldd") else {
        panic!("{path}: ldd is part of every system with glibc")
    };
    is_script || run(ldd.arg(path)).text().contains(" => ")
}

type Needed = BTreeMap<String, BTreeSet<(&'static str, &'static str)>>;

#[test]
fn programs_of_this_machine_run_in_the_kept_part() {
    if judges::command("unshare").is_none() || !judges::may_mount() {
        return;
    }
    let mut programs = Vec::new();
    for program in PROGRAMS {
        if Path::new(program.0).exists() {
            programs.push(program);
        } else {
            judges::skip(program.0, "the program is not installed");
        }
    }
    let scratch = Scratch::new();
    // Data of programs is not part of what their dynamic linker loads, and some of it is unreadable.
    let Some(mount) = reduced(&scratch, &programs, &LINKED) else { return };
    let root = mount.path();
    assert!(!root.join("usr/bin/ls").exists(), "nobody asked for it");
    let whole: BTreeMap<_, _> =
        programs.iter().map(|program| (*program, said(Path::new("/"), *program))).collect();
    for program in &programs {
        let said = said(root, *program);
        assert_eq!(said, whole[program], "{program:?}");
        assert!(said.0 == Some(0) && said.1.len() + said.2.len() > 4, "{program:?}: {said:?}");
    }

    // Each of the files is required: without it the programs that depend on it do not start.
    let closure = of_this_machine("closure", &programs, &[&LINKED[..], &["--json"]].concat());
    let needed = needed(&serde_json::from_slice(&closure.stdout).unwrap(), &programs);
    let with_needs: BTreeSet<_> = needed.values().flatten().copied().collect();
    assert_eq!(with_needs, programs.iter().copied().filter(|(path, _)| needs_others(path)).collect());
    for (path, by) in &needed {
        let (there, away) = (root.join(&path[1..]), root.join("away"));
        fs::rename(&there, &away).unwrap();
        for program in by {
            assert_ne!(said(root, *program), whole[program], "{program:?} runs without {path}");
        }
        fs::rename(away, there).unwrap();
    }
    mount.unmount().unwrap_or_else(|why| panic!("{why}"));
}

/// Returns bytes in a character set, converted to UTF-8.
fn converted(root: &Path, bytes: &Path, charset: &str) -> Option<String> {
    let mut iconv = in_root(root);
    iconv.args([ICONV.0, "-f", charset, "-t", "UTF-8"]).stdin(fs::File::open(bytes).unwrap());
    run(&mut iconv).success().ok().map(|outcome| outcome.text())
}

const ICONV: (&str, &str) = ("/usr/bin/iconv", "--version");

#[test]
fn iconv_converts_from_the_requested_character_sets_only() {
    if judges::command("iconv").is_none() || !judges::may_mount() {
        return;
    }
    let scratch = Scratch::new();
    let asked: [(&str, &[u8], &str); 4] = [
        ("ISO-8859-15", b"\xa4", "\u{20ac}"),
        ("MS-ANSI", b"\x80", "\u{20ac}"),
        ("UTF-16BE", b"\x20\xac", "\u{20ac}"),
        // Its module depends on a library beside it. Not every machine has it.
        ("EUC-JP", b"\xa4\xa2", "\u{3042}"),
    ];
    let flags = ["--gconv", "iso-8859-15,MS-ANSI,UTF-16BE,EUC-JP"];
    let Some(mount) = reduced(&scratch, &[ICONV], &flags) else { return };
    let check = || {
        for (charset, bytes, expected) in asked {
            let file = scratch.file("text", bytes);
            let whole = converted(Path::new("/"), &file, charset);
            assert!(whole.as_deref() == Some(expected) || charset == "EUC-JP", "{charset}: {whole:?}");
            assert_eq!(converted(mount.path(), &file, charset), whole, "{charset}");
        }
        let file = scratch.file("text", "abc");
        assert_eq!(converted(Path::new("/"), &file, "UTF-7").as_deref(), Some("abc"));
        assert_eq!(converted(mount.path(), &file, "UTF-7"), None, "nobody asked for it");
    };
    check();
    // glibc reads the cache of the gconv-modules files if there is one, or else those files.
    let libraries = mount.path().join("usr/lib");
    let multiarch = fs::read_dir(&libraries).unwrap().map(|entry| entry.unwrap().path());
    let directories = multiarch.chain([libraries.clone()]).map(|path| path.join("gconv"));
    let made = directories.map(|path| path.join("gconv-modules.cache")).find(|path| path.exists());
    if let Some(made) = made {
        fs::remove_file(made).unwrap();
        check();
    }
    mount.unmount().unwrap_or_else(|why| panic!("{why}"));
}
