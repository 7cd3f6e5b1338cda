//! Readers that stop after a signal.

use std::io::{self, BufRead, Read};

use super::Interrupt;

/// A reader that fails once a signal was received. The caller then gets the reason from
/// [`Interrupt::check`].
pub struct Interruptible<'i, R> {
    reader: R,
    interrupt: &'i Interrupt,
}

impl<'i, R> Interruptible<'i, R> {
    /// Returns a reader of the same bytes.
    pub fn new(reader: R, interrupt: &'i Interrupt) -> Self {
        Self { reader, interrupt }
    }

    fn check(&self) -> io::Result<()> {
        // `Interrupted` would mean to retry.
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
