//! Long prefixes of the names of extended attributes, which are stored once, in a table.

use std::collections::BTreeSet;

use image_tree::{XattrName, Xattrs as Attributes};

use super::key::Key;
use crate::error::Error;
use crate::ondisk::xattr::{ALIGN, LONG_PREFIX, split, split_prefix};

/// The maximum number of prefixes: an index has seven bits.
const MAX_COUNT: usize = 128;

/// The prefixes in use, in byte order.
#[derive(Debug, Default)]
pub(super) struct Prefixes(Vec<Prefix>);

#[derive(Debug)]
struct Prefix {
    /// The index of the namespace.
    base: u8,
    /// The bytes behind the namespace.
    infix: Vec<u8>,
}

impl Prefixes {
    /// Returns those of the given prefixes that a name begins with, each with its namespace.
    ///
    /// # Errors
    /// Returns an error if one has no namespace or nothing behind it, or too many are in use.
    pub(super) fn used<'n>(
        given: &[Vec<u8>],
        names: impl Iterator<Item = &'n XattrName>,
    ) -> Result<Self, Error> {
        let mut all = Self::default();
        for prefix in given.iter().collect::<BTreeSet<_>>() {
            let (base, infix) = split_prefix(prefix)
                .filter(|(_, infix)| (1..=XattrName::MAX_LEN).contains(&infix.len()))
                .ok_or_else(|| Error::XattrPrefix(prefix.clone()))?;
            all.0.push(Prefix { base, infix: infix.to_vec() });
        }
        if all.0.is_empty() {
            return Ok(all);
        }
        let used: BTreeSet<usize> =
            names.filter_map(split).filter_map(|(index, name)| all.longest(index, name)).collect();
        let (count, limit) = (used.len(), MAX_COUNT);
        if count > limit {
            return Err(Error::TooManyXattrPrefixes { count, limit });
        }
        let mut number = 0..;
        all.0.retain(|_| number.next().is_some_and(|number: usize| used.contains(&number)));
        Ok(all)
    }

    /// Returns the number of prefixes.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the attributes as they are stored, in the order of their names.
    pub(super) fn keys<'t>(&self, attributes: &'t Attributes) -> impl Iterator<Item = Key<'t>> {
        attributes.iter().map(|(name, value)| {
            let (index, name) = split(name).expect("others are refused");
            match self.longest(index, name) {
                None => Key { index, name, value },
                Some(prefix) => Key {
                    index: LONG_PREFIX | u8::try_from(prefix).expect("there are at most 128"),
                    name: &name[self.0[prefix].infix.len()..],
                    value,
                },
            }
        })
    }

    /// Appends the table.
    pub(super) fn write_table(&self, out: &mut Vec<u8>) {
        for Prefix { base, infix } in &self.0 {
            let len = u16::try_from(1 + infix.len()).expect("longer ones are refused");
            out.extend_from_slice(&len.to_le_bytes());
            out.push(*base);
            out.extend_from_slice(infix);
            out.resize(out.len().next_multiple_of(ALIGN), 0);
        }
    }

    /// Returns the longest prefix of a name in a namespace.
    fn longest(&self, index: u8, name: &[u8]) -> Option<usize> {
        let matching = self.0.iter().enumerate().filter(|(_, prefix)| {
            prefix.base == index && name.len() > prefix.infix.len() && name.starts_with(&prefix.infix)
        });
        matching.max_by_key(|(_, prefix)| prefix.infix.len()).map(|(number, _)| number)
    }
}
