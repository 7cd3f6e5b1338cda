//! The padding between concatenated archives.

use crate::Compression;

/// Returns the number of zero bytes, 0 to 7, needed between an archive that ends at `position`, in
/// bytes from the start of the initramfs, and the next one.
///
/// The kernel accepts an uncompressed archive only at a multiple of 4 bytes, and skips zeros
/// between archives. Its lz4 decompressor interprets the bytes that follow as the size of another
/// chunk, unless they are zero; so at least 4 bytes of zeros are needed after lz4. `previous` is
/// the compression of the archive that ends at `position`, if any.
#[must_use]
pub fn archive_padding(position: u64, previous: Option<Compression>) -> u64 {
    let least = if previous == Some(Compression::Lz4) { 4 } else { 0 };
    let end = position.saturating_add(least);
    least + end.wrapping_neg() % 4
}
