//! The databases of accounts of a tree.

use std::collections::BTreeSet;

use image_tree::{Content, Inode, Kind, Metadata, Timestamp, Tree};
use rootcast::blob::Blob;
use rootcast::closure::accounts::NamedAccounts;
use rootcast::transform::accounts::{self, Accounts, Options};

use crate::{Choices, Outcome};

/// A closure that found no accounts.
static NONE: NamedAccounts = NamedAccounts { users: BTreeSet::new(), groups: BTreeSet::new() };

/// The separator between the files of one input.
const BETWEEN: u8 = 0xff;

/// The paths of the files of an input.
const FILES: [&str; 9] = [
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow-",
    "/etc/subuid",
    "/usr/lib/systemd/system/a.service",
    "/usr/lib/sysusers.d/a.conf",
    "/usr/lib/tmpfiles.d/a.conf",
    "/usr/share/dbus-1/system.d/a.conf",
];

/// Reduces databases, and checks that nothing but lines and members is removed and that a second
/// reduction does not change them.
pub fn check(text: &[u8]) -> Outcome {
    let mut tree = Tree::new(Metadata::new(0o755));
    let mut parts = text.split(|byte| *byte == BETWEEN).chain(std::iter::repeat(&b""[..]));
    for path in FILES {
        let kind = Kind::Regular(Blob::from(parts.next().unwrap_or_default().to_vec()));
        let metadata = Metadata::new(0o644);
        let inode = Inode { metadata: metadata.clone(), kind };
        tree.insert_path(path.as_bytes(), inode, &metadata).expect("it is new");
    }
    let names = BTreeSet::from([b"ann".to_vec()]);
    let mut accounts = Accounts::UsedAnd(names);
    if accounts::apply(&mut tree, &options(&accounts)).is_err() {
        // The tree has no account of the name.
        accounts = Accounts::Used;
    }
    let before = texts(&tree);
    accounts::apply(&mut tree, &options(&accounts)).expect("the files are short");
    if accounts != Accounts::Used {
        assert_eq!(texts(&tree), before);
    }
    let after = texts(&tree);
    accounts::apply(&mut tree, &options(&accounts)).expect("the files are short");
    assert_eq!(texts(&tree), after);
    for (before, after) in before.iter().zip(&after) {
        let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
        assert!(after.len() <= before.len() && lines(after) <= lines(before));
    }
    if before == after { Outcome::Refused } else { Outcome::Checked }
}

fn options(accounts: &Accounts) -> Options<'_> {
    Options { accounts, named: &NONE, time: Timestamp::EPOCH }
}

fn texts(tree: &Tree<Blob>) -> Vec<Vec<u8>> {
    let text =
        |path: &str| match &tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect("it exists")).kind {
            Kind::Regular(content) => {
                let mut bytes = vec![0; usize::try_from(content.len()).expect("it is short")];
                content.read_at(&mut bytes, 0).expect("it is in memory");
                bytes
            }
            other => panic!("{path} is {other:?}"),
        };
    FILES.iter().map(|path| text(path)).collect()
}

/// Creates databases, and files that name accounts.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const LINES: [&str; 20] = [
        "root:x:0:0::/:/bin/sh",
        "bob:x:5:5::/:/bin/sh",
        "eve:x:6:5::/:/bin/sh",
        "bob:x:5:eve,root",
        "eve:x:6:",
        "disk:x:7:bob,ldap",
        "bob:*:1::::::",
        "eve:!:bob:eve",
        "bob:1:1",
        "5:1:1",
        "+",
        "# comment",
        "odd",
        "",
        "User=eve",
        "SupplementaryGroups=disk 6",
        "u eve 6:disk",
        "d /x 0755 bob disk",
        "<policy user=\"eve\">",
        "nobody:x:65534:65534::/:/",
    ];
    let mut choices = Choices::new(bytes);
    let mut text = Vec::new();
    for _ in 0..60 {
        if choices.is_empty() {
            break;
        }
        text.extend(choices.one_of(&LINES).bytes());
        if choices.wrong() {
            text.extend(choices.bytes(4));
        }
        text.push(if choices.rarely(5) { BETWEEN } else { b'\n' });
    }
    text
}
