//! `/etc/shells` is that of update-shells.

use super::{Outcomes, Random, Root};
use crate::judges;

#[test]
fn random_shells_make_the_same_list() {
    const SHELLS: [&str; 8] =
        ["/bin/sh", "/usr/bin/sh", "/bin/bash", "/opt/x/sh", "# x", "/bin/dash # y", "/gone/sh", "/b/c"];
    let (mut random, mut outcomes) = (Random(5), Outcomes::default());
    for case in 0..20 {
        let Some(mut judge) = judges::command("update-shells") else { return };
        let root = Root::new();
        root.link("/bin", "usr/bin");
        root.write("/usr/bin/sh", "");
        root.write("/var/lib/x", "");
        root.write("/etc/x", "");
        let mut lines =
            |count| -> String { (0..count).map(|_| format!("{}\n", random.one_of(&SHELLS))).collect() };
        root.write("/usr/share/debianutils/shells", &lines(3));
        root.write("/usr/share/debianutils/shells.d/a", &lines(2));
        root.write("/usr/share/debianutils/shells.d/b", &lines(2));
        if case % 2 == 0 {
            root.write("/etc/shells", &lines(4));
            root.write("/var/lib/shells.state", &lines(3));
        }
        let (ours, _) = root.configured("shells");
        let judged = root.judged(judge.arg("--root").arg(root.path())).unwrap();
        outcomes.compare(&ours, &judged, |_| false, &format!("case {case}"));
    }
    outcomes.check(20);
}
