//! The two ends of a disk as a device in memory.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// A device of any length with only its ends in memory. The bytes between them read as zeros and
/// cannot be written, so a table can be written for a disk far larger than memory.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    len: u64,
    position: u64,
}

impl Ends {
    /// Creates a device filled with zeros. The ends must not overlap.
    pub(crate) fn new(len: u64, head_len: usize, tail_len: usize) -> Self {
        let ends = Self { head: vec![0; head_len], tail: vec![0; tail_len], len, position: 0 };
        assert!(ends.head.len() as u64 <= ends.tail_offset(), "the ends of a disk overlap");
        ends
    }

    fn tail_offset(&self) -> u64 {
        self.len.checked_sub(self.tail.len() as u64).expect("a disk is longer than its tail")
    }

    /// The bytes of an end starting at the position; empty between the ends and past the end of the
    /// device.
    fn here(&mut self) -> &mut [u8] {
        let (end, from) = match self.position.checked_sub(self.tail_offset()) {
            Some(from) => (&mut self.tail, from),
            None => (&mut self.head, self.position),
        };
        usize::try_from(from).ok().and_then(|from| end.get_mut(from..)).unwrap_or_default()
    }
}

impl Read for Ends {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let here = self.here();
        let mut count = here.len().min(buffer.len());
        buffer[..count].copy_from_slice(&here[..count]);
        if count == 0 {
            let middle = self.tail_offset().saturating_sub(self.position);
            count = buffer.len().min(usize::try_from(middle).unwrap_or(usize::MAX));
            buffer[..count].fill(0);
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let here = self.here();
        let count = here.len().min(bytes.len());
        here[..count].copy_from_slice(&bytes[..count]);
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Ends {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_keep_what_is_written_and_the_middle_is_zeros() {
        let mut ends = Ends::new(100, 4, 3);
        ends.write_all(b"head").expect("the head is writable");
        assert!(ends.write_all(b"x").is_err(), "the middle is not");
        ends.seek(SeekFrom::End(-3)).expect("within the device");
        ends.write_all(b"end").expect("the tail is writable");
        assert!(ends.write_all(b"x").is_err(), "the device ends");

        ends.rewind().expect("within the device");
        let mut all = Vec::new();
        ends.read_to_end(&mut all).expect("memory does not fail");
        assert_eq!(all.len(), 100);
        assert!(all.starts_with(b"head\0\0") && all.ends_with(b"\0\0end"));
        assert!(all[4..97].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn seeking_out_of_range_is_an_error() {
        let mut ends = Ends::new(100, 4, 3);
        assert_eq!(ends.seek(SeekFrom::End(0)).ok(), Some(100));
        assert_eq!(ends.seek(SeekFrom::Current(-60)).ok(), Some(40));
        assert!(ends.seek(SeekFrom::Current(-41)).is_err());
        assert_eq!(ends.seek(SeekFrom::Start(u64::MAX)).ok(), Some(u64::MAX));
        assert_eq!(ends.read(&mut [0]).ok(), Some(0));
    }
}
