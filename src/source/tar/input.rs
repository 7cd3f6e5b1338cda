//! The bytes of an archive, in order: blocks, payloads and the ranges where these stay.

use std::io::{self, Read};
use std::sync::Arc;

use image_tree::Content as _;

use super::budget::Totals;
use super::decompress::Decompressed;
use super::error::Problem;
use super::header::BLOCK;
use crate::blob::{Archive, ArchiveRange, Spool};
use crate::error::Error;
use crate::interrupt::Interrupt;

/// The cause of a failed read.
#[derive(Debug)]
pub(super) enum Failure {
    /// The archive is invalid.
    Bad(Problem),
    /// The compressed data cannot be unpacked.
    Decode(io::Error),
    /// The system failed to read it.
    Read(io::Error),
    /// The system failed to store what was unpacked.
    Spool(io::Error),
    /// A signal came.
    Interrupted(Error),
}

impl<P: Into<Problem>> From<P> for Failure {
    fn from(problem: P) -> Self {
        Self::Bad(problem.into())
    }
}

/// The most zeros behind the end, in bytes: 64 MiB. Programs pad the last record, of 10 KiB as a
/// rule and of a few MiB on tapes; a device of zeros has no end.
const MAX_ZEROS: u64 = 64 << 20;

pub(super) struct Input<'a> {
    bytes: Bytes<'a>,
    /// The store of what a stream unpacks to.
    spool: Option<Spool>,
    /// True if the spool has all bytes of the stream at their offsets.
    keeps_all: bool,
    /// The archive that contents are ranges of.
    archive: Arc<Archive>,
    position: u64,
    max_size: u64,
    /// The amounts of all archives with this limit.
    totals: Arc<Totals>,
    /// The bytes of this archive that are in the totals.
    charged: u64,
    trailing: Trailing,
    /// Called with all bytes of a stream in order.
    tap: Option<Tap<'a>>,
    interrupt: &'a Interrupt,
}

/// A callback for the bytes of a stream.
pub(super) type Tap<'a> = Box<dyn FnMut(&[u8]) + 'a>;

/// The treatment of bytes behind the end of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailing {
    /// They must be zeros, and not too many.
    Zeros,
    /// They are read and ignored, as by all programs that read layers.
    Ignored,
}

enum Bytes<'a> {
    /// The bytes of the archive that contents are ranges of: from an offset on, this many.
    InPlace { start: u64, len: u64 },
    /// The bytes of a stream, whose contents are stored in the spool.
    Stream(Decompressed<'a>),
}

/// The size of a read, in bytes.
const CHUNK: usize = 1 << 18;

impl<'a> Input<'a> {
    pub(super) fn in_place(range: &ArchiveRange, max_size: u64, interrupt: &'a Interrupt) -> Self {
        let (archive, start) = range.place();
        let bytes = Bytes::InPlace { start, len: range.len() };
        Self::new(bytes, Arc::new(archive.share()), max_size, interrupt)
    }

    pub(super) fn stream(
        reader: Decompressed<'a>,
        spool: Spool,
        max_size: u64,
        interrupt: &'a Interrupt,
    ) -> Self {
        let archive = Arc::clone(spool.archive());
        Self { spool: Some(spool), ..Self::new(Bytes::Stream(reader), archive, max_size, interrupt) }
    }

    fn new(bytes: Bytes<'a>, archive: Arc<Archive>, max_size: u64, interrupt: &'a Interrupt) -> Self {
        Self {
            bytes,
            spool: None,
            keeps_all: false,
            archive,
            position: 0,
            max_size,
            totals: Arc::default(),
            charged: 0,
            trailing: Trailing::Zeros,
            tap: None,
            interrupt,
        }
    }

    /// The archive that contents are ranges of.
    pub(super) fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// Stores all bytes of a stream in the file of its spool, also those between contents.
    pub(super) fn keep_all(&mut self) {
        self.keeps_all = true;
    }

    /// Sets the treatment of bytes behind the end.
    pub(super) fn set_trailing(&mut self, trailing: Trailing) {
        self.trailing = trailing;
    }

    /// Charges from now on what others charge as well.
    pub(super) fn set_totals(&mut self, totals: Arc<Totals>) {
        self.totals = totals;
    }

    /// Sets a callback for all bytes of a stream in order.
    pub(super) fn set_tap(&mut self, tap: Tap<'a>) {
        self.tap = Some(tap);
    }

    /// Returns the number of bytes that were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the next block, or none at the end.
    pub(super) fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Failure> {
        let mut block = [0; BLOCK];
        match self.read_full(&mut block)? {
            BLOCK => Ok(Some(block)),
            0 => Ok(None),
            count => Err(truncated("a block", (BLOCK - count) as u64)),
        }
    }

    /// Returns the next block, or an error at the end.
    pub(super) fn require_block(&mut self, what: &'static str) -> Result<[u8; BLOCK], Failure> {
        self.block()?.ok_or_else(|| truncated(what, BLOCK as u64))
    }

    /// Reads a payload into memory, with the padding of its last block. The caller bounds its
    /// length.
    pub(super) fn bytes(&mut self, len: u64, what: &'static str) -> Result<Vec<u8>, Failure> {
        let missing = |count: usize| truncated(what, len.saturating_sub(count as u64));
        let padded = len.checked_next_multiple_of(BLOCK as u64).and_then(|len| usize::try_from(len).ok());
        let mut bytes = vec![0; padded.ok_or_else(|| missing(0))?];
        let count = self.read_full(&mut bytes)?;
        if count < bytes.len() {
            return Err(missing(count));
        }
        bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// Returns the range of a payload that stays in place or is stored, and skips the padding of
    /// its last block.
    pub(super) fn payload(&mut self, len: u64) -> Result<ArchiveRange, Failure> {
        let what = "the contents";
        let padded = len.checked_next_multiple_of(BLOCK as u64);
        let end = padded.and_then(|padded| self.position.checked_add(padded));
        let end = end.ok_or_else(|| truncated(what, len))?;
        let position = self.position;
        let offset = match &self.bytes {
            Bytes::InPlace { start, len: all } => {
                let missing = end.saturating_sub(*all);
                if missing > 0 {
                    return Err(truncated(what, missing));
                }
                self.position = end;
                start.saturating_add(position)
            }
            Bytes::Stream(_) => {
                self.check_size(end)?;
                self.unpack(len, end)?
            }
        };
        Ok(ArchiveRange::new(Arc::clone(&self.archive), offset, len).at_position(position))
    }

    /// Stores a payload of a stream, and returns its address in the spool.
    fn unpack(&mut self, len: u64, end: u64) -> Result<u64, Failure> {
        let mut padding = [0; BLOCK];
        let Some(mut spool) = self.spool.take() else { return Ok(self.position) };
        let (address, stored) = match self.keeps_all {
            true => (spool.end_of_file(), end - self.position),
            false => (spool.begin(len), len),
        };
        let mut done = 0;
        while done < stored {
            let buffer = spool.buffer(address + done, stored - done).map_err(Failure::Spool)?;
            self.read_contents(buffer, end)?;
            done += buffer.len() as u64;
        }
        let padding = &mut padding[..usize::try_from(end - self.position).unwrap_or(0)];
        self.read_contents(padding, end)?;
        self.spool = Some(spool);
        Ok(address)
    }

    /// Fills a buffer with bytes of a payload, which ends at `end`.
    fn read_contents(&mut self, buffer: &mut [u8], end: u64) -> Result<(), Failure> {
        if self.read_full(buffer)? < buffer.len() {
            return Err(truncated("the contents", end - self.position));
        }
        Ok(())
    }

    /// Skips a payload.
    pub(super) fn skip(&mut self, len: u64) -> Result<(), Failure> {
        self.payload(len).map(|_| ())
    }

    /// Returns the number of zeros behind the compressed archive, in bytes, once it is finished.
    pub(super) fn padding(&self) -> u64 {
        match &self.bytes {
            Bytes::InPlace { .. } => 0,
            Bytes::Stream(reader) => reader.padding(),
        }
    }

    /// Reads the rest, which must be zeros, and checks that the archive has not changed.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; CHUNK];
        let end = self.position;
        let is_checked = self.trailing == Trailing::Zeros;
        loop {
            if is_checked && self.position - end > MAX_ZEROS {
                return Err(Problem::Zeros(MAX_ZEROS).into());
            }
            let before = self.position;
            let count = self.read_full(&mut buffer)?;
            if is_checked && let Some(at) = buffer[..count].iter().position(|byte| *byte != 0) {
                self.position = before + at as u64;
                return Err(Problem::Trailing.into());
            }
            if count < buffer.len() {
                break;
            }
        }
        if let Some(spool) = &mut self.spool {
            spool.finish().map_err(Failure::Spool)?;
        }
        self.archive.check_unchanged().map_err(Failure::Read)
    }

    /// Fills as much of the buffer as there are bytes.
    fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let count = match &mut self.bytes {
            Bytes::InPlace { start, len } => {
                let left = len.saturating_sub(self.position);
                let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let at = start.saturating_add(self.position);
                self.archive.read_unchecked(&mut buffer[..count], at).map_err(|error| {
                    // It is shorter than before.
                    Failure::Read(self.archive.check_unchanged().err().unwrap_or(error))
                })?;
                count
            }
            Bytes::Stream(reader) => fill(reader, buffer)?,
        };
        if let Some(spool) = self.spool.as_mut().filter(|_| self.keeps_all) {
            spool.append(&buffer[..count]).map_err(Failure::Spool)?;
        }
        if let Some(tap) = &mut self.tap {
            tap(&buffer[..count]);
        }
        // The writer of the pipe may have been stopped by the same signal, which ended the stream.
        self.interrupt.check().map_err(Failure::Interrupted)?;
        self.position += count as u64;
        self.check_size(self.position)?;
        Ok(count)
    }

    /// Fails if `size` bytes of this archive, and those of the others, exceed the limit.
    fn check_size(&mut self, size: u64) -> Result<(), Failure> {
        let max = self.max_size;
        let more = size.saturating_sub(self.charged);
        self.charged += more;
        let what = match (size > max, self.totals.unpacked(more) > max) {
            (true, _) => "the archive has",
            (false, true) => "this archive and others have, unpacked,",
            (false, false) => return Ok(()),
        };
        Err(Problem::MaxSize { what, max }.into())
    }
}

fn truncated(what: &'static str, missing: u64) -> Failure {
    Problem::Truncated { what, missing }.into()
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Failure> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error().is_some() => return Err(Failure::Read(error)),
            Err(error) => return Err(Failure::Decode(error)),
        }
    }
    Ok(filled)
}
