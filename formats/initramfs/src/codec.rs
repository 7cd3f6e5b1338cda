//! Compression of the segments of an archive into members that the kernel unpacks.
//!
//! ```text
//! segments   ├── small ──┬── small ───┬── one file longer than a piece may be ─────┬── small ──┤
//! pieces     ├───────────┼────────────┼── piece ─┬── piece ─┬── piece ─┬──────────┼───────────┤
//! members    ├─ member ──┼─ member ───┼─ head ·  ·  ·  one member  ·  ·  · tail ──┼─ member ──┤
//! ```
//!
//! A segment ends at the end of an entry, and becomes one member, because the kernel requires a
//! member to end there. The unit of compression is a piece: a whole segment, or a part of one that
//! is too long to be held in memory. The division into pieces depends only on the length of the
//! segment, and pieces do not depend on the output of earlier ones, so they can be compressed in
//! any order by any number of threads, or be cached; only a zstd frame that is too long for memory
//! is compressed sequentially ([`LongFrame`]).
//!
//! The default levels and the lengths of segments are based on measurements.

mod encode;
mod error;
pub mod gzip;
pub mod lz4_legacy;
mod member;
mod parse;
mod piece;
pub mod xz;
pub mod zstd;

use std::fmt;

#[cfg(feature = "zstd")]
pub use encode::LongFrame;
pub use error::CodecError;
pub use member::Member;
pub use piece::{CompressedPiece, Piece, ShouldContinue};

use crate::Compression;

/// The compression of the segments of an archive: the algorithm, the level, and the window size.
///
/// As text it is `CODEC[:LEVEL]`: `none`, `gzip`, `zstd:19`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    kind: Kind,
    level: u8,
    /// The binary logarithm of the window or dictionary size in bytes; 0 if it follows from the
    /// level or cannot be chosen.
    window_log: u8,
}

/// The compressions that archives are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    None,
    Gzip,
    Zstd,
    Lz4,
    Xz,
}

/// The division of a segment for compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// No compression.
    Uncompressed,
    /// The segment is divided into pieces.
    Pieces {
        /// The length of every piece in bytes; the last may be shorter.
        piece_len: u64,
        /// The number of bytes before a piece that are passed with it.
        context_len: u64,
    },
    /// The segment is not divided: it is compressed as a [`LongFrame`].
    Long,
}

/// The compression libraries, named and versioned as in the lock file: other versions may give
/// other bytes.
pub const LIBRARIES: [(&str, &str); 6] = [
    ("libdeflate-sys", "1.26.1"),
    ("liblzma-sys", "0.4.9"),
    ("lz4-sys", "1.11.1+lz4-1.10.0"),
    ("lz4_flex", "0.14.0"),
    ("zlib-rs", "0.6.8"),
    ("zstd-sys", "2.1.3+zstd.1.5.7"),
];

impl Codec {
    /// No compression.
    pub const NONE: Self = Self { kind: Kind::None, level: 0, window_log: 0 };

    /// Sets the window to `2^window_log` bytes: from 10 to 27 for zstd, where the levels use 23 at
    /// most; from 12 to 27 for xz, where 20 is the default. The guest's kernel needs that much
    /// memory to unpack.
    ///
    /// # Errors
    /// Returns an error if the window of the compression cannot be chosen, or the length is out of
    /// range.
    pub fn with_window_log(self, window_log: u8) -> Result<Self, CodecError> {
        let range = match self.kind {
            Kind::Zstd => 10..=27,
            Kind::Xz => 12..=27,
            _ => return Err(CodecError::NoWindow { codec: self.name() }),
        };
        if !range.contains(&window_log) {
            let (least, most) = range.into_inner();
            return Err(CodecError::Window { codec: self.name(), window_log, least, most });
        }
        Ok(Self { window_log, ..self })
    }

    /// The compression; `None` for [`Codec::NONE`].
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        match self.kind {
            Kind::None => None,
            Kind::Gzip => Some(Compression::Gzip),
            Kind::Zstd => Some(Compression::Zstd),
            Kind::Lz4 => Some(Compression::Lz4),
            Kind::Xz => Some(Compression::Xz),
        }
    }

    /// The compression level; 0 for [`Codec::NONE`].
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The recommended length of segments in bytes, for
    /// [`Options::segment_len`](crate::Options::segment_len); `None` for [`Codec::NONE`].
    #[must_use]
    pub fn segment_len(&self) -> Option<u64> {
        match self.kind {
            Kind::None => None,
            Kind::Gzip | Kind::Lz4 => Some(2 << 20),
            Kind::Zstd => Some(zstd::segment_len(self.level)),
            Kind::Xz => Some(4 << 20),
        }
    }

    /// The maximum length of a piece in bytes: that of the longest segment that is not a single
    /// long file, or the limit of what is held in memory.
    #[must_use]
    pub fn max_piece_len(&self) -> u64 {
        self.segment_len().map_or(1 << 20, |usual| (usual * 4).min(zstd::MAX_WHOLE))
    }

    /// Returns the division of a segment of `len` bytes.
    #[must_use]
    pub fn division(&self, len: u64) -> Division {
        let whole = Division::Pieces { piece_len: self.max_piece_len(), context_len: 0 };
        match self.kind {
            Kind::None => Division::Uncompressed,
            _ if len <= self.max_piece_len() => whole,
            Kind::Gzip => Division::Pieces { piece_len: gzip::PIECE_LEN, context_len: gzip::CONTEXT_LEN },
            Kind::Xz => Division::Pieces { piece_len: xz::PIECE_LEN, context_len: 0 },
            Kind::Lz4 => Division::Pieces { piece_len: lz4_legacy::PIECE_LEN, context_len: 0 },
            Kind::Zstd => Division::Long,
        }
    }

    /// Returns a text with everything about the codec that affects the bytes, including the
    /// libraries.
    #[must_use]
    pub fn identity(&self) -> String {
        let libraries = LIBRARIES.map(|(name, version)| format!("{name} {version}"));
        format!("{}:{} window {} by {}", self.name(), self.level, self.window_log, libraries.join(", "))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.compression().map_or("none", Compression::name)
    }

    #[cfg(any(feature = "xz", feature = "zstd"))]
    pub(crate) fn window_log(&self) -> u8 {
        self.window_log
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::None => f.write_str("none"),
            _ => write!(f, "{}:{}", self.name(), self.level),
        }
    }
}

#[cfg(all(test, feature = "gzip", feature = "lz4", feature = "xz", feature = "zstd"))]
mod tests;
