//! The sections of an ELF object, of 32 or 64 bits and either byte order.

use std::io;

use image_tree::Content;

use crate::error::ModuleError;
use crate::limits;

/// The word size and byte order of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) is_64_bit: bool,
    pub(crate) is_big_endian: bool,
}

impl Format {
    /// Reads an unsigned number of up to 8 bytes that is all of `bytes`.
    pub(crate) fn number(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self.is_big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        }
    }

    /// Returns a number as this many bytes, of which there are at most 8; higher ones are left out.
    pub(crate) fn bytes_of(self, number: u64, len: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes()[..len].to_vec();
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// Returns a number as an array of at most 8 bytes.
    pub(crate) fn bytes<const LEN: usize>(self, number: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes.copy_from_slice(&self.bytes_of(number, LEN));
        bytes
    }

    /// The length of a section header in bytes.
    fn header_len(self) -> usize {
        if self.is_64_bit { 64 } else { 40 }
    }

    /// The length of a symbol in bytes.
    pub(crate) fn symbol_len(self) -> usize {
        if self.is_64_bit { 24 } else { 16 }
    }
}

/// A section header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: Vec<u8>,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// An object whose headers were read.
pub(crate) struct Object<'c, C: ?Sized> {
    content: &'c C,
    pub(crate) format: Format,
    pub(crate) machine: u64,
    pub(crate) sections: Vec<Section>,
}

impl<'c, C: Content + ?Sized> Object<'c, C> {
    /// Reads the headers of an object and of its sections.
    ///
    /// # Errors
    /// If it is not an ELF object, or a header or the names of sections are not within the file.
    pub(crate) fn parse(content: &'c C) -> Result<Self, ModuleError> {
        let len = content.len().min(64);
        let header = read(content, 0, len, "the ELF header")?;
        let format = format(&header)?;
        let number = |at: (usize, usize)| {
            let end = at.0 + at.1;
            let bytes = header.get(at.0..end).ok_or(ModuleError::Truncated { part: "the ELF header" })?;
            Ok::<u64, ModuleError>(format.number(bytes))
        };
        let wide = format.is_64_bit;
        let table = number(if wide { (40, 8) } else { (32, 4) })?;
        let fields = if wide { 58 } else { 46 };
        let (entry, count) = (number((fields, 2))?, number((fields + 2, 2))?);
        let names = number((fields + 4, 2))?;
        if entry != format.header_len() as u64 {
            return Err(ModuleError::HeaderLength { len: entry, expected: format.header_len() as u64 });
        }
        let headers = read(content, table, entry * count, "the table of section headers")?;
        let mut object = Self { content, format, machine: number((18, 2))?, sections: Vec::new() };
        object.sections = object.named(&headers, names)?;
        Ok(object)
    }

    /// Returns the sections, without the first, which is a dummy. `names` is the number of the one
    /// with the names of all.
    fn named(&self, headers: &[u8], names: u64) -> Result<Vec<Section>, ModuleError> {
        let (wide, format) = (self.format.is_64_bit, self.format);
        let extent = |header: &[u8]| match wide {
            true => (format.number(&header[24..32]), format.number(&header[32..40])),
            false => (format.number(&header[16..20]), format.number(&header[20..24])),
        };
        let mut all = headers.chunks_exact(format.header_len());
        let index = usize::try_from(names).unwrap_or(usize::MAX);
        let (offset, len) = all.clone().nth(index).map(extent).unwrap_or_default();
        let names = self.read(offset, len, limits::MAX_SECTION, "the names of sections")?;
        // The first header is a dummy.
        all.next();
        let section = |header: &[u8]| {
            let at = usize::try_from(format.number(&header[..4])).unwrap_or(usize::MAX);
            let name = string(&names, at).ok_or(ModuleError::SectionName { offset: at as u64 })?;
            let (offset, len) = extent(header);
            Ok(Section { name: name.to_vec(), offset, len })
        };
        all.map(section).collect()
    }

    /// Reads the first section of a name, of at most `limit` bytes; `None` if there is none.
    ///
    /// # Errors
    /// If the section is not within the file or too long.
    pub(crate) fn section(&self, name: &'static str, limit: u64) -> Result<Option<Vec<u8>>, ModuleError> {
        let found = self.sections.iter().find(|section| section.name == name.as_bytes());
        found.map(|section| self.read(section.offset, section.len, limit, name)).transpose()
    }

    fn read(&self, offset: u64, len: u64, limit: u64, part: &'static str) -> Result<Vec<u8>, ModuleError> {
        if len > limit {
            return Err(ModuleError::TooLong { part, len, limit });
        }
        read(self.content, offset, len, part)
    }
}

/// Returns the string in a table that begins at this offset, without its NUL.
pub(crate) fn string(table: &[u8], offset: usize) -> Option<&[u8]> {
    let rest = table.get(offset..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(&rest[..end])
}

fn format(header: &[u8]) -> Result<Format, ModuleError> {
    let (class, order) = match header {
        [0x7f, b'E', b'L', b'F', class, order, ..] => (*class, *order),
        _ => return Err(ModuleError::NotElf),
    };
    match (class, order) {
        (1 | 2, 1 | 2) => Ok(Format { is_64_bit: class == 2, is_big_endian: order == 2 }),
        _ => Err(ModuleError::Class { class, order }),
    }
}

fn read<C: Content + ?Sized>(
    content: &C,
    offset: u64,
    len: u64,
    part: &'static str,
) -> Result<Vec<u8>, ModuleError> {
    let is_within = offset.checked_add(len).is_some_and(|end| end <= content.len());
    if !is_within {
        return Err(ModuleError::Truncated { part });
    }
    let len = usize::try_from(len).map_err(io::Error::other).map_err(ModuleError::Read)?;
    let mut bytes = vec![0; len];
    content.read_at(&mut bytes, offset).map_err(ModuleError::Read)?;
    Ok(bytes)
}
