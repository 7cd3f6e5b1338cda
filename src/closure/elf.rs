//! What the loader reads of an ELF file.

/// The bytes of one `PT_NOTE` segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSegment {
    /// Notes one after another, as they lie in the file.
    pub bytes: Vec<u8>,
    /// To how many bytes each name and description is padded: 4, or 8 as `p_align` says.
    pub align: usize,
    /// Whether the words are big-endian (`EI_DATA`).
    pub big_endian: bool,
}
