//! Bytes of entries: those of the initramfs itself, or what a member unpacks to.

use std::io::{self, BufRead};

/// Why reading came to an end before its time.
#[derive(Debug)]
pub(super) enum Stop {
    /// The initramfs cannot be read.
    Io(io::Error),
    /// The kernel stops here too, or nothing behind can be looked into: the finding is in the report.
    Found,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A reader of entries with a position that counts from where alignment counts from.
pub(super) struct Stream<'r> {
    reader: &'r mut dyn BufRead,
    position: u64,
    /// Where the compressed member begins in the initramfs, if this is what it unpacks to.
    member: Option<u64>,
}

impl<'r> Stream<'r> {
    /// The initramfs itself, from a position on.
    pub(super) fn plain(reader: &'r mut dyn BufRead, position: u64) -> Self {
        Self { reader, position, member: None }
    }

    /// What the member unpacks to that begins at `offset` in the initramfs.
    pub(super) fn unpacked(reader: &'r mut dyn BufRead, offset: u64) -> Self {
        Self { reader, position: 0, member: Some(offset) }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether this is what a member unpacks to.
    pub(super) fn is_unpacked(&self) -> bool {
        self.member.is_some()
    }

    /// A position of this stream as a finding has it: in the initramfs, and in what a member unpacks to.
    pub(super) fn place(&self, position: u64) -> (u64, Option<u64>) {
        match self.member {
            Some(member) => (member, Some(position)),
            None => (position, None),
        }
    }

    /// The next byte, without passing over it; none at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Passes over zeros, and says whether anything follows.
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

    /// Hands on the next `len` bytes piece by piece, and says whether there were as many.
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

    /// The next `len` bytes, or fewer at the end.
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
