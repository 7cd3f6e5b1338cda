//! What is put before and after the pieces of a segment to make them one member.

use super::{Codec, Division, Kind, gzip, lz4_legacy, xz};

/// A compressed piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// The bytes, as they stand in the member.
    pub bytes: Vec<u8>,
    /// What the member's end has to know of the piece: for gzip its CRC-32, for xz the unpadded size of its block.
    pub note: u64,
}

/// One member as it comes to be: [`Member::head`], then for each piece its bytes and [`Member::add`], then
/// [`Member::tail`].
#[derive(Clone, Debug)]
pub struct Member {
    framing: Framing,
}

#[derive(Clone, Debug)]
enum Framing {
    /// The pieces, or the one piece, are all there is.
    Nothing,
    Gzip(gzip::Frame),
    Lz4,
    Xz(xz::Frame),
}

impl Member {
    /// The member of a segment of `len` bytes.
    #[must_use]
    pub fn new(codec: &Codec, len: u64) -> Self {
        let framing = match (codec.kind(), codec.division(len)) {
            (Kind::Gzip, Division::Pieces { context_len: 1.., .. }) => {
                Framing::Gzip(gzip::Frame::new(codec.level()))
            }
            (Kind::Lz4, _) => Framing::Lz4,
            (Kind::Xz, _) => Framing::Xz(xz::Frame::default()),
            _ => Framing::Nothing,
        };
        Self { framing }
    }

    /// What comes before the first piece.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        match &self.framing {
            Framing::Nothing => &[],
            Framing::Gzip(frame) => frame.head(),
            Framing::Lz4 => &lz4_legacy::MAGIC,
            Framing::Xz(_) => &xz::HEAD,
        }
    }

    /// Notes the next piece, of `len` bytes before it was compressed.
    pub fn add(&mut self, len: u64, note: u64) {
        match &mut self.framing {
            Framing::Nothing | Framing::Lz4 => {}
            Framing::Gzip(frame) => frame.add(len, note),
            Framing::Xz(frame) => frame.add(len, note),
        }
    }

    /// What comes after the last piece.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        match &self.framing {
            Framing::Nothing | Framing::Lz4 => Vec::new(),
            Framing::Gzip(frame) => frame.tail(),
            Framing::Xz(frame) => frame.tail(),
        }
    }
}
