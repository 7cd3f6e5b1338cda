//! Values of extended attributes in separate inodes (`ea_inode`; the kernel's
//! `filesystems/ext4/eainode.rst`).
//!
//! Each value is stored once, for all attributes that have it. Its inode has a reference count and
//! a checksum of the value, which is hashed into the entries of these attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::BlockSize;
use crate::ondisk::checksum::Checksum;

/// The values, in the order of their numbers.
#[derive(Debug)]
pub(crate) struct EaInodes {
    /// The inode number of the first.
    first: u32,
    block_size: BlockSize,
    seed: Checksum,
    values: Vec<EaInode>,
    known: BTreeMap<Arc<[u8]>, usize>,
}

/// A value with the fields of its inode.
#[derive(Debug)]
pub(crate) struct EaInode {
    pub(crate) value: Arc<[u8]>,
    /// The crc32c of the value, chained to that of the UUID: `i_atime`.
    pub(crate) hash: u32,
    /// The number of entries that refer to it, those of a shared block counted once: `i_ctime`
    /// (high) and `i_version` (low).
    pub(crate) refcount: u64,
}

impl EaInodes {
    /// Creates an empty table; the first inode will have the number `first`. `seed` is the checksum
    /// of the UUID, whether or not the filesystem has other checksums.
    pub(crate) fn new(first: u32, block_size: BlockSize, seed: Checksum) -> Self {
        Self { first, block_size, seed, values: Vec::new(), known: BTreeMap::new() }
    }

    /// Returns the number of the inode with a value, and its hash. A new value gets the next
    /// number.
    pub(crate) fn add(&mut self, value: &[u8]) -> (u32, u32) {
        let index = self.known.get(value).copied().unwrap_or_else(|| {
            let value: Arc<[u8]> = value.into();
            let hash = self.seed.update(&value).value();
            self.known.insert(Arc::clone(&value), self.values.len());
            self.values.push(EaInode { value, hash, refcount: 0 });
            self.values.len() - 1
        });
        // Numbers beyond 32 bits are rejected when all inodes are counted.
        let number = u32::try_from(index).ok().and_then(|index| self.first.checked_add(index));
        (number.unwrap_or(u32::MAX), self.values[index].hash)
    }

    /// Counts one more entry that refers to an inode.
    pub(crate) fn refer(&mut self, number: u32) {
        self.values[(number - self.first) as usize].refcount += 1;
    }

    /// Returns the number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns the number of blocks of a value, which are counted for each file that has it.
    pub(crate) fn blocks_of(&self, len: usize) -> u64 {
        self.block_size.blocks_of(len as u64)
    }

    /// Iterates over all values with the numbers of their inodes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &EaInode)> {
        (self.first..).zip(&self.values)
    }

    /// Returns the value in the inode with a number.
    pub(crate) fn get(&self, number: u32) -> Option<&EaInode> {
        self.values.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_inode() {
        let mut inodes = EaInodes::new(20, BlockSize::B1024, Checksum::START);
        let numbers = [b"a", b"b", b"a"].map(|value| inodes.add(value).0);
        numbers.into_iter().for_each(|number| inodes.refer(number));
        assert_eq!(numbers, [20, 21, 20]);
        let counts: Vec<_> = inodes.iter().map(|(number, inode)| (number, inode.refcount)).collect();
        assert_eq!(counts, [(20, 2), (21, 1)]);
        assert_eq!(inodes.get(20).expect("it is there").hash, Checksum::START.update(b"a").value());
        assert!(inodes.get(19).is_none() && inodes.get(22).is_none());
    }
}
