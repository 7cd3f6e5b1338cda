//! The length of the orphan file. The kernel never extends it; inodes that do not fit are in the
//! legacy orphan list, a chain through the inodes.

use crate::Features;

/// Returns the number of blocks of the orphan file of a filesystem of that many blocks; 0 for none.
///
/// It is that of `ext2fs_default_orphan_file_blocks`: a 4096th of the filesystem, within 32 to 512
/// blocks.
pub(crate) fn blocks_for(features: Features, filesystem_blocks: u64) -> u32 {
    if !features.orphan_file {
        return 0;
    }
    match filesystem_blocks {
        0..0x2_0000 => 32,
        0x2_0000..0x20_0000 => u32::try_from(filesystem_blocks / 4096).expect("less than 512"),
        _ => 512,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_mke2fs() {
        // `mke2fs -b 4096 -O orphan_file` and `debugfs -R 'stat <12>'`.
        let steps = [
            (16_384, 32),
            (131_071, 32),
            (131_072, 32),
            (139_264, 34),
            (1_000_000, 244),
            (2_097_151, 511),
            (2_097_152, 512),
            (1 << 35, 512),
        ];
        let features = Features { orphan_file: true, ..Features::DEFAULT };
        for (blocks, expected) in steps {
            assert_eq!(blocks_for(features, blocks), expected, "{blocks} blocks");
        }
        assert_eq!(blocks_for(Features::DEFAULT, 1 << 20), 0);
    }
}
