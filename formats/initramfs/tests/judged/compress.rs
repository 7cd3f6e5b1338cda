//! Compression as done by other programs.

use std::io::Write as _;

use flate2::write::GzEncoder;
use liblzma::stream::{Check, Stream};
use liblzma::write::XzEncoder;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("it is in memory")
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    xz_with(bytes, Check::Crc32)
}

pub(crate) fn xz_with(bytes: &[u8], check: Check) -> Vec<u8> {
    let stream = Stream::new_easy_encoder(1, check).expect("a valid preset");
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

pub(crate) fn lzma(bytes: &[u8]) -> Vec<u8> {
    let options = liblzma::stream::LzmaOptions::new_preset(1).expect("a valid preset");
    let stream = Stream::new_lzma_encoder(&options).expect("valid options");
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("it is in memory");
    encoder.finish().expect("it is in memory")
}

/// Compresses in the legacy format, in chunks of `chunk` bytes.
pub(crate) fn lz4(bytes: &[u8], chunk: usize) -> Vec<u8> {
    let mut out = 0x184c_2102u32.to_le_bytes().to_vec();
    for chunk in bytes.chunks(chunk) {
        let block = lz4_flex::block::compress(chunk);
        out.extend(u32::try_from(block.len()).expect("chunks are short").to_le_bytes());
        out.extend(block);
    }
    out
}
