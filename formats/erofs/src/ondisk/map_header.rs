//! The header of the map of a compressed file (`struct z_erofs_map_header`).

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// `Z_EROFS_ADVISE_COMPACTED_2B`.
pub(crate) const ADVISE_COMPACTED_2B: u16 = 0x01;
/// `Z_EROFS_ADVISE_BIG_PCLUSTER_1`.
pub(crate) const ADVISE_BIG_PCLUSTER_1: u16 = 0x02;
/// `Z_EROFS_ADVISE_BIG_PCLUSTER_2`: compact indexes need it together with the first.
pub(crate) const ADVISE_BIG_PCLUSTER_2: u16 = 0x04;
/// `Z_EROFS_ADVISE_INLINE_PCLUSTER`.
pub(crate) const ADVISE_INLINE_PCLUSTER: u16 = 0x08;
/// `Z_EROFS_ADVISE_FRAGMENT_PCLUSTER`.
pub(crate) const ADVISE_FRAGMENT_PCLUSTER: u16 = 0x20;

/// The length of the header, which begins at a multiple of 8 bytes.
pub(crate) const LEN: usize = 8;

/// `struct z_erofs_map_header`.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct MapHeader {
    /// `h_fragmentoff`: the lower half of the offset of the last extent in the packed inode; or the
    /// length of the last physical cluster behind the map, in the upper 16 bits (`h_idata_size`).
    pub(crate) h_fragmentoff: U32,
    pub(crate) h_advise: U16,
    /// The number of the algorithm.
    pub(crate) h_algorithmtype: u8,
    /// The binary logarithm of the length of a logical cluster in blocks: 0 here.
    pub(crate) h_clusterbits: u8,
}

const _: () = assert!(size_of::<MapHeader>() == LEN);

impl MapHeader {
    /// Returns the header of a file whose last physical cluster, of `len` bytes, is behind the map.
    pub(crate) fn with_inline_len(mut self, len: u16) -> Self {
        self.h_fragmentoff = U32::new(u32::from(len) << 16);
        self.h_advise |= U16::new(ADVISE_INLINE_PCLUSTER);
        self
    }
}

/// Returns the header of a file of which all bytes are at an offset of the packed inode
/// (`Z_EROFS_FRAGMENT_INODE_BIT`). It has no indexes, and the layout of full ones.
pub(crate) fn whole_fragment(offset: u64) -> [u8; LEN] {
    (1 << 63 | offset).to_le_bytes()
}
