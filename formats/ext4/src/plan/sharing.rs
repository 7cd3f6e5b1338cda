//! Files that share the blocks of another (`RO_COMPAT_SHARED_BLOCKS`).

use std::collections::BTreeMap;

use image_tree::{Content, InodeId, Kind, Tree};

use super::attributes::inline;
use super::inodes::Inodes;
use crate::error::{Error, Unshareable};
use crate::options::Options;

/// The files that share the blocks of an earlier one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sharing {
    /// The inode number of the first file, by that of the later file.
    first: BTreeMap<u32, u32>,
}

impl Sharing {
    /// Checks the pairs of files given by the caller.
    ///
    /// # Errors
    /// Returns an error if two files cannot share blocks, or the filesystem has a feature that
    /// requires writes.
    pub(crate) fn of<C: Content>(
        tree: &Tree<C>,
        inodes: &Inodes,
        options: &Options,
        shared: &BTreeMap<InodeId, InodeId>,
    ) -> Result<Self, Error> {
        // A journal is allowed: a read-only mount with `data=` requires one, and finds it empty.
        if !shared.is_empty() && (options.features.resize_inode || options.features.orphan_file) {
            return Err(Error::Conflict {
                what: "files that share blocks",
                with: "resize_inode and orphan_file, as no kernel writes to a filesystem that has such files",
                remedy: "leave both features out, as the profile ro-min does, or share no blocks",
            });
        }
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
            let (number, first_number) = (inodes.number(*later), inodes.number(*first));
            if first_number == 0 || first_number >= number || shared.contains_key(first) {
                return Err(refuse(Unshareable::NotFirst));
            }
            // Possible inline data is not shared, because xattrs can leave space for it in one of
            // two files and not in the other.
            let may_be_inline = options.features.inline_data && content.len() <= inline::MAX_LEN as u64;
            if !content.is_empty() && !may_be_inline {
                sharing.first.insert(number, first_number);
            }
        }
        Ok(sharing)
    }

    /// Returns true if a file, by inode number, shares the blocks of another.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.first.contains_key(&number)
    }

    /// Keeps only files that share the blocks of one for which `keep` returns true.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.first.retain(|_, first| keep(*first));
    }

    /// Returns true if no file shares blocks.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Iterates over the files that share blocks, each with the file whose blocks it has, by inode
    /// number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.first.iter().map(|(later, first)| (*later, *first))
    }
}
