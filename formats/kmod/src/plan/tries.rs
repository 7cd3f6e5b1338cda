//! The indices as tries.

use super::sources::Entry;
use super::symbols::SymbolTable;
use crate::error::Error;
use crate::name::normalize_alias;
use crate::trie;
use crate::warning::Warning;

/// Returns `modules.dep.bin`: the lines of `modules.dep` by the names of modules.
pub(super) fn dep(modules: &[&Entry], lines: &[u8]) -> Result<Vec<u8>, Error> {
    let lines = lines.split(|byte| *byte == b'\n');
    let named = modules.iter().zip(lines).enumerate();
    let entries = named.map(|(position, (entry, text))| trie::Entry {
        key: entry.name.clone(),
        priority: priority(position),
        text,
    });
    trie::write(entries.collect(), "modules.dep.bin")
}

/// Returns `modules.alias.bin`: the names of modules by their normalized aliases.
pub(super) fn alias(modules: &[&Entry], warnings: &mut Vec<Warning>) -> Result<Vec<u8>, Error> {
    let mut entries = Vec::new();
    for (position, entry) in modules.iter().enumerate() {
        for alias in &entry.module.info.aliases {
            match normalize_alias(alias) {
                Some(key) => {
                    entries.push(trie::Entry { key, priority: priority(position), text: &entry.name });
                }
                None => warnings.push(Warning::Brackets { module: entry.name.clone(), alias: alias.clone() }),
            }
        }
    }
    trie::write(entries, "modules.alias.bin")
}

/// Returns `modules.symbols.bin`: the names of modules by the symbols that they export.
pub(super) fn symbols(modules: &[&Entry], symbols: &SymbolTable<'_>) -> Result<Vec<u8>, Error> {
    let entries = symbols.iter().map(|(symbol, position)| trie::Entry {
        key: [b"symbol:", symbol].concat(),
        priority: priority(position),
        text: &modules[position].name,
    });
    trie::write(entries.collect(), "modules.symbols.bin")
}

fn priority(position: usize) -> u32 {
    // No list in memory has so many modules.
    u32::try_from(position).unwrap_or(u32::MAX)
}
