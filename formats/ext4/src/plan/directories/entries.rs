//! The entries of a directory.

use image_tree::{InodeId, Tree};

use crate::ondisk::dir_entry::{Entry, FileType};
use crate::ondisk::inode::FIRST_INO;
use crate::plan::inodes::{Inodes, LOST_AND_FOUND};

/// Returns the entries of a directory by name, with `lost+found` if the filesystem adds it.
pub(crate) fn entries<'t, C>(tree: &'t Tree<C>, inodes: &Inodes, id: InodeId) -> Vec<Entry<'t>> {
    let names = tree.entries(id).into_iter().flatten();
    let mut entries: Vec<_> = names
        .map(|(name, child)| Entry {
            name: name.as_bytes(),
            inode: inodes.number(*child),
            file_type: FileType::of(&tree.get(*child).kind),
        })
        .collect();
    if id == InodeId::ROOT && !inodes.has_own_lost_and_found() {
        let position = entries.partition_point(|entry| entry.name < LOST_AND_FOUND);
        let entry = Entry { name: LOST_AND_FOUND, inode: FIRST_INO, file_type: FileType::DIR };
        entries.insert(position, entry);
    }
    entries
}
