//! `/etc/ld.so.cache`: maps sonames to the files that glibc's dynamic linker opens.
//!
//! ```text
//! offset 0    "glibc-ld.so.cache" "1.1"
//!        20   nlibs, len_strings            u32 each
//!        28   flags                         2 little-endian, 3 big-endian; three bytes unused
//!        32   extension_offset              u32; 12 bytes unused
//!        48   nlibs entries of 24 bytes     flags, key, value, 0: u32 each; hwcap: u64
//!             strings                       each ends in NUL; one may be the end of another
//!             extension directory, aligned to 4: magic, count, and 16 bytes for each section
//!             glibc-hwcaps section          for each subdirectory's name its place, sorted by name
//!             generator section             what wrote the file
//! ```
//!
//! Numbers have the machine's byte order. Keys, values and names of subdirectories are offsets in
//! the file. The entries are sorted in descending order by [`compare`], for the dynamic linker's
//! binary search; among equal names the first whose flags fit wins, so those of subdirectories of
//! `glibc-hwcaps` precede the others.
//!
//! A tree that is reduced must have a cache for the rest: if the cached file of a name is missing,
//! the dynamic linker searches only its own directories, not those of `/etc/ld.so.conf`.

use std::cmp::Ordering;

use thiserror::Error;

mod abi;
mod read;
pub mod scan;
mod strings;

pub use abi::Abi;
use strings::StringTable;

/// The path of the cache.
pub const PATH: &[u8] = b"/etc/ld.so.cache";

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_LEN: usize = 48;
const ENTRY_LEN: usize = 24;
const LITTLE_ENDIAN: u8 = 2;
const BIG_ENDIAN: u8 = 3;

const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const EXTENSION_HEADER_LEN: usize = 8;
const SECTION_LEN: usize = 16;
const TAG_GENERATOR: u32 = 0;
const TAG_GLIBC_HWCAPS: u32 = 1;

/// A flag in `hwcap`: the low half is an index into the glibc-hwcaps section.
const HWCAP_EXTENSION: u64 = 1 << 62;
const ISA_LEVEL_SHIFT: u32 = 32;
/// The highest ISA level that an entry can record.
pub const MAX_ISA_LEVEL: u16 = 0x3ff;

/// A cache: its byte order, its generator and its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// True if the machine is big-endian.
    pub big_endian: bool,
    /// The generator string that `ldconfig -p` prints. May be empty.
    pub generator: Vec<u8>,
    /// The entries, in file order when read. Writing sorts them stably; of equal ones the first is
    /// found.
    pub entries: Vec<Entry>,
}

/// One library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name that programs request: the soname.
    pub name: Vec<u8>,
    /// The absolute path of the file.
    pub path: Vec<u8>,
    /// Type and architecture; see [`Abi::flags`].
    pub flags: u32,
    /// The subdirectory of `glibc-hwcaps` that contains it, if any.
    pub hwcaps: Option<Hwcaps>,
}

/// The processor requirements of a glibc-hwcaps variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hwcaps {
    /// The name of the subdirectory, such as `x86-64-v3`.
    pub subdirectory: Vec<u8>,
    /// The ISA level that its GNU properties require, up to [`MAX_ISA_LEVEL`]; 0 if none.
    pub isa_level: u16,
}

/// The reason why a cache cannot be written or read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CacheError {
    /// A string to write has a NUL byte, which would terminate it.
    #[error("\"{}\" has a NUL byte, which no name in ld.so.cache can have", .0.escape_ascii())]
    Nul(Vec<u8>),
    /// The ISA level to write is out of range.
    #[error("ISA level {0} is more than {MAX_ISA_LEVEL}, the highest that ld.so.cache can state")]
    IsaLevel(u16),
    /// The file would exceed the range of its 32-bit offsets.
    #[error("ld.so.cache would be 4 GiB long or more, which its 32-bit offsets cannot express")]
    TooLong,
    /// The file does not start with the magic number.
    #[error("ld.so.cache does not begin with \"glibc-ld.so.cache1.1\"")]
    Magic,
    /// An offset is beyond the end of the file, or a value is invalid.
    #[error("ld.so.cache is damaged: {0}")]
    Damaged(&'static str),
    /// The number of entries exceeds the limit.
    #[error("ld.so.cache has {0} entries; more than {MAX_ENTRIES} are not read")]
    TooMany(u32),
}

/// The maximum number of entries that are read. A whole distribution has some thousands.
pub const MAX_ENTRIES: u32 = 1 << 17;

impl Cache {
    /// Returns the bytes of the file, in the order that the dynamic linker's search requires.
    ///
    /// `abi` determines how the dynamic linker's processor compares bytes; the byte order is the
    /// cache's own.
    ///
    /// # Errors
    /// Returns an error if a string has a NUL byte, an ISA level is out of range, or the file would
    /// not fit 32-bit offsets.
    pub fn to_bytes(&self, abi: Abi) -> Result<Vec<u8>, CacheError> {
        self.check()?;
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by(|one, other| in_file_order(one, other, abi));
        let mut subdirectories: Vec<&[u8]> =
            entries.iter().filter_map(|entry| Some(&entry.hwcaps.as_ref()?.subdirectory[..])).collect();
        subdirectories.sort_unstable();
        subdirectories.dedup();
        let strings = StringTable::new(
            entries
                .iter()
                .flat_map(|entry| [&entry.name[..], &entry.path[..]])
                .chain(subdirectories.iter().copied()),
        );
        let strings_offset = HEADER_LEN + entries.len() * ENTRY_LEN;
        let extension_offset = (strings_offset + strings.len()).next_multiple_of(4);
        // The rest is shorter than the entries, so one check of the sum is enough.
        let rest = EXTENSION_HEADER_LEN + 2 * SECTION_LEN + 4 * subdirectories.len() + self.generator.len();
        u32::try_from(extension_offset + rest).map_err(|_| CacheError::TooLong)?;
        let place = |string: &[u8]| strings_offset + strings.offset(string);

        let mut out = Writer { bytes: Vec::with_capacity(extension_offset + rest), big: self.big_endian };
        out.header(entries.len(), strings.len(), extension_offset);
        for entry in entries {
            out.u32(entry.flags);
            out.len(place(&entry.name));
            out.len(place(&entry.path));
            out.u32(0);
            let hwcap = entry.hwcaps.as_ref().map_or(0, |hwcaps| {
                let index = subdirectories.binary_search(&&hwcaps.subdirectory[..]);
                let index = index.expect("every subdirectory is in the list");
                HWCAP_EXTENSION | u64::from(hwcaps.isa_level) << ISA_LEVEL_SHIFT | index as u64
            });
            out.u64(hwcap);
        }
        assert!(out.bytes.len() == strings_offset, "the strings are where the entries say");
        out.bytes.extend(strings.bytes());
        out.bytes.resize(extension_offset, 0);
        let subdirectories: Vec<usize> = subdirectories.into_iter().map(place).collect();
        out.extensions(&subdirectories, &self.generator);
        Ok(out.bytes)
    }

    fn check(&self) -> Result<(), CacheError> {
        for entry in &self.entries {
            let hwcaps = entry.hwcaps.as_ref();
            let subdirectory = hwcaps.map_or(&b""[..], |hwcaps| &hwcaps.subdirectory);
            if let Some(string) =
                [&entry.name[..], &entry.path, subdirectory].into_iter().find(|string| string.contains(&0))
            {
                return Err(CacheError::Nul(string.to_vec()));
            }
            if let Some(hwcaps) = hwcaps.filter(|hwcaps| hwcaps.isa_level > MAX_ISA_LEVEL) {
                return Err(CacheError::IsaLevel(hwcaps.isa_level));
            }
        }
        Ok(())
    }
}

/// The order of entries in the file: names and flags descending, glibc-hwcaps variants first and by
/// the names of their subdirectories.
fn in_file_order(one: &Entry, other: &Entry, abi: Abi) -> Ordering {
    let subdirectory = |entry: &Entry| entry.hwcaps.as_ref().map(|hwcaps| hwcaps.subdirectory.clone());
    // The dynamic linker's flags are signed, but none has its highest bit set.
    compare(&other.name, &one.name, abi).then(other.flags.cmp(&one.flags)).then_with(|| {
        match (subdirectory(one), subdirectory(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    })
}

/// Compares names as the dynamic linker does: a run of digits is one number, and sorts after any
/// non-digit.
///
/// A number of more than 31 bits wraps around, as it does in the dynamic linker.
#[must_use]
pub fn compare(one: &[u8], other: &[u8], abi: Abi) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        match (one.first(), other.first()) {
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let order = take_number(&mut one).cmp(&take_number(&mut other));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (Some(a), _) if a.is_ascii_digit() => return Ordering::Greater,
            (_, Some(b)) if b.is_ascii_digit() => return Ordering::Less,
            (None, None) => return Ordering::Equal,
            (a, b) => {
                let order = abi.char(a.copied().unwrap_or(0)).cmp(&abi.char(b.copied().unwrap_or(0)));
                if order != Ordering::Equal {
                    return order;
                }
                // They are equal and neither is at its end: no string contains the NUL that stands
                // for the end.
                one = one.get(1..).unwrap_or_default();
                other = other.get(1..).unwrap_or_default();
            }
        }
    }
}

fn take_number(string: &mut &[u8]) -> i32 {
    let mut number = 0_i32;
    while let [digit @ b'0'..=b'9', rest @ ..] = string {
        number = number.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'));
        *string = rest;
    }
    number
}

struct Writer {
    bytes: Vec<u8>,
    big: bool,
}

impl Writer {
    fn header(&mut self, entries: usize, strings_len: usize, extension_offset: usize) {
        self.bytes.extend(MAGIC);
        self.len(entries);
        self.len(strings_len);
        self.bytes.extend([if self.big { BIG_ENDIAN } else { LITTLE_ENDIAN }, 0, 0, 0]);
        self.len(extension_offset);
        self.bytes.extend([0; 12]);
    }

    fn extensions(&mut self, subdirectories: &[usize], generator: &[u8]) {
        let sections = if subdirectories.is_empty() { 1 } else { 2 };
        let first = self.bytes.len() + EXTENSION_HEADER_LEN + sections * SECTION_LEN;
        let hwcaps_len = 4 * subdirectories.len();
        self.u32(EXTENSION_MAGIC);
        self.len(sections);
        self.section(TAG_GENERATOR, first + hwcaps_len, generator.len());
        if sections == 2 {
            self.section(TAG_GLIBC_HWCAPS, first, hwcaps_len);
        }
        for place in subdirectories {
            self.len(*place);
        }
        self.bytes.extend(generator);
    }

    fn section(&mut self, tag: u32, offset: usize, len: usize) {
        self.u32(tag);
        self.u32(0);
        self.len(offset);
        self.len(len);
    }

    /// Writes a length or offset, which the length of the whole file bounds.
    fn len(&mut self, value: usize) {
        self.u32(u32::try_from(value).expect("the file is shorter than 4 GiB"));
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

#[cfg(test)]
mod tests;
