//! Files of a tree that the kernel and its tools read compressed: modules and firmware.

use std::io::{self, Read as _};

use image_tree::Content;

use crate::Compression;
use crate::compression::decode::{Format, decoder};

/// The number of bytes at the start of a file that identify its compression.
pub const MAGIC_LEN: usize = 6;

/// Returns the compression of a file that begins with these bytes, of which [`MAGIC_LEN`] are
/// enough: gzip, xz or zstd, which libkmod recognizes. `None` for any other file.
#[must_use]
pub fn compression_of(start: &[u8]) -> Option<Compression> {
    match start {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// Decompresses a file of which neither the bytes nor what they unpack to are longer than `max_len`
/// bytes.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the data is corrupt or too long,
/// [`io::ErrorKind::Unsupported`] if the compression is neither gzip, xz nor zstd or its cargo
/// feature is disabled, and the error of the content if it cannot be read.
pub fn decompress<C: Content + ?Sized>(
    content: &C,
    compression: Compression,
    max_len: u64,
) -> io::Result<Vec<u8>> {
    let format = match compression {
        Compression::Gzip => Format::Gzip,
        Compression::Xz => Format::Xz,
        Compression::Zstd => Format::Zstd,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let too_long =
        || io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {max_len} bytes"));
    if content.len() > max_len {
        return Err(too_long());
    }
    let mut packed = vec![0; usize::try_from(content.len()).map_err(io::Error::other)?];
    content.read_at(&mut packed, 0)?;
    let mut unpacked = Vec::new();
    let mut limited = decoder(format, &packed[..])?.take(max_len.saturating_add(1));
    limited.read_to_end(&mut unpacked).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    if unpacked.len() as u64 > max_len { Err(too_long()) } else { Ok(unpacked) }
}

#[cfg(all(test, feature = "default"))]
mod tests {
    use super::*;

    fn packed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let packing = match compression {
            Compression::Gzip => flate2::bufread::GzEncoder::new(bytes, flate2::Compression::default())
                .read_to_end(&mut packed),
            Compression::Xz => liblzma::bufread::XzEncoder::new(bytes, 6).read_to_end(&mut packed),
            _ => zstd::stream::read::Encoder::with_buffer(bytes, 3).expect("memory").read_to_end(&mut packed),
        };
        packing.expect("memory is readable");
        packed
    }

    #[test]
    fn files_are_recognized_and_unpacked_up_to_a_limit() {
        let bytes = b"module ".repeat(1000);
        for compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
            let packed = packed(compression, &bytes);
            assert_eq!(compression_of(&packed[..MAGIC_LEN]), Some(compression));
            assert_eq!(decompress(&packed, compression, 7000).expect("it is valid"), bytes);
            let error = decompress(&packed, compression, 6999).expect_err("it is longer");
            assert_eq!(error.to_string(), "it is longer than 6999 bytes");
            let corrupt = &packed[..packed.len() - 5];
            let error = decompress(corrupt, compression, 7000).expect_err("it is corrupt");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        assert_eq!(compression_of(b"\x7fELF\x02\x01"), None);
        let error = decompress(&bytes, Compression::Bzip2, 7000).expect_err("not a compression of modules");
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
