//! The framing that turns the pieces of a segment into one member.

use super::{Codec, Division, Kind, gzip, lz4_legacy, xz};

/// A builder for the framing of a member: write [`Member::head`], then the bytes of each piece with
/// a call to [`Member::add`], then [`Member::tail`].
#[derive(Clone, Debug)]
pub struct Member {
    framing: Framing,
}

#[derive(Clone, Debug)]
enum Framing {
    /// Only the pieces, without framing.
    Nothing,
    Gzip(gzip::Frame),
    Lz4,
    Xz(xz::Frame),
}

impl Member {
    /// Begins the member of a segment of `len` bytes.
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

    /// Returns the bytes before the first piece.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        match &self.framing {
            Framing::Nothing => &[],
            Framing::Gzip(frame) => frame.head(),
            Framing::Lz4 => &lz4_legacy::MAGIC,
            Framing::Xz(_) => &xz::HEAD,
        }
    }

    /// Records the next piece, with an uncompressed length of `len` bytes.
    pub fn add(&mut self, len: u64, note: u64) {
        match &mut self.framing {
            Framing::Nothing | Framing::Lz4 => {}
            Framing::Gzip(frame) => frame.add(len, note),
            Framing::Xz(frame) => frame.add(len, note),
        }
    }

    /// Returns the bytes after the last piece.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        match &self.framing {
            Framing::Nothing | Framing::Lz4 => Vec::new(),
            Framing::Gzip(frame) => frame.tail(),
            Framing::Xz(frame) => frame.tail(),
        }
    }
}
