//! The digests of the data blocks, in groups of a hash block.

use std::sync::{Mutex, PoisonError};

use crate::layout::digests_per_block;
use crate::{Error, Layout};

/// The digests that one hash block of level 0 holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// None was given.
    Missing,
    /// All data blocks are zeros.
    Zeros,
    /// The digests, zeros where a digest was not given: that no digest is all zeros is as certain
    /// as that no two blocks have the same digest.
    Digests(Box<[u8]>),
}

/// The digests of all data blocks, set by several threads.
pub(super) struct Leaves {
    groups: Vec<Mutex<Leaf>>,
    data_blocks: u64,
    per_group: usize,
    /// The digest of a data block of zeros.
    zero_digest: Box<[u8]>,
}

impl Leaves {
    pub(super) fn new(layout: &Layout, zero_digest: &[u8]) -> Result<Self, Error> {
        let options = layout.options();
        let data_blocks = layout.data_blocks();
        let out_of_memory = || Error::OutOfMemory { data_blocks };
        let per_group = digests_per_block(options);
        let count = usize::try_from(data_blocks.div_ceil(per_group.into())).map_err(|_| out_of_memory())?;
        let mut groups = Vec::new();
        groups.try_reserve_exact(count).map_err(|_| out_of_memory())?;
        groups.resize_with(count, || Mutex::new(Leaf::Missing));
        // OK to unwrap: it is less than 64 KiB.
        let per_group = usize::try_from(per_group).expect("less than a block");
        Ok(Self { groups, data_blocks, per_group, zero_digest: zero_digest.into() })
    }

    fn digest_len(&self) -> usize {
        self.zero_digest.len()
    }

    /// Returns true if the digest of a block is there.
    pub(super) fn is_given(&self, block: u64) -> bool {
        let (group, slot) = self.place(block);
        match &*self.groups[group].lock().unwrap_or_else(PoisonError::into_inner) {
            Leaf::Missing => false,
            Leaf::Zeros => true,
            Leaf::Digests(slots) => !is_missing(&slots[slot * self.digest_len()..][..self.digest_len()]),
        }
    }

    /// Sets the digests of consecutive blocks, and returns their number.
    pub(super) fn set(&self, first: u64, digests: &[u8]) -> Result<u64, Error> {
        let len = self.digest_len();
        let (mut block, mut rest) = (first, digests);
        while !rest.is_empty() {
            let in_group = self.per_group - self.place(block).1;
            let (group, after) = rest.split_at(rest.len().min(in_group * len));
            self.set_in_group(block, group)?;
            (block, rest) = (block + (group.len() / len) as u64, after);
        }
        Ok(block - first)
    }

    /// Sets the digests of consecutive blocks of one group.
    fn set_in_group(&self, first: u64, digests: &[u8]) -> Result<(), Error> {
        let (group, slot) = self.place(first);
        // OK to ignore poison: a thread that panics ends the whole computation.
        let mut leaf = self.groups[group].lock().unwrap_or_else(PoisonError::into_inner);
        let len = self.digest_len();
        if *leaf == Leaf::Missing {
            *leaf = Leaf::Digests(vec![0; self.per_group * len].into_boxed_slice());
        }
        let Leaf::Digests(slots) = &mut *leaf else { return Err(Error::GivenTwice { block: first }) };
        let slots = &mut slots[slot * len..][..digests.len()];
        let taken = slots.chunks_exact(len).position(|slot| !is_missing(slot));
        if let Some(index) = taken {
            return Err(Error::GivenTwice { block: first + index as u64 });
        }
        slots.copy_from_slice(digests);
        Ok(())
    }

    /// Sets the digests of consecutive blocks of zeros, of any number of groups.
    pub(super) fn set_zeros(&self, first: u64, count: u64) -> Result<(), Error> {
        let end = first + count;
        let mut block = first;
        while block < end {
            let (group, slot) = self.place(block);
            let in_group = (self.per_group - slot) as u64;
            let after = end.min(block + in_group);
            let is_whole = slot == 0 && (after - block == in_group || after == self.data_blocks);
            if !(is_whole && self.set_zero_group(group)) {
                // OK to unwrap: a group has at most 2048 digests.
                let count = usize::try_from(after - block).expect("less than a group");
                self.set(block, &self.zero_digest.repeat(count))?;
            }
            block = after;
        }
        Ok(())
    }

    /// Marks a group as zeros, unless some of its digests are there.
    fn set_zero_group(&self, group: usize) -> bool {
        let mut leaf = self.groups[group].lock().unwrap_or_else(PoisonError::into_inner);
        let was_missing = *leaf == Leaf::Missing;
        if was_missing {
            *leaf = Leaf::Zeros;
        }
        was_missing
    }

    /// The first block without a digest.
    pub(super) fn first_missing(&self) -> Option<u64> {
        let len = self.digest_len();
        (0..).zip(&self.groups).find_map(|(group, leaf)| {
            let first = group * self.per_group as u64;
            match &*leaf.lock().unwrap_or_else(PoisonError::into_inner) {
                Leaf::Missing => Some(first),
                Leaf::Zeros => None,
                Leaf::Digests(slots) => {
                    let block = (first..self.data_blocks)
                        .zip(slots.chunks_exact(len))
                        .find(|(_, slot)| is_missing(slot));
                    block.map(|(block, _)| block)
                }
            }
        })
    }

    pub(super) fn into_groups(self) -> Vec<Leaf> {
        let leaf = |leaf: Mutex<Leaf>| leaf.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.groups.into_iter().map(leaf).collect()
    }

    /// The group of a block, and the position of its digest in the group.
    fn place(&self, block: u64) -> (usize, usize) {
        let per_group = self.per_group as u64;
        // OK to unwrap: the groups are in memory.
        let small = |number| usize::try_from(number).expect("an index of memory");
        (small(block / per_group), small(block % per_group))
    }
}

fn is_missing(slot: &[u8]) -> bool {
    slot.iter().all(|byte| *byte == 0)
}
