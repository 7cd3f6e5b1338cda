//! Users and groups are those of systemd-sysusers.

use std::process::Command;

use super::{Outcomes, Root};
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
