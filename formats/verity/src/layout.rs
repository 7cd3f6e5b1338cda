//! The layout of the areas: their lengths, and the levels of the hash tree.

use crate::{BlockSize, Error, FecLayout, Options, RootHash, Superblock};

/// The lengths of the hash area and of the FEC area for data of a certain length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    options: Options,
    data_blocks: u64,
    /// From level 0, the digests of the data blocks, up to the level of one block; none for a
    /// single data block.
    levels: Vec<Level>,
    tree_blocks: u64,
    fec: Option<FecLayout>,
}

/// A level of the hash tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The index of its first block among the blocks of the tree; the top level is at 0.
    pub first_block: u64,
    /// The number of its hash blocks.
    pub blocks: u64,
}

/// Derives the layout for data of `data_len` bytes.
///
/// # Errors
/// Returns an error if the data is empty, is not a multiple of the data block, or is too long, or
/// if the block sizes do not permit forward error correction.
pub fn plan(options: &Options, data_len: u64) -> Result<Layout, Error> {
    let block_size = options.data_block_size;
    if data_len == 0 {
        return Err(Error::Empty);
    }
    if !data_len.is_multiple_of(block_size.as_u64()) {
        return Err(Error::PartialBlock { len: data_len, block_size: block_size.bytes() });
    }
    let data_blocks = data_len / block_size.as_u64();
    let (levels, tree_blocks) = levels(options, data_blocks);
    let mut layout = Layout { options: options.clone(), data_blocks, levels, tree_blocks, fec: None };
    if let Some(roots) = options.fec {
        if block_size != options.hash_block_size {
            let (data, hash) = (block_size.bytes(), options.hash_block_size.bytes());
            return Err(Error::FecBlockSizes { data, hash });
        }
        layout.fec = Some(FecLayout::new(roots, block_size, data_blocks + tree_blocks));
    }
    layout.total_len(1).map(|_| layout)
}

/// Returns the length of the longest data that fits with its hash area and FEC area into
/// `total_len` bytes, if each of these areas starts at a multiple of `alignment` bytes behind the
/// start of the data.
///
/// # Errors
/// Returns an error if not even one block fits, if the alignment is not a positive multiple of the
/// hash block, or if the block sizes do not permit forward error correction.
pub fn largest_data_len(options: &Options, total_len: u64, alignment: u64) -> Result<u64, Error> {
    check_multiple(alignment, options.hash_block_size)?;
    let block_size = options.data_block_size.as_u64();
    let needed = |blocks: u64| plan(options, blocks * block_size)?.total_len(alignment);
    let smallest = needed(1)?;
    if smallest > total_len {
        return Err(Error::TooSmall { total: total_len, needed: smallest });
    }
    // The length needed grows with the number of blocks: between one that fits and one that does
    // not, the interval is halved.
    let (mut fits, mut exceeds) = (1, total_len / block_size + 1);
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if needed(middle).is_ok_and(|needed| needed <= total_len) {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    Ok(fits * block_size)
}

/// Returns the levels from the bottom to the top, and the number of their blocks.
fn levels(options: &Options, data_blocks: u64) -> (Vec<Level>, u64) {
    let digests_per_block = u64::from(digests_per_block(options));
    let mut levels = Vec::new();
    let mut below = data_blocks;
    while below > 1 {
        below = below.div_ceil(digests_per_block);
        levels.push(Level { first_block: 0, blocks: below });
    }
    let mut first_block = 0;
    for level in levels.iter_mut().rev() {
        level.first_block = first_block;
        first_block += level.blocks;
    }
    (levels, first_block)
}

/// The digests in a hash block. Block and digest are powers of two, so digests fill a block in both
/// hash types, without padding between them.
pub(crate) fn digests_per_block(options: &Options) -> u32 {
    options.hash_block_size.bytes() / options.algorithm.digest_len()
}

fn check_multiple(alignment: u64, block_size: BlockSize) -> Result<(), Error> {
    if alignment == 0 || !alignment.is_multiple_of(block_size.as_u64()) {
        return Err(Error::Alignment { alignment, block_size: block_size.bytes() });
    }
    Ok(())
}

impl Layout {
    /// The options that the layout was planned with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The number of data blocks, at least 1.
    #[must_use]
    pub fn data_blocks(&self) -> u64 {
        self.data_blocks
    }

    /// The length of the data in bytes.
    #[must_use]
    pub fn data_len(&self) -> u64 {
        self.data_blocks * self.options.data_block_size.as_u64()
    }

    /// The levels of the hash tree, from the digests of the data blocks up to the level of a single
    /// block; none if there is a single data block.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The number of bytes before the hash tree: a hash block for the superblock, or 0.
    #[must_use]
    pub fn superblock_len(&self) -> u64 {
        if self.options.superblock.is_some() { self.options.hash_block_size.as_u64() } else { 0 }
    }

    /// The number of hash blocks, the superblock not included.
    #[must_use]
    pub fn tree_blocks(&self) -> u64 {
        self.tree_blocks
    }

    /// The length of the hash area in bytes: the padded superblock and the hash tree. It is 0 for a
    /// single data block without a superblock.
    #[must_use]
    pub fn hash_area_len(&self) -> u64 {
        self.superblock_len() + self.tree_blocks * self.options.hash_block_size.as_u64()
    }

    /// The layout of the FEC area, if the options ask for one.
    #[must_use]
    pub fn fec(&self) -> Option<FecLayout> {
        self.fec
    }

    /// The length in bytes of data, hash area and FEC area, if each of the areas starts at a
    /// multiple of `alignment` bytes; an alignment of 1 means one directly behind the other.
    ///
    /// # Errors
    /// Returns an error if the alignment is 0, or the length exceeds that of any file.
    pub fn total_len(&self, alignment: u64) -> Result<u64, Error> {
        if alignment == 0 {
            return Err(Error::Alignment { alignment, block_size: self.options.hash_block_size.bytes() });
        }
        let block_size = self.options.data_block_size.as_u64();
        let areas = [self.hash_area_len_checked(), self.fec.map_or(Some(0), FecLayout::len_checked)];
        let mut end = self.data_blocks.checked_mul(block_size);
        for len in areas.into_iter().filter(|len| *len != Some(0)) {
            let start = end.and_then(|end| end.checked_next_multiple_of(alignment));
            end = start.zip(len).and_then(|(start, len)| start.checked_add(len));
        }
        end.filter(|end| i64::try_from(*end).is_ok()).ok_or(Error::TooLong)
    }

    fn hash_area_len_checked(&self) -> Option<u64> {
        let tree = self.tree_blocks.checked_mul(self.options.hash_block_size.as_u64())?;
        tree.checked_add(self.superblock_len())
    }

    /// The index of the first block of the hash tree on a device on which the hash area starts at
    /// `hash_offset` bytes: the `<hash_start_block>` of the kernel's table.
    ///
    /// # Errors
    /// Returns an error if the offset is not a multiple of the hash block.
    pub fn hash_start_block(&self, hash_offset: u64) -> Result<u64, Error> {
        let block_size = self.options.hash_block_size;
        if !hash_offset.is_multiple_of(block_size.as_u64()) {
            return Err(Error::Offset { offset: hash_offset, block_size: block_size.bytes() });
        }
        Ok(hash_offset / block_size.as_u64() + self.superblock_len() / block_size.as_u64())
    }

    pub(crate) fn check_root_hash(&self, root_hash: &RootHash) -> Result<(), Error> {
        let (given, expected) = (root_hash.algorithm().name(), self.options.algorithm.name());
        if given == expected { Ok(()) } else { Err(Error::RootHashAlgorithm { given, expected }) }
    }

    /// The superblock, if the options ask for one.
    #[must_use]
    pub fn superblock(&self) -> Option<Superblock> {
        self.options.superblock.map(|uuid| Superblock {
            hash_type: self.options.hash_type,
            uuid,
            algorithm: self.options.algorithm,
            data_block_size: self.options.data_block_size,
            hash_block_size: self.options.hash_block_size,
            data_blocks: self.data_blocks,
            salt: self.options.salt.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{largest_data_len, plan};
    use crate::{BlockSize, Error, FecRoots, HashAlgorithm, Options, Salt};

    fn options() -> Options {
        Options::new(Salt::EMPTY)
    }

    /// Returns the blocks of the levels from the bottom to the top for 128 digests a block.
    fn levels(data_blocks: u64) -> Vec<u64> {
        let layout = plan(&options(), data_blocks * 4096).expect("a valid length");
        let sum: u64 = layout.levels().iter().map(|level| level.blocks).sum();
        assert_eq!((sum, layout.hash_area_len()), (layout.tree_blocks(), sum * 4096));
        layout.levels().iter().map(|level| level.blocks).collect()
    }

    #[test]
    fn a_level_has_one_hash_block_for_each_128_blocks_below() {
        assert_eq!(levels(1), []);
        assert_eq!(levels(2), [1]);
        assert_eq!(levels(128), [1]);
        assert_eq!(levels(129), [2, 1]);
        assert_eq!(levels(128 * 128), [128, 1]);
        assert_eq!(levels(128 * 128 + 1), [129, 2, 1]);
        assert_eq!(levels(1 << 40), [1 << 33, 1 << 26, 1 << 19, 1 << 12, 1 << 5, 1]);
    }

    #[test]
    fn the_top_level_is_first() {
        let layout = plan(&options(), (128 * 128 + 1) * 4096).expect("a valid length");
        assert_eq!(layout.levels().iter().map(|level| level.first_block).collect::<Vec<_>>(), [3, 1, 0]);
    }

    #[test]
    fn the_superblock_takes_a_hash_block() {
        for size in [512, 4096, 65_536] {
            let hash_block_size = BlockSize::new(size).expect("valid");
            let superblock = Some(uuid::Uuid::nil());
            let layout = plan(&Options { hash_block_size, superblock, ..options() }, 8192).expect("valid");
            assert_eq!((layout.superblock_len(), layout.hash_area_len()), (size, 2 * size));
            assert_eq!(layout.hash_start_block(8 * size), Ok(9));
            assert!(layout.hash_start_block(8 * size + 1).is_err());
        }
    }

    #[test]
    fn each_area_starts_at_a_multiple_of_the_alignment() {
        let superblock = Some(uuid::Uuid::nil());
        let options = Options { superblock, fec: Some(FecRoots::DEFAULT), ..options() };
        let layout = plan(&options, 3 * 4096).expect("valid");
        // Superblock and hash block, then the parity of one round.
        assert_eq!(layout.total_len(1), Ok((3 + 2 + 2) * 4096));
        assert_eq!(layout.total_len(1 << 20), Ok((2 << 20) + 2 * 4096));
        assert!(matches!(layout.total_len(0), Err(Error::Alignment { .. })));
    }

    #[test]
    fn lengths_are_checked() {
        assert_eq!(plan(&options(), 0), Err(Error::Empty));
        assert_eq!(plan(&options(), 4097), Err(Error::PartialBlock { len: 4097, block_size: 4096 }));
        assert!(plan(&options(), (i64::MAX as u64) >> 1 & !4095).is_ok());
        assert_eq!(plan(&options(), (i64::MAX as u64) & !4095), Err(Error::TooLong));
        let mixed = Options {
            fec: Some(FecRoots::DEFAULT),
            data_block_size: BlockSize::new(512).expect("valid"),
            ..options()
        };
        assert_eq!(plan(&mixed, 4096), Err(Error::FecBlockSizes { data: 512, hash: 4096 }));
    }

    /// The block that is one too many fits into no byte less than the total it needs.
    #[test]
    fn the_largest_data_fits_and_one_block_more_does_not() {
        let mut all = vec![options()];
        all.push(Options { superblock: Some(uuid::Uuid::nil()), ..options() });
        all.push(Options { fec: Some(FecRoots::DEFAULT), ..options() });
        let data_block_size = BlockSize::new(512).expect("valid");
        all.push(Options { algorithm: HashAlgorithm::Sha512, data_block_size, ..options() });
        for options in all {
            for alignment in [4096, 12_288, 1 << 20] {
                for total in [3 << 20, 10_000_000, 202 << 20, 1 << 40, i64::MAX as u64] {
                    let len = largest_data_len(&options, total, alignment).expect("it is enough");
                    let total_len = |len| plan(&options, len).and_then(|layout| layout.total_len(alignment));
                    assert!(total_len(len).is_ok_and(|needed| needed <= total));
                    let more = len + options.data_block_size.as_u64();
                    assert!(total_len(more).map_or(true, |needed| needed > total), "{total} {alignment}");
                }
            }
        }
    }

    #[test]
    fn a_total_that_is_too_small_is_reported_with_the_required_one() {
        let options = Options { superblock: Some(uuid::Uuid::nil()), ..options() };
        let error = largest_data_len(&options, 8000, 4096).expect_err("two blocks are needed");
        assert_eq!(error.to_string(), "8000 bytes are 192 bytes too few for one data block and its areas");
        assert_eq!(largest_data_len(&options, 8192, 4096), Ok(4096));
        let without = Options { superblock: None, ..options };
        // Two blocks and their hash block.
        assert_eq!(largest_data_len(&without, 3 * 4096, 4096), Ok(2 * 4096));
        let options = Options { superblock: Some(uuid::Uuid::nil()), ..without };
        for alignment in [0, 1, 2048, 4097] {
            assert!(largest_data_len(&options, 1 << 20, alignment).is_err(), "{alignment}");
        }
    }
}
