//! The symbols that a module exports, and those that it needs.

use std::collections::BTreeSet;

use image_tree::Content;

use crate::elf::{Object, string};
use crate::error::ModuleError;
use crate::limits::{MAX_SECTION, MAX_STRINGS};
use crate::names::Names;

/// The prefix of the symbol with the checksum of an exported one.
const CRC: &[u8] = b"__crc_";

/// The length of a record of `__versions` in bytes: a checksum and a name.
const VERSION_LEN: usize = 64;

/// `e_machine` of 32-bit and 64-bit SPARC, whose register symbols look undefined.
const SPARC: [u64; 2] = [2, 43];
const STT_REGISTER: u64 = 13;

/// The names of symbols.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    pub(super) exports: Names,
    pub(super) needs: Names,
}

/// Reads what depmod reads. Exported are the names in symbols `__crc_NAME`, or, if there are none,
/// in `__ksymtab_strings`; needed are undefined symbols, and then the other names in `__versions`.
pub(super) fn read<C: Content + ?Sized>(object: &Object<'_, C>) -> Result<Symbols, ModuleError> {
    let names = object.section(".strtab", MAX_SECTION)?;
    let table = object.section(".symtab", MAX_SECTION)?;
    let mut symbols = match (names, table) {
        (Some(names), Some(table)) => symbols(object, &names, &table)?,
        _ => Symbols::default(),
    };
    if symbols.exports.is_empty() {
        let strings = object.section("__ksymtab_strings", MAX_STRINGS)?.unwrap_or_default();
        if strings.last().is_some_and(|last| *last != 0) {
            return Err(ModuleError::Exports);
        }
        symbols.exports = strings.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    }
    let versions = object.section("__versions", MAX_STRINGS)?.unwrap_or_default();
    add_versions(object, &versions, &mut symbols.needs)?;
    Ok(symbols)
}

fn symbols<C: ?Sized>(object: &Object<'_, C>, names: &[u8], table: &[u8]) -> Result<Symbols, ModuleError> {
    let format = object.format;
    let entry = format.symbol_len();
    if !table.len().is_multiple_of(entry) {
        return Err(ModuleError::Table { section: ".symtab", len: table.len(), entry });
    }
    let (info, section) = if format.is_64_bit { (4, 6) } else { (12, 14) };
    let has_registers = SPARC.contains(&object.machine);
    let mut found = Symbols::default();
    // The first symbol is a dummy.
    for (index, symbol) in table.chunks_exact(entry).enumerate().skip(1) {
        let is_undefined = format.number(&symbol[section..section + 2]) == 0;
        let at = usize::try_from(format.number(&symbol[..4])).unwrap_or(usize::MAX);
        let missing = ModuleError::SymbolName { index };
        // Most symbols are neither, and their ends need not be found.
        let start = names.get(at..).ok_or(missing)?;
        if !is_undefined && !start.starts_with(CRC) {
            continue;
        }
        let name = string(names, at).ok_or(ModuleError::SymbolName { index })?;
        if let Some(export) = name.strip_prefix(CRC) {
            push(&mut found.exports, export)?;
        }
        let is_register = has_registers && u64::from(symbol[info] & 0xf) == STT_REGISTER;
        if is_undefined && !is_register && !name.is_empty() {
            push(&mut found.needs, name)?;
        }
    }
    Ok(found)
}

fn add_versions<C: ?Sized>(
    object: &Object<'_, C>,
    versions: &[u8],
    needs: &mut Names,
) -> Result<(), ModuleError> {
    if !versions.len().is_multiple_of(VERSION_LEN) {
        return Err(ModuleError::Table { section: "__versions", len: versions.len(), entry: VERSION_LEN });
    }
    let checksum = if object.format.is_64_bit { 8 } else { 4 };
    let mut others = Names::default();
    {
        let undefined: BTreeSet<&[u8]> = needs.iter().collect();
        for (index, record) in versions.chunks_exact(VERSION_LEN).enumerate() {
            let name = string(record, checksum).ok_or(ModuleError::VersionName { index })?;
            if !undefined.contains(name) {
                push(&mut others, name)?;
            }
        }
    }
    others.iter().try_for_each(|name| push(needs, name))
}

/// Adds a name, unless the names together are longer than those of any module.
fn push(names: &mut Names, name: &[u8]) -> Result<(), ModuleError> {
    let len = (names.total_len() + name.len()) as u64;
    if len > MAX_STRINGS {
        return Err(ModuleError::TooLong { part: "the list of symbols", len, limit: MAX_STRINGS });
    }
    names.push(name);
    Ok(())
}
