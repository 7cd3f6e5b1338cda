//! Small trees and ELF files for tests of this module and of its users.

#[allow(missing_docs, reason = "tests use it, and nothing else")]
pub mod build;
#[allow(missing_docs, reason = "tests use it, and nothing else")]
pub mod rpm;
#[cfg(test)]
pub(in crate::closure) mod small_tree;

use image_tree::{Inode, Kind, LinkTarget, Metadata, Tree};

/// Builds a tree of files with their text. `-> TARGET` makes a symbolic link.
///
/// # Panics
/// Panics if a path is not valid or occurs twice.
#[must_use]
pub fn tree(files: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (path, text) in files {
        let kind = match text.strip_prefix("-> ") {
            Some(target) => Kind::Symlink(LinkTarget::new(target).expect("a target")),
            None => Kind::Regular(text.as_bytes().to_vec()),
        };
        add(&mut tree, path, kind);
    }
    tree
}

/// Adds a file and the directories above it.
///
/// # Panics
/// Panics if the path is not valid or already exists.
pub fn add(tree: &mut Tree<Vec<u8>>, path: &str, kind: Kind<Vec<u8>>) {
    let metadata = Metadata::new(0o755);
    let inode = Inode { metadata: metadata.clone(), kind };
    tree.insert_path(path.as_bytes(), inode, &metadata).expect("it is new");
}

/// Returns a module of 64 bits whose `.modinfo` has these lines.
#[cfg(test)]
pub(crate) fn kernel_module(lines: &[&str]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
    let info: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\0"].concat()).collect();
    let (info_at, names_at) = (64, 64 + info.len());
    let headers_at = (names_at + NAMES.len()).next_multiple_of(8);
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(16, &1_u16.to_le_bytes());
    put(18, &62_u16.to_le_bytes());
    put(20, &1_u32.to_le_bytes());
    put(40, &(headers_at as u64).to_le_bytes());
    put(52, &64_u16.to_le_bytes());
    put(58, &64_u16.to_le_bytes());
    put(60, &3_u16.to_le_bytes());
    put(62, &2_u16.to_le_bytes());
    bytes.extend(&info);
    bytes.extend(NAMES);
    bytes.resize(headers_at, 0);
    for (name, kind, at, len) in
        [(0_u32, 0_u32, 0, 0), (1, 1, info_at, info.len()), (10, 3, names_at, NAMES.len())]
    {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(len as u64).to_le_bytes());
        header[48] = 1;
        bytes.extend(header);
    }
    bytes
}
