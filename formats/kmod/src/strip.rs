//! Removal of debug sections.
//!
//! The symbols remain in their places, so that relocations are unchanged: one of a section that is
//! removed becomes an absolute symbol without a name, as which the kernel ignores it.

mod header;

use image_tree::Content;

use self::header::{Header, NOBITS};
use crate::elf::{Format, Object};
use crate::error::ModuleError;
use crate::module::Signature;

/// `ET_REL`: an object that is relocated when it is loaded, as every module is.
const RELOCATABLE: u64 = 1;
const SYMTAB: u64 = 2;
const RELA: u64 = 4;
const REL: u64 = 9;
const GROUP: u64 = 17;
const SYMTAB_SHNDX: u64 = 18;

/// `SHF_ALLOC`: the section is in memory.
const ALLOC: u64 = 2;
/// `SHF_INFO_LINK`: `sh_info` is the number of a section.
const INFO_LINK: u64 = 0x40;

/// `SHN_LORESERVE`: from here on a symbol's section is not that of this number.
const RESERVED: u64 = 0xff00;
/// `SHN_ABS`: the symbol has no section.
const ABSOLUTE: u64 = 0xfff1;

/// The largest alignment of sections in the file, in bytes.
const MAX_ALIGN: u64 = 4096;

/// The starts of names of debug sections, as the linker of GNU knows them.
const DEBUG: [&[u8]; 7] = [
    b".debug",
    b".zdebug",
    b".gnu.debuglto_.debug_",
    b".gnu.linkonce.wi.",
    b".line",
    b".stab",
    b".gdb_index",
];

/// A module without its debug sections and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stripped {
    /// The object.
    pub bytes: Vec<u8>,
    /// True if it had a signature, which would not be that of these bytes.
    pub was_signed: bool,
}

/// Returns true if a module, which is not compressed, has debug sections.
///
/// # Errors
/// If it is not an ELF object, or its headers are not within the file.
pub fn has_debug_sections<C: Content + ?Sized>(content: &C) -> Result<bool, ModuleError> {
    let object = Object::parse(content)?;
    Ok(object.sections.iter().any(|section| is_debug_name(&section.name)))
}

fn is_debug_name(name: &[u8]) -> bool {
    DEBUG.iter().any(|start| name.starts_with(start))
}

/// Returns a module without its debug sections; `None` if it has none.
///
/// # Errors
/// If it is not a valid relocatable object, or its sections overlap.
pub fn strip(module: &[u8]) -> Result<Option<Stripped>, ModuleError> {
    let signature = Signature::find(module)?;
    let end = signature.map_or(module.len() as u64, |signature| signature.module_len);
    let body = usize::try_from(end).ok().and_then(|end| module.get(..end)).unwrap_or(module);
    let object = Object::parse(body)?;
    let Some(layout) = Layout::new(body, &object)? else { return Ok(None) };
    Ok(Some(Stripped { bytes: layout.write()?, was_signed: signature.is_some() }))
}

/// The sections of an object, and the numbers of those that remain.
struct Layout<'o> {
    body: &'o [u8],
    format: Format,
    headers: Vec<Header>,
    /// The new number of each section; `None` for those that are removed.
    numbers: Vec<Option<u64>>,
}

impl<'o> Layout<'o> {
    fn new(body: &'o [u8], object: &Object<'_, [u8]>) -> Result<Option<Self>, ModuleError> {
        let format = object.format;
        let headers = header::table(body, format)?;
        let names = object.sections.iter().map(|section| section.name.as_slice());
        // The first header is a dummy.
        let mut removed: Vec<bool> = std::iter::once(false)
            .chain(
                names
                    .zip(&headers[1..])
                    .map(|(name, header)| is_debug_name(name) && header.flags & ALLOC == 0),
            )
            .collect();
        if !removed.contains(&true) {
            return Ok(None);
        }
        if header::kind(body, format) != RELOCATABLE
            || headers.iter().any(|header| header.kind == SYMTAB_SHNDX)
        {
            return Err(ModuleError::NotRelocatable);
        }
        let is_removed = |removed: &[bool], number: u64| {
            usize::try_from(number).ok().and_then(|number| removed.get(number)).copied().unwrap_or(false)
        };
        for (number, header) in headers.iter().enumerate() {
            if matches!(header.kind, REL | RELA) && is_removed(&removed, header.info) {
                removed[number] = true;
            }
        }
        for (number, header) in headers.iter().enumerate().filter(|(_, header)| header.kind == GROUP) {
            let mut members = group(header.bytes(body)?, format).skip(1).peekable();
            if members.peek().is_some() && members.all(|member| is_removed(&removed, member)) {
                removed[number] = true;
            }
        }
        let mut next = 0..;
        let numbers = removed.iter().map(|is_removed| if *is_removed { None } else { next.next() }).collect();
        Ok(Some(Self { body, format, headers, numbers }))
    }

    /// Returns the new number of a section; 0, which is none, for one that was removed.
    fn number(&self, old: u64) -> u64 {
        let number = usize::try_from(old).ok().and_then(|old| self.numbers.get(old));
        number.copied().flatten().unwrap_or(0)
    }

    fn write(&self) -> Result<Vec<u8>, ModuleError> {
        let format = self.format;
        let mut order: Vec<usize> =
            (0..self.headers.len()).filter(|at| self.numbers[*at].is_some()).collect();
        let total: u64 = order.iter().map(|at| self.headers[*at].len_in_file()).sum();
        if total > self.body.len() as u64 {
            return Err(ModuleError::Overlap);
        }
        let count = order.len();
        order.sort_by_key(|at| (self.headers[*at].offset, *at));
        let mut bytes = self.body[..header::len(format)].to_vec();
        let mut table = vec![Vec::new(); count];
        for at in order {
            let mut header = self.headers[at].clone();
            header.link = self.number(header.link);
            if matches!(header.kind, REL | RELA) || header.flags & INFO_LINK != 0 {
                header.info = self.number(header.info);
            }
            // The first header is a dummy without bytes.
            if at != 0 {
                pad(&mut bytes, header.align);
                let content = self.content(&self.headers[at])?;
                header.offset = bytes.len() as u64;
                if header.kind != NOBITS {
                    header.len = content.len() as u64;
                }
                bytes.extend(content);
            }
            let number = usize::try_from(self.number(at as u64)).unwrap_or_default();
            table[number] = header.to_bytes(format);
        }
        pad(&mut bytes, 8);
        let names = self.number(header::names(self.body, format));
        header::point(&mut bytes, format, count as u64, names);
        bytes.extend(table.concat());
        Ok(bytes)
    }

    /// Returns the bytes of a section, with the new numbers of sections.
    fn content(&self, header: &Header) -> Result<Vec<u8>, ModuleError> {
        let format = self.format;
        match header.kind {
            NOBITS => Ok(Vec::new()),
            SYMTAB => {
                let mut symbols = header.bytes(self.body)?.to_vec();
                symbols.chunks_exact_mut(format.symbol_len()).for_each(|symbol| self.renumber(symbol));
                Ok(symbols)
            }
            GROUP => {
                let mut words = group(header.bytes(self.body)?, format);
                let flags = words.next().into_iter();
                let members = words.map(|member| self.number(member)).filter(|number| *number != 0);
                Ok(flags.chain(members).flat_map(|word| format.bytes::<4>(word)).collect())
            }
            _ => Ok(header.bytes(self.body)?.to_vec()),
        }
    }

    /// Gives a symbol the new number of its section.
    fn renumber(&self, symbol: &mut [u8]) {
        let format = self.format;
        let (info, section) = if format.is_64_bit { (4, 6) } else { (12, 14) };
        let old = format.number(&symbol[section..section + 2]);
        if old >= RESERVED || usize::try_from(old).is_ok_and(|old| old >= self.numbers.len()) {
            return;
        }
        let new = self.number(old);
        if new == 0 && old != 0 {
            // Only the binding remains, as local symbols precede the others.
            let binding = symbol[info] & 0xf0;
            symbol.fill(0);
            symbol[info] = binding;
            symbol[section..section + 2].copy_from_slice(&format.bytes::<2>(ABSOLUTE));
        } else {
            symbol[section..section + 2].copy_from_slice(&format.bytes::<2>(new));
        }
    }
}

/// Returns the words of a group of sections: flags, and the numbers of sections.
fn group(bytes: &[u8], format: Format) -> impl Iterator<Item = u64> {
    bytes.chunks_exact(4).map(move |word| format.number(word))
}

fn pad(bytes: &mut Vec<u8>, align: u64) {
    let align = usize::try_from(align.clamp(1, MAX_ALIGN)).unwrap_or(1);
    bytes.resize(bytes.len().next_multiple_of(align), 0);
}
