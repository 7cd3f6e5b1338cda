//! Logical clusters: a file in units of blocks, with the extents that begin in them.
//!
//! At most one extent begins in a logical cluster. Both forms of the map store the same numbers.

/// The flag of a number of blocks in place of a distance (`Z_EROFS_LI_D0_CBLKCNT`).
pub(crate) const CBLKCNT: u16 = 1 << 11;

/// The types (`Z_EROFS_LCLUSTER_TYPE_…`).
pub(crate) const PLAIN: u16 = 0;
pub(crate) const HEAD1: u16 = 1;
pub(crate) const NONHEAD: u16 = 2;

/// One logical cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lcluster {
    /// An extent begins in it.
    Head {
        /// True if the extent is stored as it is; also of the end of the last extent.
        plain: bool,
        /// The offset of the extent in the logical cluster, in bytes.
        offset: u16,
        /// The first block of its physical cluster.
        block: u32,
        /// True if the extent is only the beginning of what the physical cluster decodes to.
        partial: bool,
    },
    /// It is within an extent.
    Within {
        /// The distance back to the head; or [`CBLKCNT`] and the number of blocks of the physical
        /// cluster.
        back: u16,
        /// The distance to the next head.
        ahead: u16,
    },
}

/// An extent, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped {
    /// The length of the decoded bytes.
    pub(crate) len: u64,
    pub(crate) plain: bool,
    pub(crate) partial: bool,
    /// The first block of the physical cluster.
    pub(crate) block: u32,
    /// The number of its blocks: 0 if it is behind the map, or in the packed inode.
    pub(crate) blocks: u16,
}

/// Returns the logical clusters of a file. The extents follow each other without gaps.
pub(crate) fn lclusters(
    extents: impl IntoIterator<Item = Mapped>,
    block_size: u64,
    big: bool,
) -> Vec<Lcluster> {
    let mut lclusters = Vec::new();
    let mut position = 0;
    for extent in extents {
        let offset = position % block_size;
        let end = position + extent.len;
        let within = end / block_size - position / block_size;
        lclusters.push(Lcluster::Head {
            plain: extent.plain,
            offset: narrow(offset),
            block: extent.block,
            partial: extent.partial,
        });
        for back in 1..within {
            let count = big && back == 1;
            let back_or_count = if count { CBLKCNT | extent.blocks } else { narrow(back).min(CBLKCNT - 1) };
            lclusters.push(Lcluster::Within { back: back_or_count, ahead: narrow(within - back) });
        }
        position = end;
    }
    let rest = position % block_size;
    if rest > 0 && (lclusters.len() as u64) < position.div_ceil(block_size) {
        lclusters.push(Lcluster::Head { plain: true, offset: narrow(rest), block: 0, partial: false });
    }
    lclusters
}

/// Returns a number that is capped at what the field can hold.
fn narrow(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The extents of a file of 275,000 bytes in an image of mkfs.erofs 1.8.6, `-zlz4hc -C65536`, as
    /// dump.erofs lists them: length, first block, number of blocks.
    pub(crate) const BIG: [(u64, u32, u16); 3] = [(124_390, 1, 16), (93_622, 17, 16), (56_988, 33, 7)];

    /// Those with `-zlz4hc`: each has one block. Incompressible blocks are plain.
    pub(crate) const SINGLE: [u64; 43] = [
        10375, 12888, 12861, 9958, 5358, 5499, 5270, 5503, 5609, 5387, 5403, 5419, 5219, 5262, 5413, 5306,
        7783, 5338, 5399, 5241, 5459, 5263, 5464, 5322, 5196, 5330, 5555, 5787, 5464, 5901, 4176, 4096, 4096,
        4096, 4096, 10213, 12513, 12815, 10465, 5337, 5515, 5328, 3022,
    ];

    /// Returns the logical clusters of such a file.
    pub(crate) fn big() -> Vec<Lcluster> {
        let extents =
            BIG.map(|(len, block, blocks)| Mapped { len, plain: false, partial: false, block, blocks });
        lclusters(extents, 4096, true)
    }

    /// Returns the logical clusters of such a file.
    pub(crate) fn single() -> Vec<Lcluster> {
        let extents = SINGLE.into_iter().zip(1..).map(|(len, block)| Mapped {
            len,
            plain: len <= 4096,
            partial: false,
            block,
            blocks: 1,
        });
        lclusters(extents, 4096, false)
    }

    fn one(len: u64) -> Vec<Lcluster> {
        lclusters([Mapped { len, plain: false, partial: false, block: 7, blocks: 2 }], 4096, true)
    }

    #[test]
    fn the_end_of_the_last_extent_is_a_plain_head_unless_an_extent_begins_there() {
        let head = Lcluster::Head { plain: false, offset: 0, block: 7, partial: false };
        let end = |offset| Lcluster::Head { plain: true, offset, block: 0, partial: false };
        let count = |ahead| Lcluster::Within { back: CBLKCNT | 2, ahead };
        assert_eq!(one(4095), [head]);
        assert_eq!(one(4096), [head]);
        assert_eq!(one(4097), [head, end(1)]);
        assert_eq!(one(8192), [head, count(1)]);
        assert_eq!(one(8193), [head, count(1), end(1)]);
        assert_eq!(one(12288), [head, count(2), Lcluster::Within { back: 2, ahead: 1 }]);
    }

    #[test]
    fn distances_are_capped_below_the_flag() {
        let long = one(4096 * 3000);
        assert_eq!(long.len(), 3000);
        assert_eq!(long[2046], Lcluster::Within { back: 2046, ahead: 954 });
        assert_eq!(long[2048], Lcluster::Within { back: 2047, ahead: 952 });
        assert_eq!(long[2999], Lcluster::Within { back: 2047, ahead: 1 });
    }
}
