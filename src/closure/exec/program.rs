//! The parts of an ELF file that the kernel reads before it starts a program.

use std::io;
use std::ops::Range;
use std::sync::Mutex;

use image_tree::Content;
use image_tree::resolve::MAX_PATH;

use super::refusal::{Errno, Refusal, refusal};
use crate::closure::elf::Abi;

/// The maximum size of the program headers in bytes.
const MAX_PROGRAM_HEADERS: u64 = 65_536;

const ET_EXEC: u64 = 2;
const ET_DYN: u64 = 3;
const PT_INTERP: u64 = 3;

/// A program, as the kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) abi: Abi,
    /// The path in `PT_INTERP`.
    pub(super) interpreter: Option<Vec<u8>>,
}

/// Returns the length of an ELF header in bytes.
pub(super) fn header_len(abi: Abi) -> u64 {
    if abi.class == 1 { 52 } else { 64 }
}

impl Program {
    /// Reads the ELF header, the program headers and the path of the dynamic linker.
    pub(super) fn read<C: Content + ?Sized>(content: &C) -> io::Result<Result<Self, Refusal>> {
        let mut header = [0; 64];
        // The rest of the kernel's buffer is zero.
        let len = content.len().min(header.len() as u64);
        read_at(content, &mut header[..usize::try_from(len).unwrap_or(0)], 0)?;
        if !header.starts_with(b"\x7fELF") {
            let why = "it is neither an ELF program nor a script that starts with #!";
            return Ok(refusal(Errno::Noexec, why));
        }
        let fields = Fields { wide: header[4] != 1, big_endian: header[5] == 2, bytes: &header };
        let machine = u16::try_from(fields.at(18, 2)).unwrap_or(0);
        let abi =
            Abi { class: if fields.wide { 2 } else { 1 }, data: 1 + u8::from(fields.big_endian), machine };
        if !matches!(fields.at(16, 2), ET_EXEC | ET_DYN) {
            let why = format!("its ELF type is {}, not that of a program (e_type)", fields.at(16, 2));
            return Ok(refusal(Errno::Noexec, why));
        }
        let (at, entry, count) = match fields.wide {
            true => (fields.at(32, 8), fields.at(54, 2), fields.at(56, 2)),
            false => (fields.at(28, 4), fields.at(42, 2), fields.at(44, 2)),
        };
        let (size, total) = (if fields.wide { 56 } else { 32 }, entry * count);
        if entry != size || total == 0 || total > MAX_PROGRAM_HEADERS {
            let why = format!(
                "it has {count} program headers of {entry} bytes, and those of a program have {size}"
            );
            return Ok(refusal(Errno::Noexec, why));
        }
        if at.checked_add(total).is_none_or(|end| end > content.len()) {
            return Ok(refusal(Errno::Noexec, "its program headers are not within the file"));
        }
        let mut table = vec![0; usize::try_from(total).map_err(io::Error::other)?];
        read_at(content, &mut table, at)?;
        let headers = table.chunks_exact(usize::try_from(size).map_err(io::Error::other)?);
        let mut headers = headers.map(|bytes| Fields { bytes, ..fields });
        let Some(segment) = headers.find(|segment| segment.at(0, 4) == PT_INTERP) else {
            return Ok(Ok(Self { abi, interpreter: None }));
        };
        let (offset, len) = match fields.wide {
            true => (segment.at(8, 8), segment.at(32, 8)),
            false => (segment.at(4, 4), segment.at(16, 4)),
        };
        Ok(interpreter(content, offset, len)?.map(|path| Self { abi, interpreter: Some(path) }))
    }
}

/// Reads the path of the dynamic linker.
fn interpreter<C: Content + ?Sized>(
    content: &C,
    offset: u64,
    len: u64,
) -> io::Result<Result<Vec<u8>, Refusal>> {
    const WHAT: &str = "the path of its dynamic linker (PT_INTERP)";
    if !(2..=MAX_PATH as u64 + 1).contains(&len) {
        return Ok(refusal(Errno::Noexec, format!("{WHAT} has {len} bytes")));
    }
    if offset.checked_add(len).is_none_or(|end| end > content.len()) {
        return Ok(refusal(Errno::Io, format!("{WHAT} is not within the file")));
    }
    let mut path = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    read_at(content, &mut path, offset)?;
    if path.last() != Some(&0) {
        return Ok(refusal(Errno::Noexec, format!("{WHAT} does not end in NUL")));
    }
    path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
    Ok(Ok(path))
}

fn read_at<C: Content + ?Sized>(content: &C, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if buffer.is_empty() { Ok(()) } else { content.read_at(buffer, offset) }
}

/// The fields of a header.
#[derive(Clone, Copy)]
struct Fields<'b> {
    /// True for 64 bits.
    wide: bool,
    big_endian: bool,
    bytes: &'b [u8],
}

impl Fields<'_> {
    /// Returns the number at an offset, which has up to 8 bytes.
    fn at(&self, offset: usize, len: usize) -> u64 {
        let bytes = self.bytes.get(offset..offset + len).unwrap_or_default();
        let add = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

/// Returns the ranges that are read of a program before it starts, for a caller that cannot keep
/// all of its bytes.
#[must_use]
pub fn record(bytes: &[u8]) -> Vec<Range<u64>> {
    let recorder = Recorder { bytes, ranges: Mutex::new(Vec::new()) };
    // Bytes in memory can be read; a refusal is found again by the one who reads the ranges.
    let _ = Program::read(&recorder);
    recorder.ranges.into_inner().unwrap_or_default()
}

/// Bytes that record the ranges read from them.
struct Recorder<'b> {
    bytes: &'b [u8],
    ranges: Mutex<Vec<Range<u64>>>,
}

impl Content for Recorder<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if let Ok(mut ranges) = self.ranges.lock() {
            ranges.push(offset..offset.saturating_add(buffer.len() as u64));
        }
        self.bytes.read_at(buffer, offset)
    }
}
