//! The record of an algorithm behind the superblock (`INCOMPAT_COMPR_CFGS`): its length in 16 bits,
//! then the structure that is named after the algorithm.

use super::algorithm::Algorithm;

/// The greatest distance of a match of lz4, in bytes.
pub(crate) const LZ4_MAX_DISTANCE: u16 = 0xFFFF;

/// The binary logarithm of DEFLATE's window.
const DEFLATE_WINDOW_BITS: u8 = 15;

/// The binary logarithms of the least and the greatest window of zstd, in bytes.
const ZSTD_WINDOW_LOGS: (u8, u8) = (10, 20);

/// Returns the binary logarithm of the window of zstd for pieces of at most `len` bytes.
pub(crate) fn zstd_window_log(len: u64) -> u8 {
    let (least, most) = ZSTD_WINDOW_LOGS;
    (least..most).find(|log| len <= 1 << log).unwrap_or(most)
}

/// Returns the record of an algorithm. `blocks` is the number of blocks of the longest physical
/// cluster, and `decoded` the number of bytes of the longest extent.
pub(crate) fn record(algorithm: Algorithm, blocks: u16, decoded: u64) -> Vec<u8> {
    let body = match algorithm {
        Algorithm::Lz4 => {
            let mut body = [0; 14];
            body[..2].copy_from_slice(&LZ4_MAX_DISTANCE.to_le_bytes());
            body[2..4].copy_from_slice(&blocks.to_le_bytes());
            body.to_vec()
        }
        Algorithm::Deflate => vec![DEFLATE_WINDOW_BITS, 0, 0, 0, 0, 0],
        Algorithm::Zstd => vec![0, zstd_window_log(decoded) - ZSTD_WINDOW_LOGS.0, 0, 0, 0, 0],
    };
    let len = u16::try_from(body.len()).unwrap_or(0);
    [&len.to_le_bytes()[..], &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of images that mkfs.erofs 1.8.6 made with `-zlz4hc -C65536`, `-zdeflate`, and
    /// `-zzstd -C131072`.
    #[test]
    fn records_are_those_of_mkfs_erofs() {
        let lz4 = [14, 0, 0xFF, 0xFF, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(record(Algorithm::Lz4, 16, 1 << 20), lz4);
        assert_eq!(record(Algorithm::Deflate, 16, 1 << 20), [6, 0, 15, 0, 0, 0, 0, 0]);
        assert_eq!(record(Algorithm::Zstd, 32, 1 << 20), [6, 0, 0, 10, 0, 0, 0, 0]);
        assert_eq!(zstd_window_log(1), 10);
        assert_eq!(zstd_window_log(128 << 10), 17);
        assert_eq!(zstd_window_log((128 << 10) + 1), 18);
    }
}
