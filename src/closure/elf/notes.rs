//! The notes of a segment: each an owner, a kind, and what that means.

use super::NoteSegment;

/// Three words: the length of the owner, that of the description, and the kind.
pub(in crate::closure) const HEADER_LEN: usize = 12;

/// One note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// Whose kinds they are, with the NUL at its end.
    pub owner: &'a [u8],
    /// What it is, which the owner defines.
    pub kind: u32,
    /// What it says.
    pub description: &'a [u8],
}

/// The notes of a segment in their order. One that ends after the segment is the last, an error with its offset.
pub struct Notes<'a> {
    segment: &'a NoteSegment,
    at: usize,
}

impl NoteSegment {
    /// What lies in the segment.
    #[must_use]
    pub fn notes(&self) -> Notes<'_> {
        Notes { segment: self, at: 0 }
    }

    /// The number at the start of four bytes.
    pub(super) fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Result<Note<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        // What is too short for a note is the padding of the segment.
        let header = self.segment.bytes.get(self.at..)?.get(..HEADER_LEN)?;
        let Some((note, next)) = self.extents(header) else {
            return Some(Err(std::mem::replace(&mut self.at, self.segment.bytes.len())));
        };
        self.at = next;
        Some(Ok(note))
    }
}

impl<'a> Notes<'a> {
    /// The note with this header, and where the next begins.
    fn extents(&self, header: &[u8]) -> Option<(Note<'a>, usize)> {
        let word = |at| Some(self.segment.word(*header.get(at..)?.first_chunk()?));
        let len = |at| usize::try_from(word(at)?).ok();
        let (owner_len, description_len) = (len(0)?, len(4)?);
        let align = self.segment.align;
        let start = HEADER_LEN.checked_add(owner_len)?.checked_next_multiple_of(align)?;
        let end = start.checked_add(description_len)?;
        let bytes = &self.segment.bytes[self.at..];
        let next = self.at + end.checked_next_multiple_of(align)?.min(bytes.len());
        let owner = bytes.get(HEADER_LEN..HEADER_LEN + owner_len)?;
        Some((Note { owner, kind: word(8)?, description: bytes.get(start..end)? }, next))
    }
}
