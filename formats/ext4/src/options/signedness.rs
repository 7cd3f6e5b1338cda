//! The signedness of the bytes of names in hashes.

/// The signedness of bytes of names in the hash: `s_flags` `EXT2_FLAGS_SIGNED_HASH` or
/// `EXT2_FLAGS_UNSIGNED_HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signedness {
    /// Bytes from 0x80 up are negative, like `char` on x86.
    Signed,
    /// Bytes from 0x80 up are positive, like `char` on ARM.
    Unsigned,
}
