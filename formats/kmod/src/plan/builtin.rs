//! The indices of what is built into the kernel.

use super::values::is_key;
use crate::error::Error;
use crate::name::{module_name, normalize_alias};
use crate::trie;
use crate::warning::Warning;

/// Returns `modules.builtin.bin`: the names in `modules.builtin`. Without that file it is empty.
pub(super) fn names(builtin: Option<&[u8]>, warnings: &mut Vec<Warning>) -> Result<Vec<u8>, Error> {
    let Some(builtin) = builtin else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for line in builtin.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let key = module_name(line);
        if line[0].is_ascii_alphabetic() && is_key(&key) {
            entries.push(trie::Entry { key, priority: 0, text: b"" });
        } else {
            warnings.push(Warning::Builtin { line: line.to_vec() });
        }
    }
    trie::write(entries, "modules.builtin.bin")
}

/// Returns `modules.builtin.alias.bin`: the names of modules by the aliases in
/// `modules.builtin.modinfo`. Without that file it is empty.
pub(super) fn aliases(modinfo: Option<&[u8]>, warnings: &mut Vec<Warning>) -> Result<Vec<u8>, Error> {
    let Some(modinfo) = modinfo else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for (module, alias) in modinfo.split(|byte| *byte == 0).filter_map(alias_of) {
        if !is_key(alias) || !is_key(module) {
            return Err(Error::Value { module: module.to_vec(), kind: "alias", value: alias.to_vec() });
        }
        match normalize_alias(alias) {
            Some(key) => entries.push(trie::Entry { key, priority: 0, text: module }),
            None => warnings.push(Warning::Brackets { module: module.to_vec(), alias: alias.to_vec() }),
        }
    }
    trie::write(entries, "modules.builtin.alias.bin")
}

/// Returns the module and the alias of a line `module.alias=alias`.
pub(super) fn alias_of(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = line.iter().position(|byte| *byte == b'.')?;
    let alias = line[dot + 1..].strip_prefix(b"alias=")?;
    Some((&line[..dot], alias))
}
