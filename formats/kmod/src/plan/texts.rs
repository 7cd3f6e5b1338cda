//! The indices as text.

use super::sources::Entry;
use super::symbols::SymbolTable;

/// Returns `modules.dep`: for each module its path, and the paths of all that it needs.
pub(super) fn dep(modules: &[&Entry], dependencies: &[Vec<usize>]) -> Vec<u8> {
    let mut text = Vec::new();
    for (entry, needed) in modules.iter().zip(dependencies) {
        text.extend_from_slice(&entry.path);
        text.push(b':');
        for position in needed {
            text.push(b' ');
            text.extend_from_slice(&modules[*position].path);
        }
        text.push(b'\n');
    }
    text
}

/// Returns `modules.alias`.
pub(super) fn alias(modules: &[&Entry]) -> Vec<u8> {
    let mut text = b"# Aliases extracted from modules themselves.\n".to_vec();
    for entry in modules {
        for alias in &entry.module.info.aliases {
            line(&mut text, &[b"alias ", alias, b" ", &entry.name]);
        }
    }
    text
}

/// Returns `modules.softdep`.
pub(super) fn softdep(modules: &[&Entry]) -> Vec<u8> {
    let mut text = b"# Soft dependencies extracted from modules themselves.\n".to_vec();
    for entry in modules {
        for value in &entry.module.info.softdeps {
            line(&mut text, &[b"softdep ", &entry.name, b" ", value]);
        }
    }
    text
}

/// Returns `modules.weakdep`, which kmod has had since version 33.
pub(super) fn weakdep(modules: &[&Entry]) -> Vec<u8> {
    let mut text = b"# Weak dependencies extracted from modules themselves.\n".to_vec();
    for entry in modules {
        for value in &entry.module.info.weakdeps {
            line(&mut text, &[b"weakdep ", &entry.name, b" ", value]);
        }
    }
    text
}

/// Returns `modules.symbols`.
pub(super) fn symbols(modules: &[&Entry], symbols: &SymbolTable<'_>) -> Vec<u8> {
    let mut text = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
    for (symbol, position) in symbols.iter() {
        line(&mut text, &[b"alias symbol:", symbol, b" ", &modules[position].name]);
    }
    text
}

fn line(text: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| text.extend_from_slice(part));
    text.push(b'\n');
}
