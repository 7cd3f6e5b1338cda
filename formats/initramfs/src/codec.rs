//! Compressing the segments of an archive into members that the kernel unpacks.
//!
//! ```text
//! segments   ├── small ──┬── small ───┬── one file longer than a piece may be ─────┬── small ──┤
//! pieces     ├───────────┼────────────┼── piece ─┬── piece ─┬── piece ─┬──────────┼───────────┤
//! members    ├─ member ──┼─ member ───┼─ head ·  ·  ·  one member  ·  ·  · tail ──┼─ member ──┤
//! ```
//!
//! A segment ends where an entry ends, and becomes one member, since the kernel takes no other end of a member. What is
//! compressed at once is a piece: a whole segment, or a part of one that is too long to be held in memory. Pieces depend on
//! the segment's length alone and on nothing that was compressed before, so they can be made in any order by any number
//! of threads, or be remembered; only a zstd frame that is too long for memory is made front to back ([`LongFrame`]).
//!
//! # Levels and segments
//!
//! What was measured for the defaults: the 250 MB archive of a Debian system of 9,700 files, two processors, in megabytes
//! (10⁶ bytes). The sizes are exact; the times are of one run each on a busy machine, so they are rough.
//!
//! * gzip: libdeflate makes each member at once. Members of 1, 2, 4 and 8 MiB give 87.13, 87.09, 87.08 and 87.06 MB at level
//!   6, so segments are of 2 MiB: a change of one file then costs little where the rest is remembered. The other way, pieces
//!   that know the 32 KiB before them by zlib-rs, takes 1.3 times as long for 3 % more bytes at level 6; it is for segments
//!   longer than 8 MiB only. Level 6 is the default: `gzip -9` gives 87.9 MB in ten times its processor time, and levels 1,
//!   4, 8 and 9 give 94.2, 89.3, 86.4 and 86.4 MB in 0.5, 0.7, 2.2 and 3 times the time of level 6.
//! * zstd: frames of 4, 8 and 16 MiB give 78.1, 77.4 and 77.1 MB at level 3, where `zstd -3 -T0` gives 78.4; 71.4, 69.8 and
//!   69.1 MB at level 9, where it gives 69.4; frames of 16 and 32 MiB give 62.3 and 61.8 MB at level 19, where it gives 61.4.
//!   With segments as they are cut, level 19 gives 61.6 MB in nine tenths of the processor time of `zstd -19 -T0`.
//!   So segments are of 4 MiB up to level 4, of 8 MiB up to level 15, and of 32 MiB above.
//! * xz: blocks of 3 and 8 MiB give 63.9 and 63.0 MB at level 6 with a dictionary of 1 MiB; `xz -T0` with the same dictionary
//!   makes blocks of 3 MiB. Segments are of 4 MiB.
//! * lz4: what is further away than 64 KiB does not matter, so segments are of 2 MiB and one chunk each. Level 9 gives 100.0
//!   MB as `lz4 -l -9` does, level 1 gives 122.3 MB in much less time.

pub mod gzip;
pub mod lz4_legacy;
mod member;
mod parse;
pub mod xz;
pub mod zstd;

use std::fmt;
use std::io;

pub use member::{Member, Packed};
pub use parse::BadCodec;
pub use zstd::LongFrame;

use crate::Compression;

/// How the segments of an archive are compressed: with what, how hard, and how far back matches may lie.
///
/// As text it is `CODEC[:LEVEL]`: `none`, `gzip`, `zstd:19`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    kind: Kind,
    level: u8,
    /// The logarithm of the window or dictionary in bytes, where it can be chosen.
    window_log: u8,
}

/// The compressions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    None,
    Gzip,
    Zstd,
    Lz4,
    Xz,
}

/// One piece of a segment with what lies before it.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'b> {
    /// The bytes before the piece that it may refer to: as many as [`Division::Pieces`] says, fewer at the start of
    /// a segment.
    pub context: &'b [u8],
    /// The bytes of the piece.
    pub bytes: &'b [u8],
    /// Whether the segment has no other piece.
    pub alone: bool,
}

/// How a segment is cut for compressing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// Nothing is compressed.
    Stored,
    /// Into pieces.
    Pieces {
        /// The length of every piece in bytes; the last may be shorter.
        piece_len: u64,
        /// How many bytes before a piece are given with it.
        context_len: u64,
    },
    /// Not at all: it is a [`LongFrame`].
    Long,
}

/// Hears of the bytes done, and says whether to go on. Compressing a long piece slowly asks every megabyte.
pub type GoOn<'g> = &'g dyn Fn() -> bool;

/// The libraries that make the bytes, as the lock file names them: other versions may give other bytes.
pub const LIBRARIES: [(&str, &str); 6] = [
    ("libdeflate-sys", "1.26.1"),
    ("liblzma-sys", "0.4.9"),
    ("lz4-sys", "1.11.1+lz4-1.10.0"),
    ("lz4_flex", "0.14.0"),
    ("zlib-rs", "0.6.8"),
    ("zstd-sys", "2.1.3+zstd.1.5.7"),
];

/// How many bytes are compressed between two questions whether to go on, where a library takes slices.
pub(crate) const SLICE: usize = 1 << 20;

impl Codec {
    /// Nothing is compressed.
    pub const NONE: Self = Self { kind: Kind::None, level: 0, window_log: 0 };

    /// A compression at a level, or at its default level.
    ///
    /// # Errors
    /// When archives are never made with this compression, or it has no such level.
    pub fn new(compression: Compression, level: Option<u8>) -> Result<Self, BadCodec> {
        parse::codec(compression, level)
    }

    /// The same with matches that lie up to `2^window_log` bytes back: from 10 to 27 for zstd, whose levels choose 23 at most
    /// themselves; from 12 to 27 for xz, where 20 is the default. The guest's kernel takes that much memory to unpack.
    ///
    /// # Errors
    /// When the compression has no window to choose, or none of this length.
    pub fn with_window_log(self, window_log: u8) -> Result<Self, BadCodec> {
        let range = match self.kind {
            Kind::Zstd => 10..=27,
            Kind::Xz => 12..=27,
            _ => return Err(BadCodec::NoWindow { codec: self.name() }),
        };
        if !range.contains(&window_log) {
            let (least, most) = range.into_inner();
            return Err(BadCodec::Window { codec: self.name(), window_log, least, most });
        }
        Ok(Self { window_log, ..self })
    }

    /// What unpacks it; nothing when nothing is compressed.
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

    /// How hard it tries. 0 when nothing is compressed.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The usual length of segments it is given in bytes, for [`Options::segment_len`](crate::Options::segment_len); none
    /// when nothing is compressed.
    #[must_use]
    pub fn segment_len(&self) -> Option<u64> {
        match self.kind {
            Kind::None => None,
            Kind::Gzip | Kind::Lz4 => Some(2 << 20),
            Kind::Zstd => Some(zstd::segment_len(self.level)),
            Kind::Xz => Some(4 << 20),
        }
    }

    /// The longest piece in bytes: as long as the longest segment that is not one long file, or as long as may be in memory.
    #[must_use]
    pub fn max_piece_len(&self) -> u64 {
        self.segment_len().map_or(SLICE as u64, |usual| (usual * 4).min(zstd::MAX_WHOLE))
    }

    /// How a segment of `len` bytes is cut.
    #[must_use]
    pub fn division(&self, len: u64) -> Division {
        let whole = Division::Pieces { piece_len: self.max_piece_len(), context_len: 0 };
        match self.kind {
            Kind::None => Division::Stored,
            _ if len <= self.max_piece_len() => whole,
            Kind::Gzip => Division::Pieces { piece_len: gzip::PIECE_LEN, context_len: gzip::CONTEXT_LEN },
            Kind::Xz => Division::Pieces { piece_len: xz::PIECE_LEN, context_len: 0 },
            Kind::Lz4 => Division::Pieces { piece_len: lz4_legacy::PIECE_LEN, context_len: 0 },
            Kind::Zstd => Division::Long,
        }
    }

    /// Compresses one piece of a segment that is divided into [`Division::Pieces`].
    ///
    /// # Errors
    /// What the library says, which is that it has no memory; [`io::ErrorKind::Interrupted`] when `go_on` said no;
    /// [`io::ErrorKind::InvalidInput`] for a codec that compresses nothing.
    pub fn compress(&self, piece: Piece<'_>, go_on: GoOn<'_>) -> io::Result<Packed> {
        match self.kind {
            Kind::None => Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing is to be compressed")),
            Kind::Gzip if piece.alone => gzip::whole(self.level, piece.bytes),
            Kind::Gzip => gzip::part(self.level, piece),
            Kind::Zstd => zstd::whole(self, piece.bytes, go_on),
            Kind::Lz4 => lz4_legacy::chunk(self.level, piece.bytes),
            Kind::Xz => xz::block(self, piece.bytes, go_on),
        }
    }

    /// Everything about the codec that can show in the bytes, the libraries among it.
    #[must_use]
    pub fn identity(&self) -> String {
        let libraries = LIBRARIES.map(|(name, version)| format!("{name} {version}"));
        format!("{}:{} window {} by {}", self.name(), self.level, self.window_log, libraries.join(", "))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.compression().map_or("none", Compression::name)
    }

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

pub(crate) fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "compressing was stopped")
}

#[cfg(test)]
mod tests;
