//! Links and the database of alternatives are those of update-alternatives.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcomes, Random, Root, entries};
use crate::judges;
use crate::product::run;

const SCRIPT: &str = "/var/lib/dpkg/info/p.postinst";

/// Runs the lines of a script by update-alternatives, and compares with what the generator made of
/// it.
fn check(root: &Root, lines: &[String], context: &str, outcomes: &mut Outcomes) {
    root.write(SCRIPT, &format!("{}\n", lines.join("\n")));
    let (ours, _) = root.configured("alternatives");
    for line in lines {
        let Some(mut judge) = judges::command("update-alternatives") else { return };
        judge.arg("--root").arg(root.path()).args(["--log", "/log"]).args(line.split(' ').skip(1));
        // It refuses a line, and the others count.
        let _ = run(&mut judge);
    }
    outcomes.compare(&ours, &entries(&root.tree()), |path| path == "/log", context);
}

const NAMES: [&str; 5] = ["awk", "pager", "more", "vi", "nawk"];
const LINKS: [&str; 6] = [
    "/usr/bin/awk",
    "/usr/bin/pager",
    "/usr/bin/vi",
    "/usr/bin/file",
    "/usr/share/man/awk.1",
    "/usr/bin/nawk",
];
const PATHS: [&str; 5] = ["/usr/bin/a", "/usr/bin/b", "/usr/bin/c", "/usr/bin/missing", "/usr/bin/file"];

/// Returns the random lines of a first installation: each name has one link, and each path is
/// installed once for it. update-alternatives moves links and keeps a current choice from line to
/// line, and the generator installs all lines at once, so that others can differ.
fn first_installation(random: &mut Random) -> Vec<String> {
    let (mut link_of, mut seen, mut lines) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    for _ in 0..=random.below(5) {
        let (at, priority) = (random.below(NAMES.len()), random.below(4));
        let link = if random.below(4) > 0 { LINKS[at.min(2)] } else { random.one_of(&LINKS) };
        let name = if random.below(4) > 0 { NAMES[at.min(2)] } else { random.one_of(&NAMES) };
        let (path, sign) = (random.one_of(&PATHS), if random.below(5) == 0 { "-" } else { "" });
        let link = *link_of.entry(name).or_insert(link);
        let mut line = format!("update-alternatives --install {link} {name} {path} {sign}{priority}");
        for _ in 0..random.below(3) {
            let slave = (random.one_of(&LINKS), random.one_of(&NAMES), random.one_of(&PATHS));
            let link = *link_of.entry(slave.1).or_insert(slave.0);
            line += &format!(" --slave {link} {} {}", slave.1, slave.2);
        }
        if seen.insert((name, path)) {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn random_lines_make_the_same_links() {
    if judges::locate("update-alternatives").is_none() {
        return judges::skip("update-alternatives", "it is not installed");
    }
    let (mut random, mut outcomes) = (Random(4), Outcomes::default());
    for case in 0..60 {
        let root = Root::new();
        for path in [
            "/usr/bin/a",
            "/usr/bin/b",
            "/usr/bin/c",
            "/usr/bin/file",
            "/usr/share/man/x",
            "/etc/x",
            "/var/lib/dpkg/x",
        ] {
            root.write(path, path);
        }
        for directory in ["etc/alternatives", "var/lib/dpkg/alternatives"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        let lines = first_installation(&mut random);
        check(&root, &lines, &format!("case {case}:\n{}", lines.join("\n")), &mut outcomes);
    }
    outcomes.check(60);
}
