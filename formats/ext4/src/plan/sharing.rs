//! Files that have the blocks of another (`RO_COMPAT_SHARED_BLOCKS`).

use std::collections::BTreeMap;

use image_tree::{Content, InodeId, Kind, Tree};

use super::inline;
use super::inodes::Inodes;
use crate::error::{Error, Unshareable};
use crate::options::Options;

/// Which files have the blocks of an earlier one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sharing {
    /// By inode number of the later file: that of the first.
    first: BTreeMap<u32, u32>,
}

impl Sharing {
    /// Checks what the caller says, file by file.
    ///
    /// # Errors
    /// When two files cannot share blocks, or the filesystem has a feature that is for writing.
    pub(crate) fn of<C: Content>(
        tree: &Tree<C>,
        inodes: &Inodes,
        options: &Options,
        shared: &BTreeMap<InodeId, InodeId>,
    ) -> Result<Self, Error> {
        // A journal is not refused: a mount for reading may ask for it with `data=`, and finds it empty.
        if !shared.is_empty() && (options.features.resize_inode || options.features.orphan_file) {
            return Err(Error::Conflict {
                what: "files that share blocks",
                with: "resize_inode and orphan_file, as no kernel writes to a filesystem that has such files",
                way_out: "leave both features out, as the profiles kata and ro-min do, or share no blocks",
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
            // What may lie in an inode is not shared, as xattrs can leave one of two files room for it and not the other.
            let may_be_inline = options.features.inline_data && content.len() <= inline::MAX_LEN as u64;
            if !content.is_empty() && !may_be_inline {
                sharing.first.insert(number, first_number);
            }
        }
        Ok(sharing)
    }

    /// Whether a file, by inode number, has no blocks of its own.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.first.contains_key(&number)
    }

    /// Keeps the files that have the blocks of one for which `keep` holds.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.first.retain(|_, first| keep(*first));
    }

    /// Whether no file shares blocks.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Each file without blocks of its own, and the file whose blocks it has, by inode number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.first.iter().map(|(later, first)| (*later, *first))
    }
}
