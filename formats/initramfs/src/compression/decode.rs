//! The decoders of the libraries, each behind a cargo feature.

mod lz4;

use std::io::{self, BufRead, Read};

use crate::Compression;
pub(crate) use lz4::{Lookahead, Lz4};

/// The largest window of the kernel's zstd decompressor: 128 MiB (`ZSTD_WINDOWLOG_MAX` of
/// `lib/decompress_unzstd.c`).
pub(crate) const ZSTD_MAX_WINDOW_LOG: u32 = 27;

/// The memory limit of decoding xz and lzma, in bytes.
#[cfg(feature = "xz")]
const XZ_MEMORY: u64 = 512 << 20;

/// A format of compressed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The data of gzip without header and trailer.
    Deflate,
    /// One member of gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// `.lzma`.
    Lzma,
    /// One stream of xz.
    Xz,
    /// One frame of zstd.
    Zstd,
}

/// Returns the cargo feature of a compression if it is disabled, so that nothing compressed in this
/// way can be decoded.
pub(crate) fn disabled_feature(compression: Compression) -> Option<&'static str> {
    let (enabled, feature) = match compression {
        Compression::Gzip => (cfg!(feature = "gzip"), "gzip"),
        Compression::Bzip2 => (cfg!(feature = "bzip2"), "bzip2"),
        Compression::Lzma | Compression::Xz => (cfg!(feature = "xz"), "xz"),
        Compression::Lz4 => (cfg!(feature = "lz4"), "lz4"),
        Compression::Zstd => (cfg!(feature = "zstd"), "zstd"),
        // There is no decoder of it.
        Compression::Lzo => return None,
    };
    (!enabled).then_some(feature)
}

/// Returns a decoder of the data that begins here.
///
/// # Errors
/// The error of the library; [`io::ErrorKind::Unsupported`] if its cargo feature is disabled.
#[cfg_attr(
    not(any(feature = "gzip", feature = "bzip2", feature = "xz", feature = "zstd")),
    expect(unused_variables, reason = "every decoder is disabled")
)]
pub(crate) fn decoder<'r, R: BufRead + 'r>(format: Format, input: R) -> io::Result<Box<dyn Read + 'r>> {
    match format {
        #[cfg(feature = "gzip")]
        Format::Deflate => Ok(Box::new(flate2::bufread::DeflateDecoder::new(input))),
        #[cfg(feature = "gzip")]
        Format::Gzip => Ok(Box::new(flate2::bufread::GzDecoder::new(input))),
        #[cfg(feature = "bzip2")]
        Format::Bzip2 => Ok(Box::new(bzip2::bufread::BzDecoder::new(input))),
        #[cfg(feature = "xz")]
        Format::Lzma => {
            let stream = liblzma::stream::Stream::new_lzma_decoder(XZ_MEMORY)?;
            Ok(Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream)))
        }
        #[cfg(feature = "xz")]
        Format::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?;
            Ok(Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream)))
        }
        #[cfg(feature = "zstd")]
        Format::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
            decoder.window_log_max(ZSTD_MAX_WINDOW_LOG)?;
            Ok(Box::new(decoder))
        }
        #[cfg(not(all(feature = "gzip", feature = "bzip2", feature = "xz", feature = "zstd")))]
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Decodes a block of lz4 into `out`, and returns its length in bytes.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the block is corrupt or longer than `out`;
/// [`io::ErrorKind::Unsupported`] if the cargo feature is disabled.
#[cfg(feature = "lz4")]
pub(crate) fn lz4_block(block: &[u8], out: &mut [u8]) -> io::Result<usize> {
    let len = lz4_flex::block::decompress_into(block, out);
    len.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

#[cfg(not(feature = "lz4"))]
pub(crate) fn lz4_block(_: &[u8], _: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
