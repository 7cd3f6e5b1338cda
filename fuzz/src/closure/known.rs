//! Tables of files that programs are known to use, applied to a small tree.

use image_tree::{Directories as _, Kind, LinkTarget, Metadata, Tree};
use rootcast::closure::dependency::Target;
use rootcast::closure::known::{Known, Table, Uses};

use super::add;
use crate::{Choices, Outcome};

/// The separator between a table and the text of files of the tree, which does not occur in text.
const BETWEEN: u8 = 0xff;

/// The files of the tree. The text of the input goes to those that are read.
const READ: [&str; 5] = [
    "/etc/passwd",
    "/etc/shells",
    "/usr/lib/python3.11/site-packages/a.pth",
    "/usr/lib/python3/dist-packages/b.pth",
    "/opt/venv/pyvenv.cfg",
];
const OTHERS: [&str; 7] = [
    "/usr/bin/python3.11",
    "/usr/sbin/p",
    "/usr/lib/libp1.2.so.3",
    "/usr/lib/p/x.so",
    "/usr/lib/python3.11/os.py",
    "/bin/sh",
    "/etc/p",
];

/// Parses a table, and looks up what it says about the files of a tree.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut parts = bytes.split(|byte| *byte == BETWEEN);
    let Ok(text) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return Outcome::Refused };
    // The names of a selection are those of the built-in table.
    if let Ok(Known::Only(names)) = text.parse::<Known>() {
        assert!(names.iter().all(|name| Table::built_in().names().contains(&&name[..])));
    }
    let Ok(table) = Table::parse(text) else { return Outcome::Refused };
    let mut tree = Tree::new(Metadata::new(0o755));
    for path in READ {
        add(&mut tree, path, Kind::Regular(parts.next().unwrap_or_default().to_vec()));
    }
    for path in OTHERS {
        add(&mut tree, path, Kind::Regular(Vec::new()));
    }
    let target = LinkTarget::new("/usr/bin/python3.11").expect("a target");
    add(&mut tree, "/opt/venv/bin/python3", Kind::Symlink(target));
    for path in OTHERS.iter().chain(&["/opt/venv/bin/python3"]) {
        for matched in table.matching(path.as_bytes()) {
            assert!(table.entries().contains(matched.entry));
            let uses = Uses::of(&tree, matched, path.as_bytes(), &[b"/usr/lib".to_vec()]);
            check_uses(&tree, &uses.expect("the files are short"));
        }
    }
    Outcome::Checked
}

fn check_uses(tree: &Tree<Vec<u8>>, uses: &Uses) {
    for target in &uses.files {
        let path = match target {
            Target::File(paths) => &paths[0],
            Target::Directory(path) | Target::Name(path) => path,
            other => panic!("{other:?}"),
        };
        assert!(path.starts_with(b"/"));
        let id = image_tree::resolve::resolve_in_root(tree, path).expect("it exists");
        assert!(!matches!(target, Target::Directory(_)) || tree.is_directory(id));
    }
    let is_candidate = |target: &Target| matches!(target, Target::File(paths) if !paths.is_empty());
    assert!(uses.required.iter().all(is_candidate));
    assert!(uses.services.iter().all(|service| !service.is_empty() && !service.contains(&b'/')));
}

/// Creates a table, most of whose entries are valid, and the text of files.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const NAMES: [&str; 4] = ["p", "python", "a-1", "All"];
    const BY: [&str; 6] = ["p", "python{V}", "libp{V}.so.*", "bin/p", "python", "*"];
    const PATHS: [&str; 10] = [
        "/usr/lib/p/*.so",
        "{lib}/p/**",
        "{prefix}/lib/python{V}/**",
        "/etc/p",
        "{prefix}/lib/python{v}.zip",
        "/usr/lib/python{V}/site-packages",
        "/usr/lib/[a-p]*/x.so",
        "/none/*/x",
        "../x",
        "/a[",
    ];
    const TEXTS: [&str; 8] = [
        "root:x:0:0::/root:/bin/sh",
        "a:x:1:1::/usr:/bin/sh",
        "/bin/sh",
        "../../p",
        "/",
        "import x",
        "home = /usr/bin",
        "version = 3.11.2",
    ];
    let mut choices = Choices::new(bytes);
    let mut text = String::new();
    let last = |choices: &mut Choices<'_>| if choices.wrong() { 0 } else { 2 };
    for _ in 0..=choices.up_to(3) {
        let bad = last(&mut choices);
        let name = choices.one_of(&NAMES[..NAMES.len() - usize::from(bad > 0)]);
        let by = choices.one_of(&BY[..BY.len() - usize::from(bad > 0)]);
        text += &format!(
            "[[entry]]\nname = \"{name}\"\nabout = \"x\"\nsource = \"y\"\nseen = [\"z\"]\nby = [\"{by}\"]\n"
        );
        let mut path = || format!("\"{}\"", choices.one_of(&PATHS[..PATHS.len() - bad]));
        text += &format!("files = [{}, {}]\n", path(), path());
        text += &format!("requires = [[{}]]\nsites = [{}]\n", path(), path());
        if choices.rarely(2) {
            text += "shells = true\npam = [\"login\"]\nusers = [\"a\"]\n";
        }
    }
    let mut text = text.into_bytes();
    for _ in READ {
        text.push(BETWEEN);
        for _ in 0..choices.up_to(4) {
            text.extend(choices.one_of(&TEXTS).bytes().chain([b'\n']));
        }
    }
    text
}
