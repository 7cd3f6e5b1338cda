//! What lies between archives that are put one after the other.

use crate::Compression;

/// How many zero bytes belong between what ends at `position`, in bytes from the start of the initramfs, and what comes
/// next: 0 to 7.
///
/// The kernel takes an uncompressed archive only at a multiple of 4 bytes, and passes over zeros between archives.
/// Its lz4 decompressor takes whatever follows for the size of one more chunk, unless that is zero; so after lz4 at least
/// 4 bytes of zeros are needed. `previous` is how what ends there is compressed, if it is.
#[must_use]
pub fn gap(position: u64, previous: Option<Compression>) -> u64 {
    let least = if previous == Some(Compression::Lz4) { 4 } else { 0 };
    let end = position.saturating_add(least);
    least + end.wrapping_neg() % 4
}
