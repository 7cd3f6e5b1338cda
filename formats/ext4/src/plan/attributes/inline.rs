//! Inline data (`filesystems/ext4/ifork.rst`, "Inline Data").
//!
//! ```text
//! file, symlink:  i_block [0..60] its first bytes          │ system.data  the bytes after them
//! directory:      i_block [0..4]  the parent's number      │ system.data  entries
//!                 i_block [4..60] entries, without dots    │
//! ```
//!
//! Each part of a directory is like a separate block: its last entry extends to its end. Empty
//! files, the root and `lost+found` do not have inline data, as in filesystems of the kernel and
//! mke2fs; nor do symlinks with an xattr block, which e2fsck would not find.

use image_tree::{Content, InodeId, Kind, Tree};

use super::xattrs::max_inline_value_len;
use crate::error::Error;
use crate::ondisk::dir_entry::{Entry, rec_len, write_entries};
use crate::ondisk::inode::{FAST_SYMLINK_MAX, FIRST_INO, IN_INODE_XATTR_SPACE};
use crate::plan::directories::entries::entries;
use crate::plan::inodes::Inodes;

/// The number of bytes of data in `i_block` (`EXT4_MIN_INLINE_DATA_SIZE`).
pub(crate) const I_BLOCK_LEN: usize = 60;
/// The size of the parent's inode number in bytes (`EXT4_INLINE_DOTDOT_SIZE`).
const DOTDOT_LEN: usize = 4;
/// The number of bytes for entries in `i_block`.
const FIRST_PART_LEN: usize = I_BLOCK_LEN - DOTDOT_LEN;
/// The maximum length of inline data in an inode without other xattrs, in bytes.
pub(crate) const MAX_LEN: usize = I_BLOCK_LEN + max_inline_value_len(IN_INODE_XATTR_SPACE);
/// An upper limit of the number of entries of an inline directory.
const MAX_ENTRIES: usize = MAX_LEN / rec_len(1);

/// The fields of an inode with inline data, except the value of `system.data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InlineData {
    /// The first bytes of the data.
    pub(crate) i_block: [u8; I_BLOCK_LEN],
    /// `i_size`: the length of all data. That of a directory is always at least 60.
    pub(crate) size: u64,
}

impl InlineData {
    /// Divides data into the part in `i_block` and the value of `system.data`.
    pub(crate) fn divide(data: &[u8]) -> (Self, &[u8]) {
        let (first, rest) = data.split_at(data.len().min(I_BLOCK_LEN));
        let mut i_block = [0; I_BLOCK_LEN];
        i_block[..first.len()].copy_from_slice(first);
        (Self { i_block, size: data.len() as u64 }, rest)
    }
}

/// Returns the data of a file of the tree if it can be inline, provided that xattrs leave space for
/// it.
///
/// # Errors
/// Returns an error if a file that is short enough cannot be read.
pub(crate) fn candidate<C: Content>(
    tree: &Tree<C>,
    inodes: &Inodes,
    id: InodeId,
) -> Result<Option<Vec<u8>>, Error> {
    match &tree.get(id).kind {
        Kind::Regular(content) => match usize::try_from(content.len()) {
            Ok(len @ 1..=MAX_LEN) => {
                let mut data = vec![0; len];
                content
                    .read_at(&mut data, 0)
                    .map_err(|source| Error::Content { path: tree.path_of(id), source })?;
                Ok(Some(data))
            }
            _ => Ok(None),
        },
        Kind::Symlink(target) => {
            let target = target.as_bytes();
            Ok((FAST_SYMLINK_MAX + 1..=MAX_LEN).contains(&target.len()).then(|| target.to_vec()))
        }
        // The root and lost+found have reserved numbers.
        Kind::Directory(names) if names.len() <= MAX_ENTRIES && inodes.number(id) > FIRST_INO => {
            Ok(directory(&entries(tree, inodes, id), inodes.parent(id), MAX_LEN))
        }
        _ => Ok(None),
    }
}

/// Returns the data of a directory with these entries, if it is at most `limit` bytes long. An
/// entry goes into the first part if it fits there after those before it, else into the second,
/// which is as long as its entries.
pub(crate) fn directory(entries: &[Entry<'_>], parent: u32, limit: usize) -> Option<Vec<u8>> {
    let mut left = FIRST_PART_LEN;
    let mut len = I_BLOCK_LEN;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for entry in entries {
        if entry.rec_len() <= left {
            left -= entry.rec_len();
            first.push(*entry);
        } else {
            len += entry.rec_len();
            second.push(*entry);
        }
        if len > limit {
            return None;
        }
    }
    let mut data = vec![0; len];
    let (i_block, value) = data.split_at_mut(I_BLOCK_LEN);
    let (dotdot, room) = i_block.split_at_mut(DOTDOT_LEN);
    dotdot.copy_from_slice(&parent.to_le_bytes());
    write_entries(room, &first);
    if !second.is_empty() {
        write_entries(value, &second);
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ondisk::dir_entry::FileType;

    fn entry(name: &'static [u8], inode: u32) -> Entry<'static> {
        Entry { name, inode, file_type: FileType::REG_FILE }
    }

    #[test]
    fn an_empty_inline_directory_has_its_known_bytes() {
        let mut expected = vec![0; 60];
        expected[..10].copy_from_slice(b"\x02\0\0\0\0\0\0\0\x38\0");
        assert_eq!(directory(&[], 2, 60), Some(expected));
    }

    #[test]
    fn entries_are_placed_where_they_fit() {
        // 24 and 24 bytes leave 8 in the first part: not enough for any entry.
        let entries = [entry(b"sixteen-bytes-aa", 13), entry(b"sixteen-bytes-bb", 14), entry(b"c", 15)];
        let data = directory(&entries, 2, 72).expect("72 bytes are enough");
        assert_eq!(data.len(), 72);
        assert_eq!(
            data[28..36],
            [14, 0, 0, 0, 32, 0, 16, 1],
            "the last entry reaches to the end of its part"
        );
        assert_eq!(data[60..], *b"\x0f\0\0\0\x0c\0\x01\x01c\0\0\0");
        assert_eq!(directory(&entries, 2, 71), None);

        // A long name does not prevent a short one after it from being in the first part.
        let entries =
            [entry(b"a", 13), entry(b"b-is-a-name-of-45-bytes-which-does-not-fit-45", 14), entry(b"c", 15)];
        let data = directory(&entries, 2, 128).expect("128 bytes are enough");
        assert_eq!(data[4..28], *b"\x0d\0\0\0\x0c\0\x01\x01a\0\0\0\x0f\0\0\0\x2c\0\x01\x01c\0\0\0");
        assert_eq!(data.len(), 60 + 56);
    }

    #[test]
    fn data_is_divided_at_60_bytes() {
        let data: Vec<u8> = (0..61).collect();
        let (inline, rest) = InlineData::divide(&data);
        assert_eq!((inline.i_block.as_slice(), inline.size, rest), (&data[..60], 61, &[60][..]));
        let (inline, rest) = InlineData::divide(b"short");
        assert_eq!((&inline.i_block[..6], inline.size, rest), (&b"short\0"[..], 5, &[][..]));
    }
}
