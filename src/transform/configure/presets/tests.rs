use image_tree::{Kind, Tree};

use super::super::testing::{configure, tree};
use crate::blob::Blob;

const UNITS: &str = "/usr/lib/systemd/system";

/// Builds a tree of units, presets and others.
fn units(units: &[(&str, &str)], presets: &str, others: &[(&str, &str)]) -> Tree<Blob> {
    let units: Vec<(String, String)> = units
        .iter()
        .map(|(name, text)| (format!("{UNITS}/{name}"), format!("[Install]\n{text}\n")))
        .collect();
    let mut files: Vec<(&str, &str)> = units.iter().map(|(path, text)| (&path[..], &text[..])).collect();
    files.push(("/usr/lib/systemd/system-preset/90-systemd.preset", presets));
    files.extend(others);
    tree(&files)
}

/// Returns the links in `/etc`, as `PATH > TARGET`.
fn links(tree: &Tree<Blob>) -> Vec<String> {
    let (mut found, mut path, mut walk) = (Vec::new(), Vec::new(), tree.walk());
    while let Some(step) = walk.next() {
        path.clear();
        walk.write_path(&mut path);
        let text = path.escape_ascii().to_string();
        if let (Kind::Symlink(target), Some(name)) =
            (&tree.get(step.id).kind, text.strip_prefix("/etc/systemd/system/"))
        {
            let target = target.as_bytes().escape_ascii().to_string();
            found.push(format!("{name} > {}", target.replace(UNITS, "")));
        }
    }
    found
}

#[test]
fn units_are_enabled_with_their_aliases_and_others() {
    let mut tree = units(
        &[
            (
                "a.service",
                "WantedBy=multi-user.target x@.target\nAlias=b.service m.socket\nAlso=a.socket gone.timer",
            ),
            ("a.socket", "WantedBy=lost.target\nWantedBy=\nRequiredBy=r.target\nUpheldBy=u.target"),
            ("t@.service", "WantedBy=t.target %i.target\nDefaultInstance=d\nAlias=t2@.service"),
            ("n@.service", "WantedBy=plain.target i@.target"),
            ("m.mount", "WantedBy=local-fs.target\nAlias=m2.mount"),
            ("plain.target", ""),
        ],
        "disable a.socket\n",
        &[("/etc/systemd/system/masked.service", "-> /dev/null")],
    );
    let made = configure(&mut tree, "presets").expect("there is room");
    let expected = [
        "b.service > /a.service",
        "d.target.wants/t@d.service > /t@.service",
        "i@.target.wants/n@.service > /n@.service",
        "local-fs.target.wants/m.mount > /m.mount",
        "masked.service > /dev/null",
        "multi-user.target.wants/a.service > /a.service",
        "r.target.requires/a.socket > /a.socket",
        "t.target.wants/t@d.service > /t@.service",
        "t2@.service > /t@.service",
        "u.target.upholds/a.socket > /a.socket",
        "x@.target.wants/a.service > /a.service",
    ];
    assert_eq!(links(&tree), expected);
    let problems = [
        "a.service cannot be linked as \"m.socket\"",
        "gone.timer, which a.service enables as well, is not in the tree",
    ];
    assert_eq!(made[0].problems, problems);
    configure(&mut tree, "presets").expect("there is room");
    assert_eq!(links(&tree), expected);
}

#[test]
fn the_first_rule_decides_and_instances_replace_the_default_one() {
    let install = "WantedBy=a.target";
    let mut tree = units(
        &[
            ("a.service", install),
            ("b.service", install),
            ("c.service", install),
            ("t@.service", "WantedBy=a.target\nDefaultInstance=d"),
            ("dash\\x2d.service", install),
        ],
        "enable t@.service one two\nenable t.service x\nenable\nsomething else\n# no\ndisable *\n",
        &[("/etc/systemd/system-preset/10.preset", "disable b.*\nenable [ab].service\nenable dash\\x2d.*\n")],
    );
    let made = configure(&mut tree, "presets").expect("there is room");
    let expected = [
        "a.target.wants/a.service > /a.service",
        "a.target.wants/dash\\\\x2d.service > /dash\\\\x2d.service",
        "a.target.wants/t@one.service > /t@.service",
        "a.target.wants/t@two.service > /t@.service",
    ];
    assert_eq!(links(&tree), expected);
    assert_eq!(made[0].problems.len(), 3, "{made:?}");
}

#[test]
fn links_of_disabled_units_and_their_empty_directories_are_removed() {
    let mut tree = units(
        &[
            ("a.service", "WantedBy=a.target\nAlias=z.service\nAlso=b.service"),
            ("b.service", ""),
            ("c.service", ""),
        ],
        "disable a.service\n",
        &[
            ("/etc/systemd/system/a.target.wants/a.service", "-> /usr/lib/systemd/system/a.service"),
            ("/etc/systemd/system/b.target.wants/b.service", "-> ../b.service"),
            ("/etc/systemd/system/b.target.wants/c.service", "-> ../c.service"),
            ("/etc/systemd/system/z.service", "-> /lib/systemd/system/a.service"),
            ("/etc/systemd/system/y.target.wants/z.service", "-> /etc/systemd/system/z.service"),
            ("/lib", "-> usr/lib"),
        ],
    );
    configure(&mut tree, "presets").expect("there is room");
    assert_eq!(links(&tree), ["b.target.wants/c.service > ../c.service"]);
    assert_eq!(tree.resolve_no_symlinks(b"/etc/systemd/system/a.target.wants"), None);
}

#[test]
fn links_lead_to_lib_if_the_systemd_of_the_tree_was_built_for_it() {
    let mut tree = units(
        &[("a.service", "WantedBy=a.target")],
        "",
        &[("/lib", "-> usr/lib"), ("/var/lib/dpkg/info/systemd.list", "/.\n/lib/systemd/system\n")],
    );
    configure(&mut tree, "presets").expect("there is room");
    assert_eq!(links(&tree), ["a.target.wants/a.service > /lib/systemd/system/a.service"]);
}
