//! Full indexes: 8 bytes for each logical cluster (`struct z_erofs_lcluster_index`).

use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;
use zerocopy::{FromZeros, Immutable};

use super::lcluster::{HEAD1, Lcluster, NONHEAD, PLAIN};

/// `Z_EROFS_LI_PARTIAL_REF`.
const PARTIAL_REF: u16 = 1 << 15;

/// The bytes between the header of the map and the first index.
const RESERVED: usize = 8;

/// `struct z_erofs_lcluster_index`.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
struct LclusterIndex {
    di_advise: U16,
    di_clusterofs: U16,
    /// `di_u`: the block of the physical cluster, or two distances.
    di_u: [U16; 2],
}

const _: () = assert!(size_of::<LclusterIndex>() == 8);

/// Returns the number of bytes behind the header of the map.
pub(crate) fn len(lclusters: u64) -> u64 {
    RESERVED as u64 + lclusters.saturating_mul(size_of::<LclusterIndex>() as u64)
}

/// Appends what is behind the header of the map.
pub(crate) fn put(lclusters: &[Lcluster], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; RESERVED]);
    for lcluster in lclusters {
        let [advise, clusterofs, low, high] = match *lcluster {
            Lcluster::Head { plain, offset, block, partial } => {
                let kind = if plain { PLAIN } else { HEAD1 };
                let [a, b, c, d] = block.to_le_bytes();
                let partial = if partial { PARTIAL_REF } else { 0 };
                [kind | partial, offset, u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
            }
            Lcluster::Within { back, ahead } => [NONHEAD, 0, back, ahead],
        };
        let index = LclusterIndex {
            di_advise: U16::new(advise),
            di_clusterofs: U16::new(clusterofs),
            di_u: [U16::new(low), U16::new(high)],
        };
        out.extend_from_slice(index.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::lcluster::tests::big;
    use super::super::lcluster::{Mapped, lclusters};
    use super::*;

    /// The first indexes of the file with [`BIG`](super::super::lcluster::tests::BIG) extents, with
    /// `-Elegacy-compress`, and the last one.
    const FIRST: &str = "01000000010000000200000010081d000200000002001c000200000003001b00";
    const LAST: &str = "0000380200000000";

    #[test]
    fn indexes_are_those_of_mkfs_erofs() {
        let mut out = Vec::new();
        put(&big(), &mut out);
        let hex: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(out.len() as u64, len(68));
        assert_eq!(&hex[..16 + 64], format!("{:016}{FIRST}", 0));
        assert!(hex.ends_with(LAST));
    }

    #[test]
    fn partial_references_have_their_bit() {
        let extent = Mapped { len: 9, plain: false, partial: true, block: 0x0102_0304, blocks: 1 };
        let mut out = Vec::new();
        put(&lclusters([extent], 4096, false), &mut out);
        assert_eq!(out[8..], [1, 0x80, 0, 0, 4, 3, 2, 1]);
    }
}
