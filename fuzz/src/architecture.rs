//! Paths through links, and programs found by them.

use image_tree::resolve::resolve_in_root;
use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};
use rootcast::architecture::{Architecture, ELF_HEADER_LEN, detect};

use crate::{Choices, Outcome};

type Bytes = Tree<Vec<u8>>;

/// Well-known programs with their directories, and special components of a path.
const WORDS: [&str; 20] = [
    "a",
    "b",
    "sbin",
    "bin",
    "usr",
    "lib",
    "init",
    "sh",
    "systemd",
    "env",
    "busybox",
    "ls",
    "ldconfig",
    "kata-agent",
    ".",
    "..",
    "",
    "/",
    "//",
    "c",
];

/// Searches for programs and arbitrary paths in an arbitrary tree of links.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut choices = Choices::new(bytes);
    let paths: Vec<Vec<u8>> = (0..choices.up_to(4)).map(|_| path(&mut choices)).collect();
    let tree = tree(&mut choices);
    for path in &paths {
        check_path(&tree, path);
    }
    // Content in memory cannot cause read errors.
    let found = detect(&tree).expect("memory is readable");
    let Some(found) = found else { return Outcome::Refused };
    let is_its_program = |id| architecture_of(&tree, id) == Some(found);
    assert!(tree.walk().any(|step| is_its_program(step.id)), "no file is a program for {found}");
    Outcome::Checked
}

fn architecture_of(tree: &Bytes, id: InodeId) -> Option<Architecture> {
    let Kind::Regular(bytes) = &tree.get(id).kind else { return None };
    Architecture::of_elf(bytes.first_chunk::<ELF_HEADER_LEN>()?)
}

fn check_path(tree: &Bytes, path: &[u8]) {
    let Some(id) = resolve_in_root(tree, path) else { return };
    assert!(!matches!(tree.get(id).kind, Kind::Symlink(_)), "a path ends at a link");
    // The path without links leads to the same file.
    let plain = tree.path_of(id);
    assert_eq!(resolve_in_root(tree, &plain), Some(id));
    assert_eq!(tree.resolve_no_symlinks(&plain), Some(id));
}

fn tree(choices: &mut Choices<'_>) -> Bytes {
    const MAX_FILES: usize = 200;
    let mut tree = Tree::new(Metadata::new(0o755));
    let mut directories = vec![InodeId::ROOT];
    while !choices.is_empty() && tree.inode_count() < MAX_FILES {
        let parent = choices.one_of(&directories);
        let name = choices.one_of(&WORDS[..14]);
        let mode = choices.one_of(&[0o755, 0o644, 0o100]);
        let kind = match choices.up_to(7) {
            0..=2 => Kind::Directory(std::collections::BTreeMap::new()),
            3..=4 => Kind::Symlink(target(choices)),
            5 => Kind::Regular(choices.bytes(64).to_vec()),
            _ => Kind::Regular(program(choices)),
        };
        let is_directory = matches!(kind, Kind::Directory(_));
        let name = Name::new(name).expect("the first words are names");
        let inode = Inode { metadata: Metadata::new(mode), kind };
        match tree.insert(parent, name, inode) {
            Ok(id) if is_directory => directories.push(id),
            // A name that already exists is a valid outcome.
            Ok(_) | Err(_) => {}
        }
    }
    tree
}

/// Creates the start of an ELF file, for a machine that may be known.
fn program(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut header = b"\x7fELF".to_vec();
    let (class, data) = (choices.one_of(&[2, 1, 2, 1, 0]), choices.one_of(&[1, 2, 1, 2, 3]));
    header.extend([class, data]);
    header.resize(18, 0);
    let machine = choices.one_of(&[62_u16, 183, 3, 8, 15, 20, 21, 22, 40, 50, 191, 243, 258, 0x9026, 0xffff]);
    header.extend(if data == 2 { machine.to_be_bytes() } else { machine.to_le_bytes() });
    header
}

fn target(choices: &mut Choices<'_>) -> LinkTarget {
    let repeated =
        path(choices).repeat(1 + if choices.rarely(8) { choices.index(LinkTarget::MAX_LEN) } else { 0 });
    let target = LinkTarget::new(&repeated[..repeated.len().min(LinkTarget::MAX_LEN)]);
    target.unwrap_or_else(|_| LinkTarget::new("..").expect("valid"))
}

fn path(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut path = Vec::new();
    let count = 1 + choices.up_to(6);
    for _ in 0..count {
        path.extend(choices.one_of(&WORDS).bytes());
        if choices.up_to(7) < 7 {
            path.push(b'/');
        }
    }
    if choices.up_to(3) > 0 {
        path.pop();
    }
    if choices.rarely(32) { choices.bytes(64).to_vec() } else { path }
}
