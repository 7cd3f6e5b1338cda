//! The modules that export symbols.

use super::sources::Entry;
use crate::hash::hash;

/// The number of buckets of depmod's table of symbols.
const BUCKETS: u32 = 2048;

/// Exported symbols with the positions of their modules, in the order of depmod's hash table.
pub(super) struct SymbolTable<'e> {
    symbols: Vec<(&'e [u8], usize)>,
    /// The start of each bucket, and the end of the last.
    starts: Vec<usize>,
}

impl<'e> SymbolTable<'e> {
    /// Collects the symbols of all modules. One that several export belongs to the last of them.
    pub(super) fn new(modules: &[&'e Entry]) -> Self {
        let mut all: Vec<(u32, &[u8], usize)> = Vec::new();
        for (position, entry) in modules.iter().enumerate() {
            let names = entry.module.exports.iter();
            all.extend(names.map(|name| (hash(name) % BUCKETS, name, position)));
        }
        all.sort_unstable();
        let mut table = Self { symbols: Vec::with_capacity(all.len()), starts: vec![0] };
        for (bucket, name, position) in all {
            let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
            while table.starts.len() <= bucket {
                table.starts.push(table.symbols.len());
            }
            match table.symbols.last_mut() {
                Some(last) if last.0 == name => last.1 = position,
                _ => table.symbols.push((name, position)),
            }
        }
        table
    }

    /// The symbols with the positions of their modules.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'e [u8], usize)> {
        self.symbols.iter().copied()
    }

    /// The position of the module that exports a symbol. A dot in front of the name, as on ppc64,
    /// is not part of it.
    pub(super) fn owner(&self, name: &[u8]) -> Option<usize> {
        let name = name.strip_prefix(b".").unwrap_or(name);
        let bucket = usize::try_from(hash(name) % BUCKETS).ok()?;
        let end = self.starts.get(bucket + 1).copied().unwrap_or(self.symbols.len());
        let bucket = self.symbols.get(*self.starts.get(bucket)?..end)?;
        let found = bucket.binary_search_by_key(&name, |(symbol, _)| symbol).ok()?;
        Some(bucket[found].1)
    }
}
