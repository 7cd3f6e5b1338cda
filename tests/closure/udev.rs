//! The programs of udev's rules are those that udev runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::judges;
use crate::product::{Scratch, run, write_program};
use rootcast::closure::config::udev::Rules;
use rootcast::closure::dependency::Target;

/// Rules whose programs are `DIR/` and a letter. udev starts those that are compared, and lists those
/// of RUN.
const RULES: &str = r#"
PROGRAM!="DIR/a x"
IMPORT{program}!="DIR/b"
PROGRAM=="DIR/c y"
PROGRAM+="DIR/d"
IMPORT{program}+="DIR/e z"
RUN+=e"DIR/f\tx"
RUN+=e"DIR/\x67 x"
RUN+=e"DIR/\150\sx"
RUN+="DIR/i\tx"
RUN+=e"DIR/no\q"
RUN+="DIR/no", nonsense, RUN+="DIR/no"
RUN+="DIR/no", RUN!="x"
RUN+="DIR/no", RUN+="
RUN+="DIR/no", PROGRAM-="x"
RUN+="DIR/no", PROGRAM{x}="y"
RUN+="DIR/no", OWNER!="root"
RUN+="DIR/no", RUN+=i"x"
RUN+="DIR/\
# a comment
j"
RUN+="'DIR/k'l x"
RUN+="DIR/m$$n%% x"
RUN+="$root/o %k"
RUN{program} += "DIR/p"RUN+="DIR/q"
run+="DIR/no"
RUN+="DIR/no", \
"#;

/// Mounts the directory `$1` over all directories of rules, for this process alone, then runs the
/// rest.
const WITH_RULES: &str = r#"
mount --bind "$1" /usr/lib/udev/rules.d
for directory in /etc/udev/rules.d /run/udev/rules.d; do
    if [ -d $directory ]; then mount -t tmpfs none $directory; fi
done
shift
exec "$@"
"#;

/// Returns the program of a command line, of which a part may be in single quotes.
fn program(command: &str) -> String {
    let mut is_quoted = false;
    let end = command.find(|letter: char| {
        is_quoted ^= letter == '\'';
        !is_quoted && letter.is_whitespace()
    });
    command[..end.unwrap_or(command.len())].replace('\'', "")
}

#[test]
fn programs_of_rules_are_those_that_udev_runs() {
    const DEVICE: &str = "/sys/class/mem/null";
    let (Some(mut unshare), Some(udevadm)) = (judges::command("unshare"), judges::locate("udevadm")) else {
        return;
    };
    if !judges::may_mount() || !Path::new(DEVICE).exists() {
        return judges::skip("udevadm", "rules are tested as root, with a device in /sys");
    }
    let scratch = Scratch::new();
    let (directory, programs) = (scratch.join("rules"), scratch.join("bin"));
    fs::create_dir(&directory).unwrap();
    fs::create_dir(&programs).unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        write_program(&programs.join(name), b"#!/bin/sh\n");
    }
    let rules = RULES.replace("DIR", programs.to_str().unwrap());
    fs::write(directory.join("99-x.rules"), &rules).unwrap();
    unshare
        .args(["--mount", "sh", "-c", WITH_RULES, "sh"])
        .arg(&directory)
        .arg(udevadm)
        .args(["test", DEVICE]);
    let outcome =
        run(unshare.env("SYSTEMD_LOG_LEVEL", "debug")).success().unwrap_or_else(|why| panic!("{why}"));
    let all = outcome.text() + &outcome.stderr;
    // Since 256 it does not start the programs.
    let texts =
        [("Starting '", "'"), ("skipping execution of '", "'."), ("run: '", "'"), ("RUN{program} : ", "")];
    let command = |line: &str| {
        let found = texts.iter().find_map(|(before, after)| line.split_once(before)?.1.strip_suffix(after));
        found.map(program)
    };
    let theirs: BTreeSet<String> = all.lines().filter_map(command).collect();

    let ours = Rules::parse(b"/x.rules", rules.as_bytes()).dependencies.known.into_iter();
    let ours = ours.map(|dependency| match dependency.target {
        Target::File(paths) => String::from_utf8(paths[0].clone()).unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!(ours.collect::<BTreeSet<_>>(), theirs, "{all}");
    assert_eq!(theirs.len(), 15, "{all}");
}
