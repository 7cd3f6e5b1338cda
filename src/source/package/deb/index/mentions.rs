//! The numbers of the names of packages, in the order in which they are first mentioned.

use std::collections::HashMap;

use memchr::memchr2;

use super::model::Range;

/// The names that were mentioned so far.
pub(super) struct Mentions<'t> {
    /// The text of which all names and versions are ranges.
    text: &'t [u8],
    numbers: HashMap<&'t [u8], u32>,
    names: Vec<Range>,
}

impl<'t> Mentions<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        // An index has a name for each 800 bytes or so.
        let expected = text.len() / 800;
        Self { text, numbers: HashMap::with_capacity(expected), names: Vec::with_capacity(expected) }
    }

    /// Returns the range of a part of the text.
    pub(super) fn range(&self, part: &[u8]) -> Range {
        let offset = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        match (u32::try_from(offset), u32::try_from(part.len())) {
            (Ok(offset), Ok(len)) if !part.is_empty() => Range { offset, len },
            _ => Range::default(),
        }
    }

    /// Returns the number of a name, which is a part of the text.
    pub(super) fn number(&mut self, name: &[u8]) -> u32 {
        let range = self.range(name);
        let start = range.offset as usize;
        let name = self.text.get(start..start + range.len as usize).unwrap_or_default();
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(range);
            next
        })
    }

    /// Gives a number to each name of a field of relations.
    pub(super) fn relations(&mut self, mut field: &[u8]) {
        while !field.is_empty() {
            let end = memchr2(b',', b'|', field).unwrap_or(field.len());
            let one = field[..end].trim_ascii_start();
            let is_end = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"+.-_".contains(byte));
            let name = one.iter().position(is_end).map_or(one, |end| &one[..end]);
            if !name.is_empty() {
                self.number(name);
            }
            field = field.get(end + 1..).unwrap_or_default();
        }
    }

    /// Returns all names in order.
    pub(super) fn finish(self) -> Vec<Range> {
        self.names
    }
}
