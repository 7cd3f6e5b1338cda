//! Compression of pieces of files by the algorithms that EROFS knows.
//!
//! The result depends on the bytes of the piece and on the [`Codec`] alone.

mod error;
mod parse;

#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;
use std::io;

pub use error::CodecError;

use crate::ondisk::algorithm::Algorithm;

/// The compression of the files of a filesystem: the algorithm and the level.
///
/// As text it is `CODEC[:LEVEL]`: `lz4`, `lz4hc:12`, `zstd:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec {
    kind: Kind,
    level: u8,
}

/// The compressors. Two of them write the format of lz4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Lz4,
    Lz4hc,
    Deflate,
    Zstd,
}

/// The compression libraries, named and versioned as in the lock file: other versions may give
/// other bytes.
pub const LIBRARIES: [(&str, &str); 3] =
    [("libdeflate-sys", "1.26.1"), ("lz4-sys", "1.11.1+lz4-1.10.0"), ("zstd-sys", "2.1.3+zstd.1.5.7")];

impl Codec {
    /// The algorithm by which the result is read.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self.kind {
            Kind::Lz4 | Kind::Lz4hc => Algorithm::Lz4,
            Kind::Deflate => Algorithm::Deflate,
            Kind::Zstd => Algorithm::Zstd,
        }
    }

    /// The compression level; 0 for `lz4`, which has none.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.level
    }

    /// Returns a text with everything about the codec that affects the bytes, including the
    /// libraries.
    #[must_use]
    pub fn identity(self) -> String {
        let libraries = LIBRARIES.map(|(name, version)| format!("{name} {version}"));
        format!("{self} by {}", libraries.join(", "))
    }

    /// Compresses a piece of at least one byte.
    ///
    /// # Errors
    /// The error of the library, which runs out of memory.
    pub(crate) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self.kind {
            #[cfg(feature = "lz4")]
            Kind::Lz4 => lz4::fast(bytes),
            #[cfg(feature = "lz4")]
            Kind::Lz4hc => lz4::high(self.level, bytes),
            #[cfg(feature = "deflate")]
            Kind::Deflate => deflate::raw(self.level, bytes),
            #[cfg(feature = "zstd")]
            Kind::Zstd => zstd::frame(self.level, bytes),
            // A codec whose feature is disabled cannot be created.
            #[cfg(not(all(feature = "lz4", feature = "deflate", feature = "zstd")))]
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        self.kind
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Lz4, Self::Lz4hc, Self::Deflate, Self::Zstd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Lz4hc => "lz4hc",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Lz4 => f.write_str("lz4"),
            kind => write!(f, "{}:{}", kind.name(), self.level),
        }
    }
}

#[cfg(all(test, feature = "lz4", feature = "deflate", feature = "zstd"))]
mod tests;
