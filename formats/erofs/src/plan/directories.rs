//! The blocks of directories.

use std::collections::BTreeMap;

use image_tree::{Kind, Tree};

use super::inodes::Inodes;
use crate::BlockSize;
use crate::ondisk::dirent;

/// A directory, divided into blocks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    /// The index of the first entry of each block.
    starts: Box<[u32]>,
    /// The length in bytes: whole blocks, and the last one up to the end of its names.
    len: u64,
}

impl Directory {
    /// Returns the indices of the entries of a block.
    pub(crate) fn block(&self, block: usize, count: usize) -> std::ops::Range<usize> {
        let end = self.starts.get(block + 1).map_or(count, |start| *start as usize);
        self.starts[block] as usize..end
    }

    /// Returns the number of blocks.
    pub(crate) fn blocks(&self) -> usize {
        self.starts.len()
    }
}

/// Divides the names of all directories into blocks, and sets the lengths of their inodes.
pub(crate) fn plan<C>(
    tree: &Tree<C>,
    inodes: &mut Inodes,
    block_size: BlockSize,
) -> BTreeMap<u32, Directory> {
    let mut directories = BTreeMap::new();
    for number in inodes.numbers() {
        if matches!(tree.get(inodes.get(number).id).kind, Kind::Directory(_)) {
            let names = entries(tree, inodes, number);
            let directory = divide(names.iter().map(|(name, _)| name.len()), block_size.len());
            inodes.get_mut(number).size = directory.len;
            directories.insert(number, directory);
        }
    }
    directories
}

/// Returns the names of a directory, with `.` and `..`, and their inode numbers: in byte order, in
/// which the kernel searches them.
pub(crate) fn entries<'t, C>(tree: &'t Tree<C>, inodes: &Inodes, number: u32) -> Vec<(&'t [u8], u32)> {
    let inode = inodes.get(number);
    let names = tree.entries(inode.id).into_iter().flatten();
    let mut entries: Vec<(&[u8], u32)> = names
        .map(|(name, id)| (name.as_bytes(), inodes.number(*id).expect("it has this name")))
        .chain([(b".".as_slice(), number), (b"..", inode.parent)])
        .collect();
    entries.sort_unstable();
    entries
}

/// Divides names, by their lengths in bytes, into blocks.
fn divide(names: impl Iterator<Item = usize>, block_len: usize) -> Directory {
    let mut starts = vec![0];
    let mut used = 0;
    for (index, name) in (0..).zip(names) {
        if used + dirent::LEN + name > block_len {
            starts.push(index);
            used = 0;
        }
        used += dirent::LEN + name;
    }
    let len = ((starts.len() - 1) * block_len + used) as u64;
    Directory { starts: starts.into(), len }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_begins_a_block() {
        let divide = |names: &[usize]| {
            let directory = divide(names.iter().copied(), 512);
            (directory.starts.to_vec(), directory.len)
        };
        assert_eq!(divide(&[1, 2]), (vec![0], 27));
        // 12 + 1 + 12 + 2 + 12 + 255 = 294, and 218 bytes are left: 206 for a name.
        assert_eq!(divide(&[1, 2, 255, 206]), (vec![0], 512));
        assert_eq!(divide(&[1, 2, 255, 207]), (vec![0, 3], 512 + 219));
        assert_eq!(divide(&[1, 2, 255, 206, 1]), (vec![0, 4], 512 + 13));
    }
}
