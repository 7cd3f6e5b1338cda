//! The legacy format of lz4, the only one that the kernel supports: a magic, then chunks with their
//! compressed length.
//!
//! The kernel interprets the bytes after the last chunk as another length unless they are zero or
//! the magic: at least four zero bytes must precede anything not compressed with lz4
//! ([`archive_padding`](crate::archive_padding)).

/// The magic 0x184C2102, in little-endian order.
pub(super) const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// The length of the pieces of a long segment, in bytes. A chunk is at most 8 MiB long.
pub const PIECE_LEN: u64 = 4 << 20;
