//! The files of tmpfiles.d are those of `systemd-tmpfiles --create`.

use std::process::Command;

use super::{Outcomes, Root};
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
