//! The input: a reader with a position and lookahead.

use std::io::{self, BufRead, Read};

use crate::compression::decode::Lookahead;

/// The maximum lookahead, in bytes.
const BUFFER: usize = 1 << 16;

/// A reader with a position, which keeps errors of the underlying reader apart from those of
/// decompressors.
pub(super) struct Input<'r> {
    reader: &'r mut dyn Read,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The offset of `buffer[start]` in the initramfs.
    position: u64,
    error: Option<io::Error>,
}

impl<'r> Input<'r> {
    pub(super) fn new(reader: &'r mut dyn Read) -> Self {
        Self { reader, buffer: vec![0; BUFFER], start: 0, end: 0, position: 0, error: None }
    }

    /// Returns the offset of the next byte in the initramfs.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the error of the underlying reader, if one occurred.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Returns the next `len` bytes, or fewer at the end, without consuming them.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        debug_assert!(len <= BUFFER);
        if self.end - self.start < len {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < len {
            if self.more()? == 0 {
                break;
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + len)])
    }

    /// Reads more bytes into the buffer, and returns their number.
    fn more(&mut self) -> io::Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Decompressors may convert errors, so the original error is kept here.
                    let kind = error.kind();
                    self.error = Some(error);
                    return Err(kind.into());
                }
            }
        }
    }
}

impl Lookahead for &mut Input<'_> {
    fn next_word(&mut self) -> io::Result<Vec<u8>> {
        self.peek(4).map(<[u8]>::to_vec)
    }

    fn at(&self) -> u64 {
        self.position()
    }
}

impl Read for Input<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(out.len());
        out[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, len: usize) {
        self.start += len;
        self.position += len as u64;
    }
}
