//! Dumps parsed to trees and written again.

use std::collections::BTreeMap;

use image_tree::dump::{self, Body, RegularFile};
use image_tree::{InodeId, Kind, Tree};

use crate::input::trees;
use crate::{Choices, Outcome};

pub(crate) type Bytes = Tree<Vec<u8>>;

/// Parses arbitrary text; a valid tree must be unchanged after writing and parsing it.
pub fn check_text(text: &[u8]) -> Outcome {
    match parse(text) {
        Ok(tree) => {
            check_round_trip(&tree);
            Outcome::Checked
        }
        Err(error) => {
            assert!(!error.is_empty());
            Outcome::Refused
        }
    }
}

/// Writes an arbitrary tree, and compares it with the parsed result.
pub fn check_tree(bytes: &[u8]) -> Outcome {
    check_round_trip(&tree(&mut Choices::new(bytes)));
    Outcome::Checked
}

/// Returns the first lines of the dump of an arbitrary tree, as a seed. In longer texts mutations
/// seldom hit relevant places.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const ENOUGH: usize = 4096;
    let text = write(&tree(&mut Choices::new(bytes)));
    let start = &text[..text.len().min(ENOUGH)];
    let len = start.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    start[..len].to_vec()
}

fn tree(choices: &mut Choices<'_>) -> Bytes {
    let tree = trees::tree(choices);
    let content = |pattern: crate::input::pattern::Pattern| {
        let mut bytes = vec![0; usize::try_from(pattern.len.min(300)).expect("small")];
        pattern.fill(&mut bytes, 0);
        Ok::<_, std::convert::Infallible>(bytes)
    };
    let Ok(tree) = tree.try_map_content(content);
    tree
}

/// Parses a dump whose content is all inline.
pub(crate) fn parse(text: &[u8]) -> Result<Bytes, String> {
    let content = |file: RegularFile<'_>| match file.body {
        Body::None if file.size == 0 => Ok(Vec::new()),
        Body::Inline(bytes) => Ok(bytes.into_owned()),
        _ => Err(std::io::Error::other("the bytes are elsewhere")),
    };
    dump::parse(text, content).map_err(|error| error.to_string())
}

pub(crate) fn write(tree: &Bytes) -> Vec<u8> {
    let mut text = Vec::new();
    dump::write(tree, &mut text, |_, bytes| Ok(Body::Inline(bytes.into())))
        .expect("memory takes every write");
    text
}

pub(crate) fn check_round_trip(tree: &Bytes) {
    let text = write(tree);
    let again = parse(&text).unwrap_or_else(|error| panic!("what was written does not parse: {error}"));
    check_same(tree, &again);
    assert!(write(&again) == text, "the same tree gives another text");
    // Both are numbered in the order of the text, so they must be equal including their numbers.
    assert!(parse(&text).as_ref() == Ok(&again), "the same text gives another tree");
}

/// Compares trees whose inodes may be numbered differently.
fn check_same(left: &Bytes, right: &Bytes) {
    let mut pairs: BTreeMap<InodeId, InodeId> = BTreeMap::new();
    let mut steps = right.walk();
    for a in left.walk() {
        let b = steps.next().expect("as many names");
        assert_eq!(a.name, b.name);
        assert_eq!(a.first, b.first, "{:?}", a.name);
        assert_eq!(*pairs.entry(a.id).or_insert(b.id), b.id, "{:?} is a name of another file", a.name);
        let (a, b) = (left.get(a.id), right.get(b.id));
        assert_eq!(a.metadata, b.metadata);
        match (&a.kind, &b.kind) {
            // Their entries are separate steps.
            (Kind::Directory(a), Kind::Directory(b)) => assert_eq!(a.len(), b.len()),
            (a, b) => assert_eq!(a, b),
        }
    }
    assert!(steps.next().is_none(), "a name came into being");
}
