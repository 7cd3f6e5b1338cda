//! Blocks of directories (`struct erofs_dirent`).
//!
//! ```text
//! {nid u64, nameoff u16, file_type u8, 0 u8} … in the order of names │ name name name … │ zeros
//! ```

use image_tree::FileType;
use zerocopy::little_endian::{U16, U64};
use zerocopy::{Immutable, IntoBytes};

/// The length of an entry without its name, in bytes.
pub(crate) const LEN: usize = size_of::<Dirent>();

#[derive(Immutable, IntoBytes)]
#[repr(C)]
struct Dirent {
    nid: U64,
    nameoff: U16,
    file_type: u8,
    reserved: u8,
}

/// An entry to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'n> {
    pub(crate) nid: u64,
    pub(crate) file_type: FileType,
    pub(crate) name: &'n [u8],
}

/// Writes the entries of one block.
///
/// # Panics
/// Panics if they do not fit.
pub(crate) fn write_block<'n>(entries: impl ExactSizeIterator<Item = Entry<'n>>, out: &mut [u8]) {
    let mut nameoff = entries.len() * LEN;
    for (index, entry) in entries.enumerate() {
        let dirent = Dirent {
            nid: entry.nid.into(),
            nameoff: u16::try_from(nameoff).expect("blocks have at most 64 KiB").into(),
            file_type: number(entry.file_type),
            reserved: 0,
        };
        out[index * LEN..][..LEN].copy_from_slice(dirent.as_bytes());
        out[nameoff..][..entry.name.len()].copy_from_slice(entry.name);
        nameoff += entry.name.len();
    }
}

/// Returns the number of a file type, as in `EXT4_FT_*`.
const fn number(file_type: FileType) -> u8 {
    match file_type {
        FileType::Regular => 1,
        FileType::Directory => 2,
        FileType::CharacterDevice => 3,
        FileType::BlockDevice => 4,
        FileType::Fifo => 5,
        FileType::Socket => 6,
        FileType::Symlink => 7,
    }
}
