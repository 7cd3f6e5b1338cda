//! The string table, which stores every string once and shares the bytes of common suffixes.

use std::collections::BTreeMap;

/// Strings and their offsets. A string that is a suffix of another shares its bytes.
pub(super) struct StringTable<'a> {
    offsets: BTreeMap<&'a [u8], usize>,
    bytes: Vec<u8>,
}

impl<'a> StringTable<'a> {
    pub(super) fn new(strings: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut sorted: Vec<&[u8]> = strings.collect();
        // Sorted by their reversed bytes in descending order: a string follows those that it is a
        // suffix of.
        sorted.sort_unstable_by(|one, other| other.iter().rev().cmp(one.iter().rev()));
        sorted.dedup();
        let mut table = Self { offsets: BTreeMap::new(), bytes: Vec::new() };
        let mut previous: &[u8] = b"";
        for (index, string) in sorted.into_iter().enumerate() {
            let offset = if index > 0 && previous.ends_with(string) {
                // The last string written ends with its NUL at the end of the table.
                table.bytes.len() - 1 - string.len()
            } else {
                table.bytes.extend(string);
                table.bytes.push(0);
                table.bytes.len() - 1 - string.len()
            };
            table.offsets.insert(string, offset);
            previous = string;
        }
        table
    }

    /// Returns the offset of a string of the table.
    pub(super) fn offset(&self, string: &[u8]) -> usize {
        *self.offsets.get(string).expect("the table was made of all strings")
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}
