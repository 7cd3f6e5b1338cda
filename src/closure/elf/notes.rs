//! The notes of a segment, each with an owner, a type and a description.

/// Three words: the length of the owner, the length of the description, and the type.
pub(in crate::closure) const HEADER_LEN: usize = 12;

/// The bytes of one `PT_NOTE` segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSegment {
    /// The consecutive notes, as stored in the file.
    pub bytes: Vec<u8>,
    /// The alignment of names and descriptions in bytes: 4, or 8 if `p_align` says so.
    pub align: usize,
    /// True if the words are big-endian (`EI_DATA`).
    pub big_endian: bool,
}

/// One note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The owner, which defines the type, including its terminating NUL.
    pub owner: &'a [u8],
    /// The type, as defined by the owner.
    pub kind: u32,
    /// The description.
    pub description: &'a [u8],
}

/// Iterates over the notes of a segment in order. A note that extends past the segment is the last
/// item, an error with its offset.
pub struct Notes<'a> {
    segment: &'a NoteSegment,
    at: usize,
}

impl NoteSegment {
    /// Iterates over the notes of the segment.
    #[must_use]
    pub fn notes(&self) -> Notes<'_> {
        Notes { segment: self, at: 0 }
    }

    /// Decodes four bytes as a number.
    pub(super) fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Result<Note<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        // A remainder too short for a note is the padding of the segment.
        let header = self.segment.bytes.get(self.at..)?.get(..HEADER_LEN)?;
        let Some((note, next)) = self.extents(header) else {
            return Some(Err(std::mem::replace(&mut self.at, self.segment.bytes.len())));
        };
        self.at = next;
        Some(Ok(note))
    }
}

impl<'a> Notes<'a> {
    /// Returns the note with this header, and the offset of the next one.
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
