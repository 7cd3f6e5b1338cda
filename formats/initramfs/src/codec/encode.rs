//! The encoders of the libraries, each behind a cargo feature.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4_legacy;
#[cfg(feature = "xz")]
mod xz;
#[cfg(feature = "zstd")]
mod zstd;

use std::io;

#[cfg(feature = "zstd")]
pub use zstd::LongFrame;

use super::{Codec, CompressedPiece, Kind, Piece, ShouldContinue};

/// The number of bytes compressed between two calls of [`ShouldContinue`], for libraries that
/// accept slices.
#[cfg(any(feature = "xz", feature = "zstd"))]
const SLICE: usize = 1 << 20;

/// Compresses one piece of a segment.
///
/// # Errors
/// As for [`Codec::compress`].
#[cfg_attr(
    not(any(feature = "xz", feature = "zstd")),
    expect(unused_variables, reason = "the other encoders cannot be stopped")
)]
pub(super) fn compress(
    codec: &Codec,
    piece: Piece<'_>,
    should_continue: ShouldContinue<'_>,
) -> io::Result<CompressedPiece> {
    match codec.kind() {
        Kind::None => Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing is to be compressed")),
        #[cfg(feature = "gzip")]
        Kind::Gzip if piece.is_whole => gzip::whole(codec.level(), piece.bytes),
        #[cfg(feature = "gzip")]
        Kind::Gzip => gzip::part(codec.level(), piece),
        #[cfg(feature = "zstd")]
        Kind::Zstd => zstd::whole(codec, piece.bytes, should_continue),
        #[cfg(feature = "lz4")]
        Kind::Lz4 => lz4_legacy::chunk(codec.level(), piece.bytes),
        #[cfg(feature = "xz")]
        Kind::Xz => xz::block(codec, piece.bytes, should_continue),
        // A codec whose feature is disabled cannot be created.
        #[cfg(not(all(feature = "gzip", feature = "lz4", feature = "xz", feature = "zstd")))]
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(any(feature = "xz", feature = "zstd"))]
fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "compressing was stopped")
}
