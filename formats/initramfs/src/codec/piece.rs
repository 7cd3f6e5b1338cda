//! Pieces of segments, before and after compression.

/// One piece of a segment with the bytes before it.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'b> {
    /// The bytes before the piece that it may refer to: as many as given by
    /// [`Division::Pieces`](super::Division::Pieces), fewer at the start of a segment.
    pub context: &'b [u8],
    /// The bytes of the piece.
    pub bytes: &'b [u8],
    /// True if the segment has no other piece.
    pub is_whole: bool,
}

/// A compressed piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompressedPiece {
    /// The bytes, as they appear in the member.
    pub bytes: Vec<u8>,
    /// A value for the end of the member: for gzip the CRC-32 of the piece, for xz the unpadded
    /// size of its block.
    pub note: u64,
}

/// A callback that returns true to continue. It is called for every mebibyte during slow
/// compression of a long piece.
pub type ShouldContinue<'g> = &'g dyn Fn() -> bool;
