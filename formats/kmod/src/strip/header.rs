//! The headers of an object and of its sections, with all their fields.

use crate::elf::Format;
use crate::error::ModuleError;

/// `SHT_NOBITS`: the section has no bytes in the file.
pub(super) const NOBITS: u64 = 8;

const PART: &str = "the table of section headers";

/// The header of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    name: u64,
    pub(super) kind: u64,
    pub(super) flags: u64,
    address: u64,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) link: u64,
    pub(super) info: u64,
    pub(super) align: u64,
    entry: u64,
}

impl Header {
    fn parse(bytes: &[u8], format: Format) -> Self {
        let widths = widths(format);
        let (mut fields, mut at) = ([0; 10], 0);
        for (field, width) in fields.iter_mut().zip(widths) {
            *field = format.number(&bytes[at..at + width]);
            at += width;
        }
        let [name, kind, flags, address, offset, len, link, info, align, entry] = fields;
        Self { name, kind, flags, address, offset, len, link, info, align, entry }
    }

    pub(super) fn to_bytes(&self, format: Format) -> Vec<u8> {
        let Self { name, kind, flags, address, offset, len, link, info, align, entry } = self;
        let fields = [name, kind, flags, address, offset, len, link, info, align, entry];
        let fields = fields.into_iter().zip(widths(format));
        fields.flat_map(|(field, width)| format.bytes_of(*field, width)).collect()
    }

    /// The length of the section in the file, in bytes.
    pub(super) fn len_in_file(&self) -> u64 {
        if matches!(self.kind, NOBITS | 0) { 0 } else { self.len }
    }

    /// Returns the bytes of the section.
    pub(super) fn bytes<'b>(&self, body: &'b [u8]) -> Result<&'b [u8], ModuleError> {
        let start = usize::try_from(self.offset).ok();
        let end = self.offset.checked_add(self.len_in_file()).and_then(|end| usize::try_from(end).ok());
        let range = start.zip(end).filter(|(start, _)| *start <= body.len()).map(|(start, end)| start..end);
        match self.len_in_file() {
            0 => Ok(&[]),
            _ => range.and_then(|range| body.get(range)).ok_or(ModuleError::Truncated { part: "a section" }),
        }
    }
}

/// The lengths of the fields of a section header, in bytes.
fn widths(format: Format) -> [usize; 10] {
    if format.is_64_bit { [4, 4, 8, 8, 8, 8, 4, 4, 8, 8] } else { [4; 10] }
}

/// The length of the ELF header in bytes.
pub(super) fn len(format: Format) -> usize {
    if format.is_64_bit { 64 } else { 52 }
}

/// The places of the offset of the table, of the number of headers, and of the number of the section
/// with names, with the length of the first.
fn places(format: Format) -> (usize, usize, usize, usize) {
    if format.is_64_bit { (40, 8, 60, 62) } else { (32, 4, 48, 50) }
}

/// The type of the object.
pub(super) fn kind(body: &[u8], format: Format) -> u64 {
    format.number(&body[16..18])
}

/// The number of the section with the names of all.
pub(super) fn names(body: &[u8], format: Format) -> u64 {
    let (_, _, _, at) = places(format);
    format.number(&body[at..at + 2])
}

/// Returns all section headers of an object, which was parsed before.
pub(super) fn table(body: &[u8], format: Format) -> Result<Vec<Header>, ModuleError> {
    if body.len() < len(format) {
        return Err(ModuleError::Truncated { part: "the ELF header" });
    }
    let (at, width, count, _) = places(format);
    let start = usize::try_from(format.number(&body[at..at + width])).ok();
    let count = usize::try_from(format.number(&body[count..count + 2])).unwrap_or_default();
    let one = widths(format).iter().sum::<usize>();
    let bytes = start.and_then(|start| body.get(start..start.checked_add(count * one)?));
    let bytes = bytes.filter(|bytes| !bytes.is_empty()).ok_or(ModuleError::Truncated { part: PART })?;
    Ok(bytes.chunks_exact(one).map(|header| Header::parse(header, format)).collect())
}

/// Writes to the ELF header that the table follows the bytes.
pub(super) fn point(bytes: &mut [u8], format: Format, headers: u64, names: u64) {
    let (at, width, count_at, names_at) = places(format);
    let table = format.bytes_of(bytes.len() as u64, width);
    bytes[at..at + width].copy_from_slice(&table);
    bytes[count_at..count_at + 2].copy_from_slice(&format.bytes::<2>(headers));
    bytes[names_at..names_at + 2].copy_from_slice(&format.bytes::<2>(names));
}
