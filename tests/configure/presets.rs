//! The links of units are those of `systemctl preset-all`.

use std::process::Command;

use super::{Entries, Outcomes, Random, Root};
use crate::judges;

/// Runs systemctl and the generator, and compares the links that both made. The judge gives up for
/// some values that are not names of units.
fn check(root: &Root, mut judge: Command, context: &str, outcomes: &mut Outcomes) {
    let (ours, _) = root.configured("presets");
    // The directories of units are the same one, of which this systemctl finds the other first.
    let lib = |all: Entries| -> Entries {
        all.into_iter().map(|(path, text)| (path, text.replace("-> /lib/", "-> /usr/lib/"))).collect()
    };
    match root.judged(judge.arg("--root").arg(root.path()).args(["--no-reload", "preset-all"])) {
        Some(judged) => outcomes.compare(&lib(ours), &lib(judged), |_| false, context),
        None => outcomes.given_up += 1,
    }
}

#[test]
fn the_units_of_this_machine_have_the_same_links() {
    let Some(judge) = judges::command("systemctl") else { return };
    let root = Root::new();
    root.copy("/usr/lib/systemd/system");
    root.copy("/usr/lib/systemd/system-preset");
    root.link("/lib", "usr/lib");
    let mut outcomes = Outcomes::default();
    check(&root, judge, "the units of this machine", &mut outcomes);
    outcomes.check(1);
}

const UNITS: [&str; 10] = [
    "a.service",
    "b.service",
    "c.socket",
    "t@.service",
    "n@.service",
    "d.target",
    "m.mount",
    "e-x.timer",
    "f\\x2dg.service",
    "w@.socket",
];
const KEYS: [&str; 7] = ["WantedBy", "WantedBy", "RequiredBy", "Alias", "Also", "DefaultInstance", "Alias"];
const VALUES: [&str; 16] = [
    "a.target",
    "b@.target",
    "b@i.target",
    "",
    "x.service",
    "y@.service",
    "y@i.service",
    "%p-%i.target",
    "i",
    "\"a.target z.target\"",
    "a.target z.target",
    "a.service t@q.service",
    "c.socket",
    "gone.service",
    "d.target",
    "f\\x2dg.service",
];
const RULES: [&str; 12] = [
    "enable a.service",
    "disable a.*",
    "disable *@.service",
    "enable t@.service p q",
    "enable n@.service r",
    "disable *",
    "enable *",
    "disable ?.s[eo]*",
    "junk",
    "enable a.service x",
    "disable f\\x2dg.service",
    "enable [",
];

#[test]
fn random_units_have_the_same_links() {
    let (mut random, mut outcomes) = (Random(2), Outcomes::default());
    for case in 0..60 {
        let root = Root::new();
        let mut context = format!("case {case}:\n");
        for unit in UNITS {
            if random.below(3) == 0 {
                continue;
            }
            let mut text = "[Unit]\n[Install]\n".to_owned();
            for _ in 0..random.below(5) {
                let key = random.one_of(&KEYS);
                // systemctl gives up on all units if this is not the name of one.
                let value = random.one_of(if key == "Also" { &VALUES[11..] } else { &VALUES });
                text += &format!("{key}={value}\n");
            }
            context += &format!("{unit}: {text}");
            root.write(&format!("/usr/lib/systemd/system/{unit}"), &text);
        }
        let rules: String = (0..random.below(5)).map(|_| format!("{}\n", random.one_of(&RULES))).collect();
        root.write("/usr/lib/systemd/system-preset/50.preset", &rules);
        context += &rules;
        for _ in 0..random.below(4) {
            let (unit, of) =
                (random.one_of(&UNITS), random.one_of(&["", "a.target.wants/", "u.target.requires/"]));
            let path = format!("/etc/systemd/system/{of}{unit}");
            if root.path().join(&path[1..]).symlink_metadata().is_err() {
                let target = random.one_of(&["/usr/lib/systemd/system/a.service", "/dev/null"]);
                context += &format!("{path} -> {target}\n");
                root.link(&path, target);
            }
        }
        let Some(judge) = judges::command("systemctl") else { return };
        check(&root, judge, &context, &mut outcomes);
    }
    outcomes.check(40);
}
