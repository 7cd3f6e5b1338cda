//! Readers that end when a signal came.

use std::io::{self, BufRead, Read};

use super::Interrupt;

/// A reader that fails once a signal came. A caller asks [`Interrupt::check`] for the reason then.
pub struct Interruptible<'i, R> {
    reader: R,
    interrupt: &'i Interrupt,
}

impl<'i, R> Interruptible<'i, R> {
    /// A reader of the same bytes.
    pub fn new(reader: R, interrupt: &'i Interrupt) -> Self {
        Self { reader, interrupt }
    }

    fn check(&self) -> io::Result<()> {
        // Another kind than `Interrupted`, which means to try again.
        self.interrupt.check().map_err(io::Error::other)
    }
}

impl<R: Read> Read for Interruptible<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.reader.read(buffer)
    }
}

impl<R: BufRead> BufRead for Interruptible<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}
