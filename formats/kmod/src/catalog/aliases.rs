//! Patterns with the modules that they stand for.

use std::collections::{BTreeMap, BTreeSet};

use crate::fnmatch::fnmatch;

/// Normalized aliases with the names of their modules, in the order of the modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases {
    all: Vec<(Vec<u8>, Vec<u8>)>,
    /// The numbers of the aliases that begin with these bytes, up to the first byte of a pattern.
    by_prefix: BTreeMap<Vec<u8>, Vec<usize>>,
    /// The length of the longest prefix, in bytes.
    longest: usize,
}

impl Aliases {
    pub(super) fn push(&mut self, pattern: Vec<u8>, module: Vec<u8>) {
        let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
        let len = pattern.iter().position(is_special).unwrap_or(pattern.len());
        self.by_prefix.entry(pattern[..len].to_vec()).or_default().push(self.all.len());
        self.longest = self.longest.max(len);
        self.all.push((pattern, module));
    }

    /// Returns the modules that a normalized name stands for, each once.
    pub(super) fn matching(&self, name: &[u8]) -> Vec<&[u8]> {
        let prefixes = (0..=name.len().min(self.longest)).map(|len| &name[..len]);
        let mut numbers: Vec<usize> =
            prefixes.filter_map(|prefix| self.by_prefix.get(prefix)).flatten().copied().collect();
        numbers.sort_unstable();
        let matching = numbers.into_iter().map(|number| &self.all[number]);
        let modules = matching.filter(|(pattern, _)| fnmatch(pattern, name)).map(|(_, module)| &module[..]);
        let mut seen = BTreeSet::new();
        modules.filter(|module| seen.insert(*module)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_found_in_the_order_of_the_modules() {
        let mut aliases = Aliases::default();
        for (pattern, module) in [
            ("pci:v1d*", "z"),
            ("*", "all"),
            ("pci:v1d2", "y"),
            ("pci:v[12]d2", "x"),
            ("p\\ci:v1d2", "w"),
            ("pci:v1d2", "z"),
            ("pci:v1d2longer", "no"),
            ("pc", "no"),
            ("", "no"),
        ] {
            aliases.push(pattern.into(), module.into());
        }
        assert_eq!(aliases.matching(b"pci:v1d2"), [&b"z"[..], b"all", b"y", b"x", b"w"]);
        assert_eq!(aliases.matching(b"pci"), [b"all"]);
        assert_eq!(aliases.matching(b""), [&b"all"[..], b"no"]);
    }
}
