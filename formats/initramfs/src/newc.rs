//! The header of an entry: 110 bytes.
//!
//! ```text
//! 0        6       14       22      30      38        46        54           62 …
//! ├ c_magic ┼ c_ino ┼ c_mode ┼ c_uid ┼ c_gid ┼ c_nlink ┼ c_mtime ┼ c_filesize ┼
//!
//!            62           70           78            86            94          102       110
//!          … ┼ c_devmajor ┼ c_devminor ┼ c_rdevmajor ┼ c_rdevminor ┼ c_namesize ┼ c_check ┤
//! ```
//!
//! `c_magic` is `070701`, or `070702` if `c_check` is used; every other field is eight hexadecimal
//! digits. Then comes the name with its NUL, zeros up to a multiple of 4 bytes, the data, and zeros
//! up to a multiple of 4 bytes again. The kernel describes it in
//! `Documentation/driver-api/early-userspace/buffer-format.rst`.

use zerocopy::{FromBytes, IntoBytes, transmute};

/// The length of a header, in bytes.
pub(crate) const HEADER_LEN: usize = 110;

/// The longest name, in bytes with its NUL: the kernel skips an entry with a longer one.
pub(crate) const PATH_MAX: u32 = 4096;

/// The name that ends an archive.
pub(crate) const TRAILER: &[u8] = b"TRAILER!!!";

/// The alignment of every part of an entry, in bytes.
pub(crate) const PADDED_TO: u64 = 4;

/// `S_IFMT` of `c_mode`.
pub(crate) const S_IFMT: u32 = 0o170_000;
/// A regular file.
pub(crate) const S_IFREG: u32 = 0o100_000;
/// A directory.
pub(crate) const S_IFDIR: u32 = 0o040_000;
/// A symbolic link, which has its target as data.
pub(crate) const S_IFLNK: u32 = 0o120_000;
/// A character device.
pub(crate) const S_IFCHR: u32 = 0o020_000;
/// A block device.
pub(crate) const S_IFBLK: u32 = 0o060_000;
/// A named pipe.
pub(crate) const S_IFIFO: u32 = 0o010_000;
/// A socket.
pub(crate) const S_IFSOCK: u32 = 0o140_000;

/// The fields in their order, except `c_magic`. They are numbers in memory, and text in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes)]
#[repr(C)]
pub(crate) struct Header {
    /// The inode number: entries with equal `c_ino`, `c_devmajor` and `c_devminor` are hard links
    /// if `c_nlink` is more than 1.
    pub(crate) c_ino: u32,
    /// `st_mode`: type and permissions.
    pub(crate) c_mode: u32,
    /// Owner.
    pub(crate) c_uid: u32,
    /// Group.
    pub(crate) c_gid: u32,
    /// The number of names of the file.
    pub(crate) c_nlink: u32,
    /// Seconds since 1970.
    pub(crate) c_mtime: u32,
    /// The length of the data, in bytes.
    pub(crate) c_filesize: u32,
    /// The number of the device that contained the file.
    pub(crate) c_devmajor: u32,
    /// The number of the device that contained the file.
    pub(crate) c_devminor: u32,
    /// The number of a device file.
    pub(crate) c_rdevmajor: u32,
    /// The number of a device file.
    pub(crate) c_rdevminor: u32,
    /// The length of the name with its NUL, in bytes.
    pub(crate) c_namesize: u32,
    /// The sum of the bytes of data, modulo 2³², if the magic is `070702`.
    pub(crate) c_check: u32,
}

/// The magic: the first six bytes of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Magic {
    /// `070701`.
    Newc,
    /// `070702`.
    Crc,
}

/// An error in the bytes of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAHeader {
    /// The first six bytes are not a magic.
    Magic,
    /// A byte of a field is not a hexadecimal digit; the value is its offset in the header.
    Digit(usize),
}

impl Magic {
    fn bytes(self) -> [u8; 6] {
        match self {
            Self::Newc => *b"070701",
            Self::Crc => *b"070702",
        }
    }
}

impl Header {
    /// The header of the entry that ends an archive.
    pub(crate) fn trailer() -> Self {
        let c_namesize = u32::try_from(TRAILER.len() + 1).expect("11");
        Self { c_nlink: 1, c_namesize, ..Self::default() }
    }

    /// Appends the header's bytes.
    pub(crate) fn write(&self, magic: Magic, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let before = out.len();
        out.extend(magic.bytes());
        let fields: [u32; 13] = transmute!(*self);
        for field in fields {
            for shift in (0..8).rev() {
                out.push(DIGITS[(field >> (4 * shift) & 0xf) as usize]);
            }
        }
        debug_assert_eq!(out.len() - before, HEADER_LEN);
    }

    /// Reads a header.
    pub(crate) fn parse(bytes: &[u8; HEADER_LEN]) -> Result<(Magic, Self), NotAHeader> {
        let (start, rest) = bytes.split_at(6);
        let magic = [Magic::Newc, Magic::Crc].into_iter().find(|magic| magic.bytes() == start);
        let magic = magic.ok_or(NotAHeader::Magic)?;
        let mut fields = [0_u32; 13];
        for (index, (field, digits)) in fields.iter_mut().zip(rest.chunks_exact(8)).enumerate() {
            for (at, digit) in digits.iter().enumerate() {
                let value = char::from(*digit).to_digit(16).ok_or(NotAHeader::Digit(6 + index * 8 + at))?;
                *field = *field << 4 | value;
            }
        }
        Ok((magic, transmute!(fields)))
    }
}

/// Returns the number of zero bytes that pad a part that ends at `len`.
pub(crate) fn padding(len: u64) -> u64 {
    len.wrapping_neg() % PADDED_TO
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of an archive as written by GNU cpio 2.13, without the zeros that fill its last
    /// block.
    const GNU_TRAILER: &[u8] = b"07070100000000000000000000000000000000000000010000000000000000\
        000000000000000000000000000000000000000B00000000TRAILER!!!\0\0\0\0";

    #[test]
    fn the_trailer_equals_that_of_gnu_cpio() {
        let mut bytes = Vec::new();
        Header::trailer().write(Magic::Newc, &mut bytes);
        bytes.extend(TRAILER);
        bytes.resize(GNU_TRAILER.len(), 0);
        assert_eq!(bytes.escape_ascii().to_string(), GNU_TRAILER.escape_ascii().to_string());
    }

    #[test]
    fn every_field_is_at_its_offset_and_parses_back() {
        let fields: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xdead_beef];
        let header: Header = transmute!(fields);
        assert_eq!((header.c_ino, header.c_mode, header.c_mtime, header.c_filesize), (1, 2, 6, 7));
        assert_eq!((header.c_rdevmajor, header.c_namesize, header.c_check), (10, 12, 0xdead_beef));
        for magic in [Magic::Newc, Magic::Crc] {
            let mut bytes = Vec::new();
            header.write(magic, &mut bytes);
            assert_eq!(&bytes[54..62], b"00000007");
            assert_eq!(&bytes[94..], b"0000000CDEADBEEF");
            let bytes: [u8; HEADER_LEN] = bytes.try_into().expect("a header has 110 bytes");
            assert_eq!(Header::parse(&bytes), Ok((magic, header)));
        }
    }

    #[test]
    fn invalid_headers_are_rejected() {
        let mut bytes = Vec::new();
        Header::trailer().write(Magic::Newc, &mut bytes);
        let bytes: [u8; HEADER_LEN] = bytes.try_into().expect("a header has 110 bytes");
        let with = |at: usize, byte: u8| {
            let mut other = bytes;
            other[at] = byte;
            Header::parse(&other)
        };
        assert_eq!(with(5, b'3'), Err(NotAHeader::Magic));
        assert_eq!(with(6, b'x'), Err(NotAHeader::Digit(6)));
        assert_eq!(with(109, b' '), Err(NotAHeader::Digit(109)));
        assert!(with(109, b'f').is_ok() && with(109, b'F').is_ok());
    }

    #[test]
    fn padding_is_up_to_the_next_multiple() {
        assert_eq!([0, 1, 2, 3, 4, u64::MAX].map(padding), [0, 3, 2, 1, 0, 1]);
    }
}
