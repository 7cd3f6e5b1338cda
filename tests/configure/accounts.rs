//! Users and groups are those of systemd-sysusers.

use std::process::Command;

use super::{Outcomes, Random, Root};
use crate::judges;

/// Runs systemd-sysusers and the generator, and compares what both made. The judge gives up for a
/// group that is missing.
fn check(root: &Root, mut judge: Command, context: &str, outcomes: &mut Outcomes) {
    let (ours, made) = root.configured("accounts");
    match root.judged(judge.arg("--root").arg(root.path())) {
        Some(judged) => outcomes.compare(&ours, &judged, |path| path == "/etc/.pwd.lock", context),
        None => {
            assert!(!made[0].problems.is_empty(), "{context}");
            outcomes.given_up += 1;
        }
    }
}

#[test]
fn the_files_of_this_machine_make_the_same_accounts() {
    let Some(judge) = judges::command("systemd-sysusers") else { return };
    let root = Root::new();
    root.copy("/usr/lib/sysusers.d");
    root.write(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\ngames:x:5:60:games:/usr/games:/usr/sbin/nologin\n",
    );
    root.write("/etc/group", "root:x:0:\ngames:x:60:\nshadow:x:42:\n");
    root.write("/etc/shadow", "root:*:19000:0:99999:7:::\n");
    let mut outcomes = Outcomes::default();
    check(&root, judge, "the files of this machine", &mut outcomes);
    outcomes.check(1);
}

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g-h", "_i", "root", "bad.name", "0x", "old"];
const IDS: [&str; 18] = [
    "-",
    "-",
    "-",
    "",
    "5",
    "6",
    "7",
    "11:6",
    "12:a",
    "-:b",
    "-:5",
    "0",
    "/etc/passwd",
    "/etc/owned",
    "x",
    "65535",
    "08",
    "13:c",
];
const TEXTS: [&str; 7] = ["-", "\"Two words\"", "'a:b'", "", "x\\ y", "%%", "%T"];
const HOMES: [&str; 5] = ["-", "/home/x", "relative", "/a/../b", "/var/lib/%%"];

#[test]
fn random_lines_make_the_same_accounts() {
    let (mut random, mut outcomes) = (Random(1), Outcomes::default());
    for case in 0..60 {
        let Some(judge) = judges::command("systemd-sysusers") else { return };
        let root = Root::new();
        let mut lines = String::new();
        for _ in 0..=random.below(9) {
            let (name, id) = (random.one_of(&NAMES), random.one_of(&IDS));
            lines += &match random.below(8) {
                0..4 => format!(
                    "u {name} {id} {} {} {}\n",
                    random.one_of(&TEXTS),
                    random.one_of(&HOMES),
                    random.one_of(&["-", "/bin/sh", "sh"])
                ),
                4 => format!("u {name} {id}\n"),
                5 => format!("g {name} {id}\n"),
                6 => format!("m {name} {}\n", random.one_of(&NAMES)),
                _ => random.one_of(&["# x\n", "q z\n", "\"u\" k -\n", "r - 500-520\n", "u u\n"]).to_owned(),
            };
        }
        root.write("/usr/lib/sysusers.d/a.conf", &lines);
        root.write("/etc/owned", "");
        if judges::is_root() {
            std::os::unix::fs::chown(root.path().join("etc/owned"), Some(501), Some(502)).unwrap();
        }
        if random.below(3) > 0 {
            root.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nold:x:444:445::/:/bin/sh\n+::::::\n");
            root.write("/etc/group", "root:x:0:\nold:x:445:z,b\nb:x:446:root\n");
            root.write("/etc/gshadow", "root:*::\nold:!::z,b\n");
        }
        check(&root, judge, &format!("case {case}:\n{lines}"), &mut outcomes);
    }
    outcomes.check(25);
}
