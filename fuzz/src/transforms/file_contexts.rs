//! SELinux policies for a small tree.

use image_tree::{Inode, InodeId, Kind, Metadata, Name};
use rootcast::interrupt::Interrupt;
use rootcast::transform::selinux::{self, FileContexts};

use crate::input::small;
use crate::sources::dump::{self, Bytes};
use crate::{Choices, Outcome};

/// The suffixes of a policy's files, in the order of the input.
const SUFFIXES: [&str; 5] = ["", ".homedirs", ".local", ".subs", ".subs_dist"];

/// The separator between them, which does not occur in text.
const BETWEEN: u8 = 0xff;

/// Labels a tree with an arbitrary policy of its own.
pub fn check(text: &[u8]) -> Outcome {
    let mut tree = small::tree();
    let files = insert_policy(&mut tree, text);
    let before = small::shape(&tree);
    let options = selinux::Options { contexts: &FileContexts::Auto, interrupt: &Interrupt::never() };
    let report = match selinux::apply(&mut tree, &options) {
        Ok(report) => report,
        Err(error) => {
            assert!(error.to_string().contains("file_contexts"), "{error}");
            return Outcome::Refused;
        }
    };
    assert!(small::shape(&tree) == before, "more than labels changed");
    let inodes = report.labelled + report.unchanged + report.unknown;
    assert_eq!(inodes, tree.inode_count() as u64, "an inode was skipped");
    let label = |metadata: &Metadata| {
        let label = metadata.xattrs.iter().find(|(name, _)| name.as_bytes() == b"security.selinux");
        label.map(|(_, value)| value.to_vec())
    };
    let mut seen = std::collections::BTreeSet::new();
    let ids: Vec<InodeId> = tree.walk().map(|step| step.id).filter(|id| seen.insert(*id)).collect();
    let labels: Vec<Vec<u8>> = ids.iter().filter_map(|id| label(&tree.get(*id).metadata)).collect();
    assert_eq!(labels.len() as u64, report.labelled);
    for label in &labels {
        assert!(label.last() == Some(&0) && label.iter().filter(|byte| **byte == 0).count() == 1);
    }
    assert!(report.warnings().iter().all(|warning| !warning.is_empty()));
    dump::check_round_trip(&tree);
    if files > 0 && report.labelled > 0 { Outcome::Checked } else { Outcome::Refused }
}

/// Adds the files of a policy to the tree, and returns their number.
fn insert_policy(tree: &mut Bytes, text: &[u8]) -> usize {
    let mut directory = tree.resolve_no_symlinks(b"etc").expect("the small tree has it");
    let mut insert = |parent: InodeId, name: &str, kind: Kind<Vec<u8>>| {
        let inode = Inode { metadata: Metadata::new(0o755), kind };
        tree.insert(parent, Name::new(name).expect("a name"), inode).expect("it is not there yet")
    };
    directory = insert(directory, "selinux", Kind::Directory(Default::default()));
    insert(directory, "config", Kind::Regular(b"SELINUX=enforcing\nSELINUXTYPE=x\n".to_vec()));
    for name in ["x", "contexts", "files"] {
        directory = insert(directory, name, Kind::Directory(Default::default()));
    }
    let parts = text.split(|byte| *byte == BETWEEN).zip(SUFFIXES);
    for (part, suffix) in parts.clone() {
        insert(directory, &format!("file_contexts{suffix}"), Kind::Regular(part.to_vec()));
    }
    parts.count()
}

/// Creates lines of patterns, types and contexts.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const MAX_LINES: usize = 40;
    let mut choices = Choices::new(bytes);
    let mut text = b"/.* u:r:t\n".to_vec();
    let mut files = 1;
    for _ in 0..MAX_LINES {
        if choices.is_empty() {
            break;
        }
        if files < SUFFIXES.len() && choices.rarely(8) {
            text.push(BETWEEN);
            files += 1;
        }
        if files > 3 {
            let directories = ["/a", "/a/b", "/", "/dev", "/x", "/etc/selinux"];
            let (from, to) = (choices.one_of(&directories), choices.one_of(&directories));
            text.extend(format!("{from} {to}\n").bytes());
            continue;
        }
        line(&mut choices, &mut text);
    }
    text
}

fn line(choices: &mut Choices<'_>, text: &mut Vec<u8>) {
    const PIECES: [&str; 37] = [
        "/",
        "/a",
        "/b",
        "/dev",
        "/etc",
        "a",
        "b",
        "c",
        ".",
        ".*",
        "(/.*)?",
        "[^/]+",
        "[a-c]",
        "[[:alpha:]]",
        "\\.",
        "(a|b)",
        "(?:b)",
        "?",
        "+",
        "{1,3}",
        "{2}",
        "$",
        "^",
        "\\d",
        "\\w*",
        "|",
        "\\b",
        "\\-",
        "null",
        "sd[a-z]",
        "passwd",
        "{,2}",
        "(",
        "\\1",
        // Patterns that take much memory when compiled.
        ".{0,1000}",
        "(.{1000}|b)*",
        "([ab].{500}){1000}",
    ];
    const TYPES: [&str; 9] = ["", "", "-- ", "-d ", "-c ", "-b ", "-l ", "-p ", "-s "];
    const CONTEXTS: [&str; 5] =
        ["u:r:t", "system_u:object_r:etc_t:s0", "<<none>>", "u:r:t:s0-s15:c0.c1023", "u:r:other"];
    text.push(b'/');
    for _ in 0..choices.up_to(4) {
        let piece = if choices.wrong() { choices.one_of(&PIECES) } else { choices.one_of(&PIECES[..17]) };
        text.extend(piece.bytes());
    }
    let context = if choices.wrong() { "none" } else { choices.one_of(&CONTEXTS) };
    text.extend(format!(" {}{context}\n", choices.one_of(&TYPES)).bytes());
}
