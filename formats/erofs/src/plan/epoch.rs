//! The time of the superblock, which compact inodes have.

use std::collections::BTreeMap;

use image_tree::{Timestamp, Tree};

use super::inodes::{Inode, Inodes};

/// Chooses the most frequent time of the inodes that fit 32 bytes otherwise, the earliest of several,
/// and gives all other inodes 64 bytes.
pub(crate) fn choose<C>(tree: &Tree<C>, inodes: &mut Inodes) -> Timestamp {
    let mut counts: BTreeMap<Timestamp, u32> = BTreeMap::new();
    for inode in inodes.all().filter(|inode| fits_compact(tree, inode)) {
        *counts.entry(tree.get(inode.id).metadata.mtime).or_default() += 1;
    }
    let most = counts.iter().rev().max_by_key(|(_, count)| **count);
    let epoch = most.map_or(Timestamp::EPOCH, |(time, _)| *time);
    for inode in inodes.all_mut() {
        inode.extended = !fits_compact(tree, inode) || tree.get(inode.id).metadata.mtime != epoch;
    }
    epoch
}

/// Returns true if everything but the time fits an inode of 32 bytes.
fn fits_compact<C>(tree: &Tree<C>, inode: &Inode) -> bool {
    let metadata = &tree.get(inode.id).metadata;
    u32::try_from(inode.size).is_ok()
        && [metadata.uid, metadata.gid, inode.nlink].iter().all(|value| u16::try_from(*value).is_ok())
}
