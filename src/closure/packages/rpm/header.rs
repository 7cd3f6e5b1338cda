//! A header of rpm as its database has it: two numbers, an index of tags and their data.
//!
//! ```text
//! count of entries │ length of data │ entry: tag, type, offset, count │ … │ data
//! ```
//!
//! All numbers are big-endian and have 32 bits. An entry for a *region* names the part that is
//! signed; the entries of a region and those after it have offsets in the same data.

use std::collections::BTreeMap;

/// Tags, with the names of `rpmtag.h`.
pub(super) const NAME: u32 = 1000;
pub(super) const ARCH: u32 = 1022;
pub(super) const OLD_FILE_NAMES: u32 = 1027;
pub(super) const FILE_FLAGS: u32 = 1037;
pub(super) const PROVIDE_NAME: u32 = 1047;
pub(super) const REQUIRE_FLAGS: u32 = 1048;
pub(super) const REQUIRE_NAME: u32 = 1049;
pub(super) const REQUIRE_VERSION: u32 = 1050;
pub(super) const PROVIDE_VERSION: u32 = 1113;
pub(super) const DIR_INDEXES: u32 = 1116;
pub(super) const BASE_NAMES: u32 = 1117;
pub(super) const DIR_NAMES: u32 = 1118;

/// The tags that are read.
const TAGS: [u32; 12] = [
    NAME,
    ARCH,
    OLD_FILE_NAMES,
    FILE_FLAGS,
    PROVIDE_NAME,
    REQUIRE_FLAGS,
    REQUIRE_NAME,
    REQUIRE_VERSION,
    PROVIDE_VERSION,
    DIR_INDEXES,
    BASE_NAMES,
    DIR_NAMES,
];

/// rpm's own limit on the number of entries (`HEADER_TAGS_MAX`).
const MAX_ENTRIES: usize = 0xffff;
const ENTRY_LEN: usize = 16;

/// The types of `rpmtag.h`.
const INT32: u32 = 4;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;

/// The header of a package.
#[derive(Clone, Debug)]
pub struct Header {
    data: Vec<u8>,
    /// The entries that are read, by tag. A later entry replaces an earlier one, as rpm adds
    /// entries after the region.
    entries: BTreeMap<u32, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: u32,
    /// The offset in [`Header::data`], which is within it.
    offset: usize,
    count: usize,
}

impl Header {
    /// Parses a header without the magic number that it has in a package's file.
    ///
    /// # Errors
    /// Returns the reason if its lengths do not match.
    pub fn parse(mut bytes: Vec<u8>) -> Result<Self, &'static str> {
        let count = number(&bytes, 0).ok_or("a header is too short")?;
        let data_len = number(&bytes, 4).ok_or("a header is too short")?;
        if count == 0 || count > MAX_ENTRIES {
            return Err("a header has too many entries or none");
        }
        let start = 8 + count * ENTRY_LEN;
        if start.checked_add(data_len) != Some(bytes.len()) {
            return Err("a header has another length than it states");
        }
        let mut entries = BTreeMap::new();
        for at in (8..start).step_by(ENTRY_LEN) {
            let field = |index: usize| number(&bytes, at + 4 * index);
            let (Some(tag), Some(kind), Some(offset), Some(count)) = (field(0), field(1), field(2), field(3))
            else {
                return Err("a header is too short");
            };
            let (Ok(tag), Ok(kind)) = (u32::try_from(tag), u32::try_from(kind)) else { continue };
            if TAGS.contains(&tag) {
                if offset > data_len || count > data_len {
                    return Err("a tag is outside of its header");
                }
                entries.insert(tag, Entry { kind, offset, count });
            }
        }
        bytes.drain(..start);
        Ok(Self { data: bytes, entries })
    }

    /// Returns a tag that is a single string.
    pub(super) fn string(&self, tag: u32) -> Option<&[u8]> {
        self.strings(tag).into_iter().next()
    }

    /// Returns the strings of a tag; empty if the header does not have it as strings.
    pub(super) fn strings(&self, tag: u32) -> Vec<&[u8]> {
        let Some(entry) = self.entries.get(&tag) else { return Vec::new() };
        let count = match entry.kind {
            STRING => 1,
            STRING_ARRAY | I18N_STRING => entry.count,
            _ => return Vec::new(),
        };
        // Without the part after the last NUL.
        let mut parts = self.data[entry.offset..].split(|byte| *byte == 0);
        let _ = parts.next_back();
        parts.take(count).collect()
    }

    /// Returns the numbers of a tag; empty if the header does not have it as 32-bit numbers.
    pub(super) fn numbers(&self, tag: u32) -> Vec<u32> {
        let Some(entry) = self.entries.get(&tag).filter(|entry| entry.kind == INT32) else {
            return Vec::new();
        };
        let words = self.data[entry.offset..].as_chunks::<4>().0;
        words.iter().take(entry.count).map(|word| u32::from_be_bytes(*word)).collect()
    }
}

/// Returns the 32-bit number at an offset.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_be_bytes(word.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(entries: &[[u32; 4]], data: &[u8]) -> Vec<u8> {
        let count = u32::try_from(entries.len()).expect("few");
        let words = [count, u32::try_from(data.len()).expect("short")].into_iter();
        let words = words.chain(entries.iter().flatten().copied());
        words.flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
    }

    #[test]
    fn tags_have_strings_and_numbers() {
        let data = b"name\0one\0two\0\0\0\0\x07\0\0\x01\0rest";
        let bytes = header(
            &[
                [63, 7, 0, 16],
                [NAME, STRING, 5, 1],
                [NAME, STRING, 0, 1],
                [PROVIDE_NAME, STRING_ARRAY, 5, 2],
                [FILE_FLAGS, INT32, 13, 2],
            ],
            data,
        );
        let header = Header::parse(bytes).expect("a header");
        // The later entry of a tag takes effect, and has one string.
        assert_eq!(header.string(NAME), Some(&b"name"[..]));
        assert_eq!(header.strings(NAME), [b"name"]);
        assert_eq!(header.strings(PROVIDE_NAME), [b"one", b"two"]);
        assert_eq!(header.numbers(FILE_FLAGS), [7, 256]);
        assert!(header.strings(FILE_FLAGS).is_empty() && header.numbers(NAME).is_empty());
        assert!(header.strings(BASE_NAMES).is_empty());
    }

    #[test]
    fn what_is_outside_of_a_header_is_refused() {
        let parse = |bytes: Vec<u8>| Header::parse(bytes).err();
        let good = header(&[[NAME, STRING, 4, 1]], b"name");
        // A string without a NUL is not there.
        assert_eq!(Header::parse(good.clone()).expect("a header").string(NAME), None);
        assert_eq!(
            parse(good[..good.len() - 1].to_vec()),
            Some("a header has another length than it states")
        );
        assert_eq!(parse(good[..6].to_vec()), Some("a header is too short"));
        assert_eq!(parse(header(&[], b"")), Some("a header has too many entries or none"));
        assert_eq!(parse(header(&[[63, 7, 0, 16]; MAX_ENTRIES], b"")), None);
        let too_many = header(&[[63, 7, 0, 16]; MAX_ENTRIES + 1], b"");
        assert_eq!(parse(too_many), Some("a header has too many entries or none"));
        assert_eq!(parse(header(&[[NAME, STRING, 5, 1]], b"name")), Some("a tag is outside of its header"));
        assert_eq!(parse(header(&[[NAME, STRING, 0, 5]], b"name")), Some("a tag is outside of its header"));
    }
}
