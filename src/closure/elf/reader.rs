//! Ranges of a file, read in pieces that hold most of what comes next.

use image_tree::Content;

use super::{Malformed, ReadError};

/// How much is read at once. The header, the program headers, notes and strings of most libraries are in the first of
/// these, and their tags are in a second.
const WINDOW: u64 = 32 << 10;

pub(super) struct Reader<'c, C: ?Sized> {
    content: &'c C,
    /// Where the window lies, in bytes from the file's start.
    start: u64,
    window: Vec<u8>,
}

impl<'c, C: Content + ?Sized> Reader<'c, C> {
    pub(super) fn new(content: &'c C) -> Self {
        Self { content, start: 0, window: Vec::new() }
    }

    /// The file's length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.content.len()
    }

    /// The bytes of a range, whose length the caller has limited.
    pub(super) fn get(&mut self, what: &'static str, offset: u64, len: u64) -> Result<&[u8], ReadError> {
        let file = self.len();
        let outside = Malformed::Outside { what, offset, len, file };
        if offset.checked_add(len).is_none_or(|end| end > file) {
            return Err(outside.into());
        }
        let in_window = |start: u64, held: usize| {
            let from = offset.checked_sub(start)?;
            (from.checked_add(len)? <= held as u64).then_some(from)
        };
        if in_window(self.start, self.window.len()).is_none() {
            let size = len.max(WINDOW).min(file - offset);
            self.window.resize(usize::try_from(size).map_err(|_| outside.clone())?, 0);
            self.start = offset;
            let read = self.content.read_at(&mut self.window, offset);
            if let Err(error) = read {
                self.window.clear();
                return Err(error.into());
            }
        }
        let range = usize::try_from(offset - self.start).ok().zip(usize::try_from(len).ok());
        range.and_then(|(from, len)| self.window.get(from..from + len)).ok_or(outside.into())
    }

    /// The bytes up to a NUL, which has to come among the next `left` of the file and after at most `limit`.
    pub(super) fn string(
        &mut self,
        what: &'static str,
        offset: u64,
        left: u64,
        limit: usize,
    ) -> Result<Vec<u8>, ReadError> {
        // Most names are short: a long piece is read only for what has no end in a short one.
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
