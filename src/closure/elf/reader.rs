//! Ranges of a file, read in windows that hold most of what is read next.
//!
//! The file is not mapped into memory: that takes unsafe code, and a file that is truncated
//! meanwhile kills the process. Two or three reads of 16 KiB are enough for most files.

use std::io;

use image_tree::Content;

use super::error::{Malformed, ReadError};

/// The number of bytes read at once. The header, the program headers, notes and strings of most
/// files are in the first window, their tags in a second.
const WINDOW: u64 = 16 << 10;

/// The number of bytes read before the requested offset. A soname is stored behind the names of the
/// needed libraries, and is requested first.
const BEFORE: u64 = 1 << 10;

pub(super) struct Reader<'c, C: ?Sized> {
    content: &'c C,
    /// The first window, which later strings often refer to, and the last one.
    windows: [Window; 2],
}

#[derive(Default)]
struct Window {
    /// The offset in bytes from the start of the file.
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn range(&self, offset: u64, len: u64) -> Option<std::ops::Range<usize>> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        (to <= self.bytes.len()).then_some(from..to)
    }
}

impl<'c, C: Content + ?Sized> Reader<'c, C> {
    pub(super) fn new(content: &'c C) -> Self {
        Self { content, windows: Default::default() }
    }

    /// The file's length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.content.len()
    }

    /// Returns the bytes of a range, whose length the caller has limited.
    pub(super) fn get(&mut self, what: &'static str, offset: u64, len: u64) -> Result<&[u8], ReadError> {
        let file = self.len();
        let outside = Malformed::Outside { what, offset, len, file };
        if offset.checked_add(len).is_none_or(|end| end > file) {
            return Err(outside.into());
        }
        let holds = |window: &Window| window.range(offset, len).is_some();
        let index = match self.windows.iter().position(holds) {
            Some(index) => index,
            None => self.read(offset, len)?,
        };
        let window = &self.windows[index];
        window.range(offset, len).and_then(|range| window.bytes.get(range)).ok_or(outside.into())
    }

    /// Reads a range within the file and some bytes around it. Returns the index of the window that
    /// holds it.
    fn read(&mut self, offset: u64, len: u64) -> Result<usize, ReadError> {
        let start = offset.saturating_sub(BEFORE);
        let size = (offset - start + len).max(WINDOW).min(self.len() - start);
        let index = usize::from(!self.windows[0].bytes.is_empty());
        let window = &mut self.windows[index];
        window.start = start;
        window.bytes.resize(usize::try_from(size).map_err(io::Error::other)?, 0);
        if let Err(error) = self.content.read_at(&mut window.bytes, start) {
            window.bytes.clear();
            return Err(error.into());
        }
        Ok(index)
    }

    /// Returns the bytes up to a NUL, which must be among the next `left` bytes of the file and
    /// follow at most `limit` bytes.
    pub(super) fn string(
        &mut self,
        what: &'static str,
        offset: u64,
        left: u64,
        limit: usize,
    ) -> Result<Vec<u8>, ReadError> {
        // Most names are short: a long range is read only for strings that do not end in a short
        // one.
        for piece in [256, limit as u64 + 1] {
            let len = piece.min(left).min(self.len().saturating_sub(offset));
            let bytes = self.get(what, offset, len)?;
            if let Some(end) = bytes.iter().take(limit + 1).position(|byte| *byte == 0) {
                return Ok(bytes[..end].to_vec());
            }
        }
        Err(Malformed::NoEnd { what, offset, limit }.into())
    }
}
