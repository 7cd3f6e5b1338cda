//! Files that share the blocks of another.

use std::collections::BTreeMap;

use image_tree::{Content, InodeId, Kind, Tree};

use super::inodes::Inodes;
use crate::error::{Error, Unshareable};

/// The files that share the blocks of an earlier one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sharing {
    /// The inode number of the first file, by that of the later file.
    first: BTreeMap<u32, u32>,
    /// The inode numbers of the later files, by that of the first.
    later: BTreeMap<u32, Vec<u32>>,
}

impl Sharing {
    /// Checks the pairs of files given by the caller.
    ///
    /// # Errors
    /// Returns an error if two files cannot share blocks.
    pub(crate) fn of<C: Content>(
        tree: &Tree<C>,
        inodes: &Inodes,
        shared: &BTreeMap<InodeId, InodeId>,
    ) -> Result<Self, Error> {
        let mut sharing = Self::default();
        for (later, first) in shared {
            let refuse = |reason| Error::Unshareable {
                path: tree.path_of(*later),
                with: tree.path_of(*first),
                reason,
            };
            let (Kind::Regular(content), Kind::Regular(of_first)) =
                (&tree.get(*later).kind, &tree.get(*first).kind)
            else {
                return Err(refuse(Unshareable::NotRegular));
            };
            if content.len() != of_first.len() {
                return Err(refuse(Unshareable::Length { len: content.len(), with_len: of_first.len() }));
            }
            match (inodes.number(*later), inodes.number(*first)) {
                (Some(later), Some(number)) if number < later && !shared.contains_key(first) => {
                    sharing.first.insert(later, number);
                }
                _ => return Err(refuse(Unshareable::NotFirst)),
            }
        }
        for (later, first) in &sharing.first {
            sharing.later.entry(*first).or_default().push(*later);
        }
        Ok(sharing)
    }

    /// Returns the first file with the data of a file, by inode number; `None` if that is the file
    /// itself.
    pub(crate) fn first(&self, number: u32) -> Option<u32> {
        self.first.get(&number).copied()
    }

    /// Returns the later files with the data of a first one, by inode number.
    pub(crate) fn later(&self, first: u32) -> &[u32] {
        self.later.get(&first).map_or(&[], Vec::as_slice)
    }
}
