//! One header block: ustar of POSIX.1-1988, its variants by GNU and star, and the older V7.
//!
//! ```text
//!   0 name[100] mode[8] uid[8] gid[8] size[12] mtime[12] chksum[8] typeflag linkname[100]      V7
//! 257 magic[6] version[2] uname[32] gname[32] devmajor[8] devminor[8] prefix[155]              ustar
//! 257 "ustar  \0"  …  345 atime[12] ctime[12] offset[12] longnames[4] - sparse[4×24] isextended realsize[12]   GNU
//! 257 "ustar\0"    …  345 prefix[131] atime[12] ctime[12] - "tar\0"                            star
//! ```

use super::error::Problem;

/// Headers and payloads take whole blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// A header block.
#[derive(Clone, Copy)]
pub(super) struct Header(pub(super) [u8; BLOCK]);

/// The format of the header, which determines the layout behind the first 257 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFormat {
    V7,
    Ustar,
    Star,
    Gnu,
}

/// `typeflag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TypeFlag(pub(super) u8);

impl TypeFlag {
    pub(super) const REGULAR: Self = Self(b'0');
    pub(super) const V7_REGULAR: Self = Self(0);
    pub(super) const HARD_LINK: Self = Self(b'1');
    pub(super) const SYMLINK: Self = Self(b'2');
    pub(super) const CHARACTER_DEVICE: Self = Self(b'3');
    pub(super) const BLOCK_DEVICE: Self = Self(b'4');
    pub(super) const DIRECTORY: Self = Self(b'5');
    pub(super) const FIFO: Self = Self(b'6');
    pub(super) const CONTIGUOUS: Self = Self(b'7');
    /// Records for the next header.
    pub(super) const EXTENDED: Self = Self(b'x');
    /// The same of Solaris, older than that of POSIX.
    pub(super) const SOLARIS_EXTENDED: Self = Self(b'X');
    /// Records for all headers from here on.
    pub(super) const GLOBAL: Self = Self(b'g');
    /// A GNU directory with a list of its former contents.
    pub(super) const DUMP_DIRECTORY: Self = Self(b'D');
    /// A GNU link target for the next header.
    pub(super) const LONG_LINK: Self = Self(b'K');
    /// A GNU name for the next header.
    pub(super) const LONG_NAME: Self = Self(b'L');
    /// The continuation of a file that began in another volume.
    pub(super) const CONTINUED: Self = Self(b'M');
    /// A GNU sparse file.
    pub(super) const SPARSE: Self = Self(b'S');
    /// The name of the archive.
    pub(super) const VOLUME_LABEL: Self = Self(b'V');
}

/// The place of a number, in bytes, and its name in messages.
#[derive(Clone, Copy)]
pub(super) struct Field {
    at: usize,
    len: usize,
    name: &'static str,
}

impl Field {
    const fn new(at: usize, len: usize, name: &'static str) -> Self {
        Self { at, len, name }
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }
}

pub(super) const MODE: Field = Field::new(100, 8, "mode");
pub(super) const UID: Field = Field::new(108, 8, "uid");
pub(super) const GID: Field = Field::new(116, 8, "gid");
pub(super) const SIZE: Field = Field::new(124, 12, "size");
pub(super) const MTIME: Field = Field::new(136, 12, "mtime");
const CHECKSUM: Field = Field::new(148, 8, "chksum");
pub(super) const DEVICE_MAJOR: Field = Field::new(329, 8, "devmajor");
pub(super) const DEVICE_MINOR: Field = Field::new(337, 8, "devminor");
pub(super) const REAL_SIZE: Field = Field::new(483, 12, "realsize");

/// The offset of GNU's map in a header, in bytes, and the number of its entries there.
pub(super) const SPARSE_IN_HEADER: (usize, usize) = (386, 4);
/// The same in a block behind the header.
pub(super) const SPARSE_IN_EXTENSION: (usize, usize) = (0, 21);
/// The offset in a header of the flag that such a block follows, in bytes.
pub(super) const IS_EXTENDED_IN_HEADER: usize = 482;
/// The offset of that flag in such a block, in bytes.
pub(super) const IS_EXTENDED_IN_EXTENSION: usize = 504;

impl Header {
    /// Returns true if all bytes of the block are zero, as in the two at an archive's end.
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Fails unless the checksum is right: the sum of all bytes with spaces in its own place. Some
    /// old programs summed signed bytes.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let stated = self.number(CHECKSUM).map_err(|_| Problem::NotAHeader)?;
        let own = CHECKSUM.at..CHECKSUM.at + CHECKSUM.len;
        let bytes =
            || self.0.iter().enumerate().map(|(at, byte)| if own.contains(&at) { b' ' } else { *byte });
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        if stated == unsigned || stated == signed {
            return Ok(());
        }
        Err(Problem::Checksum { stated, computed: unsigned })
    }

    pub(super) fn format(&self) -> HeaderFormat {
        match (&self.0[257..265], &self.0[508..512]) {
            (b"ustar  \0", _) => HeaderFormat::Gnu,
            ([b'u', b's', b't', b'a', b'r', 0, ..], b"tar\0") => HeaderFormat::Star,
            ([b'u', b's', b't', b'a', b'r', 0, ..], _) => HeaderFormat::Ustar,
            _ => HeaderFormat::V7,
        }
    }

    pub(super) fn type_flag(&self) -> TypeFlag {
        TypeFlag(self.0[156])
    }

    /// Returns the path, with the start of a long one from `prefix`.
    pub(super) fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        let prefix = match self.format() {
            HeaderFormat::V7 | HeaderFormat::Gnu => &[],
            HeaderFormat::Ustar => until_nul(&self.0[345..500]),
            HeaderFormat::Star => until_nul(&self.0[345..476]),
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(super) fn link_name(&self) -> Vec<u8> {
        until_nul(&self.0[157..257]).to_vec()
    }

    /// Returns the names of the user and the group; empty ones in V7 and where there are none.
    pub(super) fn owner_names(&self) -> (&[u8], &[u8]) {
        match self.format() {
            HeaderFormat::V7 => (&[], &[]),
            _ => (until_nul(&self.0[265..297]), until_nul(&self.0[297..329])),
        }
    }

    /// Returns the number in a field.
    pub(super) fn number(&self, field: Field) -> Result<i64, Problem> {
        let bytes = &self.0[field.at..field.at + field.len];
        number(bytes).ok_or_else(|| Problem::Number { field: field.name, bytes: bytes.to_vec() })
    }
}

/// Returns the entry of one of GNU's maps at an offset of a block; `None` ends the map.
pub(super) fn sparse_entry(block: &[u8; BLOCK], at: usize) -> Result<Option<(i64, i64)>, Problem> {
    let (offset, len) = (&block[at..at + 12], &block[at + 12..at + 24]);
    if len[0] == 0 {
        return Ok(None);
    }
    let parse = |bytes: &[u8]| {
        number(bytes).ok_or_else(|| Problem::Number { field: "sparse", bytes: bytes.to_vec() })
    };
    Ok(Some((parse(offset)?, parse(len)?)))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Parses octal digits among spaces and NULs, or 0 without any digits; if the first bit is set, a
/// big-endian number in two's complement in the bits behind that one.
fn number(bytes: &[u8]) -> Option<i64> {
    let first = *bytes.first()?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        let head = if negative { first } else { first & 0x3f };
        let start = i128::from(head.cast_signed());
        // Eleven more bytes can exceed an i128, so the sum is checked.
        let value = bytes[1..]
            .iter()
            .try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(i128::from(*byte)))?;
        return i64::try_from(value).ok();
    }
    let padding = |byte: &u8| matches!(*byte, b' ' | 0);
    let start = bytes.iter().position(|byte| !padding(byte)).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let end = digits.iter().position(padding).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if !rest.iter().all(padding) {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_numbers_in_octal_and_base_256() {
        let cases: [(&[u8], Option<i64>); 18] = [
            (b"0000644\0", Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"644     ", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"77777777", Some(0o7777_7777)),
            (b"777777777777", Some(0o777_777_777_777)),
            (b"8", None),
            (b"-1", None),
            (b"6 4 ", None),
            (b"0x10", None),
            (b"\x80\0\0\0\0\0\0\x01", Some(1)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Some(i64::MIN)),
            (b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\xc0\0\0\0\0\0\0\0\0\0\0\0", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(number(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn accepts_checksums_of_signed_and_unsigned_bytes() {
        let mut header = Header([0; BLOCK]);
        header.0[0] = 0xff;
        for (sum, right) in [(0xff + 8 * 32, true), (8 * 32 - 1, true), (8 * 32, false)] {
            header.0[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert_eq!(header.check().is_ok(), right, "{sum}");
        }
        header.0[148..156].copy_from_slice(b"no sum!!");
        assert!(matches!(header.check(), Err(Problem::NotAHeader)));
    }
}
