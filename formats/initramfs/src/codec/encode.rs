//! The encoders of the libraries, each behind a cargo feature.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4_legacy;
#[cfg(any(feature = "xz", feature = "zstd"))]
mod slices;
#[cfg(feature = "xz")]
mod xz;
#[cfg(feature = "zstd")]
mod zstd;

use std::io;

#[cfg(feature = "zstd")]
pub use zstd::LongFrame;

use super::{Codec, CompressedPiece, Kind, Piece, ShouldContinue};

impl Codec {
    /// Compresses one piece of a segment that is divided into
    /// [`Division::Pieces`](super::Division::Pieces).
    ///
    /// # Errors
    /// The error of the library, which runs out of memory; [`io::ErrorKind::Interrupted`] if
    /// `should_continue` returned false; [`io::ErrorKind::InvalidInput`] for [`Codec::NONE`].
    #[cfg_attr(
        not(any(feature = "xz", feature = "zstd")),
        expect(unused_variables, reason = "the other encoders cannot be stopped")
    )]
    pub fn compress(
        &self,
        piece: Piece<'_>,
        should_continue: ShouldContinue<'_>,
    ) -> io::Result<CompressedPiece> {
        match self.kind {
            Kind::None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no compression was requested")),
            #[cfg(feature = "gzip")]
            Kind::Gzip if piece.is_whole => gzip::whole(self.level, piece.bytes),
            #[cfg(feature = "gzip")]
            Kind::Gzip => gzip::part(self.level, piece),
            #[cfg(feature = "zstd")]
            Kind::Zstd => zstd::whole(self, piece.bytes, should_continue),
            #[cfg(feature = "lz4")]
            Kind::Lz4 => lz4_legacy::chunk(self.level, piece.bytes),
            #[cfg(feature = "xz")]
            Kind::Xz => xz::block(self, piece.bytes, should_continue),
            // A codec whose feature is disabled cannot be created.
            #[cfg(not(all(feature = "gzip", feature = "lz4", feature = "xz", feature = "zstd")))]
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
