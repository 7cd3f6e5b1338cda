//! A reader whose next bytes can be peeked at before they are consumed.

use std::io::{self, BufRead, Read};

/// The size of a read, in bytes.
const CAPACITY: usize = 1 << 17;

pub(super) struct Buffered<R> {
    reader: R,
    bytes: Box<[u8]>,
    /// The bytes from here to `end` are not consumed yet.
    start: usize,
    end: usize,
    has_ended: bool,
}

impl<R: Read> Buffered<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, bytes: vec![0; CAPACITY].into(), start: 0, end: 0, has_ended: false }
    }

    /// Returns true if more bytes were requested than there were.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns the next bytes, without consuming them: `count` of them, or all that are left.
    /// `count` is less than the capacity.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let ended_before = self.has_ended;
        while self.end - self.start < count && self.fill()? > 0 {}
        // A peek does not count as a request.
        self.has_ended = ended_before;
        Ok(&self.bytes[self.start..self.end.min(self.start + count)])
    }

    /// Reads more bytes behind the buffered ones, and returns their number.
    fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        loop {
            match self.reader.read(&mut self.bytes[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                count => {
                    let count = count?;
                    self.end += count;
                    self.has_ended |= count == 0;
                    return Ok(count);
                }
            }
        }
    }
}

impl<R: Read> BufRead for Buffered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.fill()?;
        }
        Ok(&self.bytes[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

impl<R: Read> Read for Buffered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
