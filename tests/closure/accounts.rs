//! The accounts of a reduced tree are consistent, and those that it uses.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::reduced::unpacked;
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/sh\ngames:x:5:60::/usr/games:/bin/sh\n\
    www-data:x:33:33::/var/www:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n\
    nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\ndisk:x:6:\nsudo:x:27:ann,games\nwww-data:x:33:\ngames:x:60:\n\
    video:x:44:games\nusers:x:100:\nann:x:1000:\nnogroup:x:65534:\n";

/// Creates a tree with accounts, a unit that runs as one of them, a service of PAM and udev's rules.
fn tree() -> Scratch {
    let scratch = Scratch::new();
    let line = |format: &str, name: &str| format.replace("NAME", name);
    let names = |text: &'static str| text.lines().map(|line| line.split(':').next().unwrap());
    let shadow: String = names(PASSWD).map(|name| line("NAME:*:19000:0:99999:7:::\n", name)).collect();
    let members = GROUP.lines().map(|line| line.rsplit(':').next().unwrap());
    let gshadow: String =
        names(GROUP).zip(members).map(|(name, members)| line("NAME:!::", name) + members + "\n").collect();
    for (path, text) in [
        ("etc/passwd", PASSWD),
        ("etc/group", GROUP),
        ("etc/shadow", &shadow),
        ("etc/gshadow", &gshadow),
        ("etc/subuid", "ann:100000:65536\ngames:165536:65536\n"),
        ("bin/sh", "a shell\n"),
        ("usr/lib/systemd/system/web.service", "[Unit]\nDefaultDependencies=no\n[Service]\nUser=www-data\n"),
        ("usr/lib/udev/rules.d/60-disk.rules", "SUBSYSTEM==\"block\", GROUP=\"disk\"\n"),
        ("etc/pam.d/sshd", "auth required pam_permit.so\n"),
    ] {
        let path = scratch.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for directory in ["root", "var/www", "home/ann", "usr/sbin", "usr/games", "run/sshd"] {
        fs::create_dir_all(scratch.join(directory)).unwrap();
    }
    scratch
}

/// Requests the databases, the shell and the homes.
const KEEP: [&str; 18] = [
    "--owner",
    "root",
    "--keep",
    "/etc/*shadow",
    "--keep",
    "/etc/passwd",
    "--keep",
    "/etc/group",
    "--keep",
    "/etc/subuid",
    "--keep",
    "/bin",
    "--keep",
    "/home",
    "--keep",
    "/root",
    "--keep",
    "/var",
];

fn reduce(scratch: &Scratch, flags: &[&str]) -> Outcome {
    let mut tree = rootcast();
    tree.arg("tree").arg(scratch.path()).arg("-v").args(KEEP).args(flags);
    run(&mut tree).success().unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn reduced_databases_are_consistent_for_pwck_and_grpck() {
    let source = tree();
    let scratch = Scratch::new();
    let flags =
        ["--keep", "/usr/lib/systemd/system/web.service", "--keep", "/usr/lib/udev", "--keep", "/etc/pam.d"];
    let Some(root) = unpacked(source.path(), &scratch, &[&KEEP[..], &flags].concat()) else { return };
    let read = |name: &str| fs::read_to_string(root.join("etc").join(name)).unwrap();
    let names = |name: &str| {
        let text = read(name);
        text.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("passwd"), "root www-data ann nobody");
    assert_eq!(names("shadow"), names("passwd"));
    assert_eq!(names("group"), "root disk sudo www-data ann nogroup");
    assert_eq!(names("gshadow"), names("group"));
    assert_eq!(names("subuid"), "ann");
    assert!(read("group").contains("sudo:x:27:ann\n") && read("gshadow").contains("sudo:!::ann\n"));
    if !judges::is_root() {
        return judges::skip("pwck", "only root may change its root directory");
    }
    for (judge, flags) in [("pwck", &["-q", "-r"][..]), ("grpck", &["-r"])] {
        let Some(mut judge) = judges::command(judge) else { return };
        run(judge.args(flags).arg("-R").arg(&root)).success().unwrap_or_else(|why| panic!("{why}"));
    }
    // Without one of the lines they object.
    fs::write(root.join("etc/passwd"), read("passwd").replace("ann:", "eve:")).unwrap();
    let Some(mut pwck) = judges::command("pwck") else { return };
    assert_ne!(run(pwck.args(["-q", "-r", "-R"]).arg(&root)).code, Some(0));
}

#[test]
fn only_what_is_kept_decides_which_accounts_stay() {
    let source = tree();
    let kept = |flags: &[&str]| {
        let outcome = reduce(&source, flags);
        let line = |what: &str| {
            let of = format!(" {what} are kept: ");
            let found = outcome.stderr.lines().find_map(|line| line.split_once(&of));
            found.map(|(_, names)| names.to_owned()).unwrap_or_else(|| panic!("{outcome}"))
        };
        (line("users"), line("groups"))
    };
    let expect = |flags: &[&str], users: &str, groups: &str| {
        assert_eq!(kept(flags), (users.to_owned(), groups.to_owned()), "{flags:?}");
    };
    expect(&[], "nobody, root", "nogroup, root");
    expect(
        &["--keep-unit", "web.service", "--systemd", "no"],
        "nobody, root, www-data",
        "nogroup, root, www-data",
    );
    expect(&["--keep-rule", "60-disk.rules"], "nobody, root", "disk, nogroup, root");
    expect(&["--keep", "/etc/pam.d"], "ann, nobody, root", "ann, nogroup, root, sudo");
    expect(&["--accounts", "daemon,users"], "daemon, nobody, root", "daemon, nogroup, root, users");
    expect(
        &["--accounts", "used", "--chown", "/bin/sh:games"],
        "games, nobody, root",
        "games, nogroup, root, sudo, video",
    );
    let all = reduce(&source, &["--accounts", "all"]);
    assert!(!all.stderr.contains(" are kept: "), "{all}");

    let mut tree = rootcast();
    let outcome = run(tree.arg("tree").arg(source.path()).args(KEEP).args(["--accounts", "game"]));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("--accounts game: ") && outcome.stderr.contains("names are games"),
        "{outcome}"
    );
}

#[test]
fn the_c_library_finds_the_accounts_that_stay() {
    let getent = ["--keep", "/usr/bin/getent", "--keep", "/etc/passwd", "--keep", "/etc/group"];
    if !judges::is_root() {
        return judges::skip("getent", "only root may change its root directory");
    }
    if judges::command("getent").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let Some(root) = unpacked(Path::new("/"), &scratch, &getent) else { return };
    let find = |database: &str, name: &str| {
        run(Command::new("chroot").arg(&root).args(["/usr/bin/getent", database, name])).code == Some(0)
    };
    for (database, stays, goes) in
        [("passwd", ["root", "nobody"], "games"), ("group", ["root", "nogroup"], "games")]
    {
        assert!(stays.iter().all(|name| find(database, name)), "{database}");
        assert!(!find(database, goes), "{database}");
    }
}
