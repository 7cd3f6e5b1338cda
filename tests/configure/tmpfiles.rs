//! The files of tmpfiles.d are those of `systemd-tmpfiles --create`.

use std::process::Command;

use super::{Outcomes, Random, Root};
use crate::judges;

/// Runs systemd-tmpfiles and the generator, and compares what both made.
fn check(root: &Root, mut judge: Command, context: &str, outcomes: &mut Outcomes) {
    let (ours, _) = root.configured("tmpfiles");
    match root.judged(judge.arg("--root").arg(root.path()).arg("--create")) {
        Some(judged) => outcomes.compare(&ours, &judged, |_| false, context),
        None => outcomes.given_up += 1,
    }
}

/// Returns the judge, which sets owners of files.
fn judge() -> Option<Command> {
    if !judges::is_root() {
        judges::skip("systemd-tmpfiles", "only root sets owners");
        return None;
    }
    judges::command("systemd-tmpfiles")
}

fn root() -> Root {
    let root = Root::new();
    root.copy("/etc/passwd");
    root.copy("/etc/group");
    root
}

#[test]
fn the_files_of_this_machine_are_made_alike() {
    let Some(judge) = judge() else { return };
    let root = root();
    root.copy("/usr/lib/tmpfiles.d");
    root.copy("/usr/lib/os-release");
    let mut outcomes = Outcomes::default();
    check(&root, judge, "the files of this machine", &mut outcomes);
    outcomes.check(1);
}

const PATHS: [&str; 14] = [
    "/a",
    "/a/b",
    "/a/b/c",
    "/d",
    "/d/e",
    "/link/x",
    "/dangling/x",
    "/etc/file",
    "/full",
    "/full/x",
    "/a//b/",
    "/g/h/i",
    "/etc/link",
    "/acl",
];
const GLOBS: [&str; 8] = ["/a", "/a/*", "/etc/f*", "/full", "/*", "/d/[e-g]", "/acl", "/gone"];
const TYPES: [&str; 17] =
    ["d", "d", "D", "f", "f", "f+", "F", "L", "L+", "p", "p+", "c", "C", "v", "d!", "r", "q"];
const CHANGES: [&str; 8] = ["z", "Z", "e", "a", "a+", "A", "A+", "w"];
const MODES: [&str; 9] = ["-", "0700", "0640", ":0711", "~0775", "1777", "2755", "~:4711", "9"];
const GROUPS: [&str; 6] = ["-", "-", "adm", "12", ":adm", "nobody-at-all"];
const ACLS: [&str; 6] = [
    "u:0:rw-",
    "g:adm:r-x,d:g:adm:r-x",
    "u:1:rwx,m::r--",
    "d:u:2:rwx",
    "u::rwx,g::r-x,o::---",
    "g::r-x,g:adm:rwx",
];

#[test]
fn random_lines_are_made_alike() {
    let (mut random, mut outcomes) = (Random(3), Outcomes::default());
    for case in 0..80 {
        let Some(judge) = judge() else { return };
        let root = root();
        let mut lines = String::new();
        for _ in 0..=random.below(8) {
            let (mode, group) = (random.one_of(&MODES), random.one_of(&GROUPS));
            lines += &if random.below(3) > 0 {
                let kind = random.one_of(&TYPES);
                let argument = match kind.as_bytes()[0] {
                    b'f' | b'F' => random.one_of(&["-", "", "text", "a\\nb %% c"]),
                    b'L' => random.one_of(&["", "target", "/etc/file"]),
                    b'c' => "1:3",
                    b'C' => random.one_of(&["/full", "", "/etc/file"]),
                    _ => "",
                };
                format!("{kind} {} {mode} - {group} - {argument}\n", random.one_of(&PATHS))
            } else {
                let kind = random.one_of(&CHANGES);
                let argument = match kind.as_bytes()[0] {
                    b'a' | b'A' => random.one_of(&ACLS),
                    b'w' => "new",
                    _ => "",
                };
                format!("{kind} {} {mode} - {group} - {argument}\n", random.one_of(&GLOBS))
            };
        }
        root.write("/usr/lib/tmpfiles.d/a.conf", &lines);
        root.write("/etc/file", "content");
        root.write("/full/inner/file", "inner");
        root.write("/acl", "");
        root.write("/usr/share/factory/a", "factory");
        root.write("/real/y", "");
        root.link("/link", "real");
        root.link("/dangling", "nowhere");
        root.link("/etc/link", "file");
        check(&root, judge, &format!("case {case}:\n{lines}"), &mut outcomes);
    }
    outcomes.check(60);
}
