//! The bytes of entries: those of the initramfs itself, or of an unpacked member.

use std::io::{self, BufRead};

/// The reason why reading ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The initramfs cannot be read.
    Io(io::Error),
    /// The kernel stops here too, or nothing more can be examined: the finding is in the report.
    Found,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A reader of entries. Its position is relative to the origin of alignment.
pub(super) struct Stream<'r> {
    reader: &'r mut dyn BufRead,
    position: u64,
    /// The offset of the compressed member in the initramfs, if this is its unpacked data.
    member: Option<u64>,
}

impl<'r> Stream<'r> {
    /// Reads the initramfs itself, starting at `position`.
    pub(super) fn plain(reader: &'r mut dyn BufRead, position: u64) -> Self {
        Self { reader, position, member: None }
    }

    /// Reads the unpacked data of the member that begins at `offset` in the initramfs.
    pub(super) fn unpacked(reader: &'r mut dyn BufRead, offset: u64) -> Self {
        Self { reader, position: 0, member: Some(offset) }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns true if this is the unpacked data of a member.
    pub(super) fn is_unpacked(&self) -> bool {
        self.member.is_some()
    }

    /// Converts a position of this stream to the offsets of a finding: in the initramfs, and in the
    /// unpacked data of a member.
    pub(super) fn place(&self, position: u64) -> (u64, Option<u64>) {
        match self.member {
            Some(member) => (member, Some(position)),
            None => (position, None),
        }
    }

    /// Returns the next byte without consuming it; `None` at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Skips zeros, and returns the byte after them, if any.
    pub(super) fn skip_zeros(&mut self) -> io::Result<Option<u8>> {
        loop {
            let next = self.peek()?;
            if next != Some(0) {
                return Ok(next);
            }
            let zeros = self.reader.fill_buf()?.iter().take_while(|byte| **byte == 0).count();
            self.consume(zeros);
        }
    }

    /// Passes the next `len` bytes to `each` in pieces; returns false if there are fewer.
    pub(super) fn pass(&mut self, len: u64, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        let mut left = len;
        while left > 0 {
            if self.peek()?.is_none() {
                return Ok(false);
            }
            let bytes = self.reader.fill_buf()?;
            let step = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            each(&bytes[..step]);
            self.consume(step);
            left -= step as u64;
        }
        Ok(true)
    }

    /// Returns the next `len` bytes, or fewer at the end.
    pub(super) fn take(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.pass(len, |more| bytes.extend(more))?;
        Ok(bytes)
    }

    fn consume(&mut self, len: usize) {
        self.reader.consume(len);
        self.position += len as u64;
    }
}
