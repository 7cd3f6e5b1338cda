//! Directory entries: `struct ext4_dir_entry_2`, and the tail that holds a directory block's
//! checksum.
//!
//! Kernel documentation, `filesystems/ext4/directory.rst`, "Linear (Classic) Directories".

use image_tree::Kind;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Checksum;

/// `file_type` of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub(crate) struct FileType(pub(crate) u8);

impl FileType {
    /// Unknown: the type of an entry without an inode.
    pub(crate) const UNKNOWN: Self = Self(0);
    /// A regular file.
    pub(crate) const REG_FILE: Self = Self(1);
    /// A directory.
    pub(crate) const DIR: Self = Self(2);
    /// A character device.
    pub(crate) const CHRDEV: Self = Self(3);
    /// A block device.
    pub(crate) const BLKDEV: Self = Self(4);
    /// A named pipe.
    pub(crate) const FIFO: Self = Self(5);
    /// A socket.
    pub(crate) const SOCK: Self = Self(6);
    /// A symbolic link.
    pub(crate) const SYMLINK: Self = Self(7);
    /// Not a file: the entry is a checksum tail (`det_reserved_ft`).
    pub(crate) const DIR_CSUM: Self = Self(0xDE);

    /// Returns the type of an entry for a file of this kind.
    pub(crate) fn of<C>(kind: &Kind<C>) -> Self {
        match kind {
            Kind::Regular(_) => Self::REG_FILE,
            Kind::Directory(_) => Self::DIR,
            Kind::CharacterDevice(_) => Self::CHRDEV,
            Kind::BlockDevice(_) => Self::BLKDEV,
            Kind::Fifo => Self::FIFO,
            Kind::Socket => Self::SOCK,
            Kind::Symlink(_) => Self::SYMLINK,
        }
    }
}

/// The fields before the name in a directory entry.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirEntry2 {
    /// The inode number; 0 if the entry is unused.
    pub(crate) inode: U32,
    /// The number of bytes from this entry to the next, a multiple of 4. The last entry extends to
    /// the tail.
    pub(crate) rec_len: U16,
    /// The length of the name in bytes: 1 to 255, 0 in an unused entry.
    pub(crate) name_len: u8,
    /// The file type of the inode.
    pub(crate) file_type: FileType,
}
const _: () = assert!(size_of::<DirEntry2>() == 8);

/// One name in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'t> {
    /// The name: 1 to 255 bytes; neither `.` nor `..`.
    pub(crate) name: &'t [u8],
    /// The inode number.
    pub(crate) inode: u32,
    /// The file type of the inode.
    pub(crate) file_type: FileType,
}

impl Entry<'_> {
    /// Returns the minimum length of the entry in bytes.
    pub(crate) fn rec_len(&self) -> usize {
        rec_len(self.name.len())
    }
}

/// `struct ext4_dir_entry_tail`: the last 12 bytes of a block of entries, disguised as an unused
/// entry.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirEntryTail {
    /// Always 0, in the place of the inode number.
    pub(crate) det_reserved_zero1: U32,
    /// Always 12.
    pub(crate) det_rec_len: U16,
    /// Always 0, in the place of the name length.
    pub(crate) det_reserved_zero2: u8,
    /// Always [`FileType::DIR_CSUM`].
    pub(crate) det_reserved_ft: FileType,
    /// Checksum of the block up to this tail, chained to the directory's inode.
    pub(crate) det_checksum: U32,
}
const _: () = assert!(size_of::<DirEntryTail>() == 12);

/// The length of a tail in bytes.
pub(crate) const TAIL_LEN: usize = size_of::<DirEntryTail>();

/// The length of the entry `.` and of the entry `..`, in bytes.
pub(crate) const DOT_REC_LEN: usize = rec_len(2);

/// Returns the minimum `rec_len` of an entry with a name of `name_len` bytes: entries start at
/// multiples of 4.
pub(crate) const fn rec_len(name_len: usize) -> usize {
    (size_of::<DirEntry2>() + name_len).next_multiple_of(4)
}

/// The format of the blocks of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirBlock {
    /// The block size: 1024, 2048 or 4096 bytes.
    pub(crate) len: usize,
    /// True if each block ends with a checksum.
    pub(crate) has_checksum: bool,
}

impl DirBlock {
    /// Returns the number of bytes for entries: all except the tail.
    pub(crate) const fn capacity(self) -> usize {
        if self.has_checksum { self.len - TAIL_LEN } else { self.len }
    }
}

/// Writes an entry that fills `out`, which is zeroed.
///
/// # Panics
/// Panics if `out` is shorter than the entry or 64 KiB or longer: the plan is wrong then.
pub(crate) fn write_entry(out: &mut [u8], inode: u32, file_type: FileType, name: &[u8]) {
    let header = DirEntry2 {
        inode: U32::new(inode),
        rec_len: U16::new(u16::try_from(out.len()).expect("blocks are smaller than 64 KiB")),
        name_len: u8::try_from(name.len()).expect("a name has at most 255 bytes"),
        file_type,
    };
    let (head, rest) = out.split_at_mut(size_of::<DirEntry2>());
    head.copy_from_slice(header.as_bytes());
    rest[..name.len()].copy_from_slice(name);
}

/// Fills `room` with entries: the last one, or an unused one if there are none, extends to its end.
///
/// # Panics
/// Panics if they do not fit: the plan is wrong then.
pub(crate) fn write_entries(mut room: &mut [u8], entries: &[Entry<'_>]) {
    let Some((last, others)) = entries.split_last() else {
        write_entry(room, 0, FileType::UNKNOWN, b"");
        return;
    };
    for entry in others {
        let (own, rest) = room.split_at_mut(entry.rec_len());
        write_entry(own, entry.inode, entry.file_type, entry.name);
        room = rest;
    }
    write_entry(room, last.inode, last.file_type, last.name);
}

/// Writes the tail of a finished block of entries, if it has one. `seed` is the checksum seed of
/// the directory's inode.
pub(crate) fn write_tail(block: &mut [u8], seed: Checksum) {
    if !seed.exists() {
        return;
    }
    let (entries, tail) = block.split_at_mut(block.len() - TAIL_LEN);
    let fields = DirEntryTail {
        det_reserved_zero1: U32::ZERO,
        det_rec_len: U16::new(12),
        det_reserved_zero2: 0,
        det_reserved_ft: FileType::DIR_CSUM,
        det_checksum: U32::new(seed.update(entries).value()),
    };
    tail.copy_from_slice(fields.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_padded_to_multiples_of_four() {
        assert_eq!([1, 4, 5, 8, 255].map(rec_len), [12, 12, 16, 16, 264]);
        assert_eq!(DOT_REC_LEN, 12);
    }

    #[test]
    fn an_entry_has_its_known_bytes() {
        let mut out = [0; 16];
        write_entry(&mut out, 0x0102_0304, FileType::SYMLINK, b"mtab");
        assert_eq!(&out, b"\x04\x03\x02\x01\x10\x00\x04\x07mtab\0\0\0\0");
    }

    #[test]
    fn a_tail_has_its_known_bytes() {
        let mut block = [0; 1024];
        write_tail(&mut block, Checksum::START);
        assert_eq!(block[1012..1020], *b"\0\0\0\0\x0c\0\0\xde");
        assert_eq!(block[1020..], Checksum::START.update(&[0; 1012]).value().to_le_bytes());
    }
}
