//! `/etc/ld.so.cache`: which file glibc's loader opens for which name.
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
//! Numbers have the byte order of the machine. Keys, values and names of subdirectories are places in the file. The
//! entries are sorted downwards by [`compare`], in which the loader searches by halves; among equal names the
//! first whose flags fit wins, so those of subdirectories of `glibc-hwcaps` come before the others.
//!
//! A tree of which only a part is taken must have a cache for that part: of a name whose cached file is missing the
//! loader searches its own directories only, not those of `/etc/ld.so.conf`.

use std::cmp::Ordering;

use thiserror::Error;

mod abi;
mod read;
pub mod scan;
mod strings;

pub use abi::Abi;
use strings::StringTable;

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

/// In `hwcap`: the low half is an index into the glibc-hwcaps section.
const HWCAP_EXTENSION: u64 = 1 << 62;
const ISA_LEVEL_SHIFT: u32 = 32;
/// The highest ISA level that an entry can state.
pub const MAX_ISA_LEVEL: u16 = 0x3ff;

/// A cache: in whose byte order, what wrote it, and its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The machine's order of bytes.
    pub big_endian: bool,
    /// What wrote it, as `ldconfig -p` prints it. May be empty.
    pub generator: Vec<u8>,
    /// In the file's order when read. Writing sorts them; of equal ones the first stays first, and is found.
    pub entries: Vec<Entry>,
}

/// One library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What programs ask for: the soname.
    pub name: Vec<u8>,
    /// The absolute path of the file.
    pub path: Vec<u8>,
    /// Kind and architecture; see [`Abi::flags`].
    pub flags: u32,
    /// The subdirectory of `glibc-hwcaps` it is in.
    pub hwcaps: Option<Hwcaps>,
}

/// A library for some processors only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hwcaps {
    /// The name of the subdirectory, such as `x86-64-v3`.
    pub subdirectory: Vec<u8>,
    /// The ISA level its GNU properties say it needs, up to [`MAX_ISA_LEVEL`]; 0 is none.
    pub isa_level: u16,
}

/// Why a cache cannot be written or read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CacheError {
    /// A string to write has a NUL byte, which would end it.
    #[error("\"{}\" has a NUL byte, which no name in ld.so.cache can have", .0.escape_ascii())]
    Nul(Vec<u8>),
    /// The ISA level to write does not fit.
    #[error("ISA level {0} is more than {MAX_ISA_LEVEL}, the highest that ld.so.cache can state")]
    IsaLevel(u16),
    /// Places in the file are 32 bits wide.
    #[error("ld.so.cache would be 4 GiB long or more, which its 32-bit offsets cannot express")]
    TooLong,
    /// It does not begin like one.
    #[error("ld.so.cache does not begin with \"glibc-ld.so.cache1.1\"")]
    Magic,
    /// Something lies beyond its end, or is what no cache has.
    #[error("ld.so.cache is damaged: {0}")]
    Damaged(&'static str),
    /// There are more entries than are read.
    #[error("ld.so.cache has {0} entries; more than {MAX_ENTRIES} are not read")]
    TooMany(u32),
}

/// The most entries that are read. A whole distribution has some thousands.
pub const MAX_ENTRIES: u32 = 1 << 17;

impl Cache {
    /// The bytes of the file, in the order that the loader's search needs.
    ///
    /// `abi` says how the loader's processor compares bytes; its byte order is the cache's own.
    ///
    /// # Errors
    /// When a string has a NUL byte, an ISA level is out of range, or the file would not fit 32-bit offsets.
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
        // The rest is shorter than what there is per entry, so one look at the sum is enough.
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

/// Names downwards, flags downwards, those for some processors first and by the names of their subdirectories.
fn in_file_order(one: &Entry, other: &Entry, abi: Abi) -> Ordering {
    let subdirectory = |entry: &Entry| entry.hwcaps.as_ref().map(|hwcaps| hwcaps.subdirectory.clone());
    // The loader's flags are signed, but none has its highest bit.
    compare(&other.name, &one.name, abi).then(other.flags.cmp(&one.flags)).then_with(|| {
        match (subdirectory(one), subdirectory(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    })
}

/// The loader's order of names: digits count as one number, and are more than anything that is no digit.
///
/// A number of more than 31 bits wraps around, as it does in the loader.
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
                // They are the same, and neither is the end: no string has the NUL that stands for it.
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

    /// A length or place, which the length of the whole file bounds.
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
