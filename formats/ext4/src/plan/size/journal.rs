//! The length of the journal.

use crate::Journal;
use crate::error::Error;

/// The minimum length of a journal in blocks (`JBD2_MIN_JOURNAL_BLOCKS`).
const MIN_BLOCKS: u32 = 1024;
/// The maximum length that mke2fs creates, in blocks.
const MAX_BLOCKS: u32 = 10_240_000;

/// Rejects a length that is out of range.
pub(crate) fn check(journal: Journal) -> Result<(), Error> {
    match journal {
        Journal::Blocks(blocks) if !(MIN_BLOCKS..=MAX_BLOCKS).contains(&blocks) => {
            Err(Error::JournalSize { blocks, limits: (MIN_BLOCKS, MAX_BLOCKS) })
        }
        _ => Ok(()),
    }
}

/// Returns the number of blocks of the journal for a filesystem of that many blocks; 0 for none.
pub(crate) fn blocks_for(journal: Journal, filesystem_blocks: u64) -> u32 {
    match journal {
        Journal::None => 0,
        Journal::Blocks(blocks) => blocks,
        Journal::Auto => by_size(filesystem_blocks),
    }
}

/// Implements the table of `ext2fs_default_journal_size`, except for its first line: mke2fs creates
/// no journal in a filesystem of fewer than 2048 blocks, which then cannot be mounted with
/// `data=ordered`. A journal is a hole in the image until it is used, so small filesystems have the
/// shortest instead.
fn by_size(blocks: u64) -> u32 {
    const TABLE: [(u64, u32); 8] = [
        (32_768, MIN_BLOCKS),
        (256 * 1024, 4096),
        (512 * 1024, 8192),
        (4096 * 1024, 16_384),
        (8192 * 1024, 32_768),
        (16_384 * 1024, 65_536),
        (32_768 * 1024, 131_072),
        (u64::MAX, 262_144),
    ];
    let line = TABLE.into_iter().find(|(below, _)| blocks < *below);
    line.map_or(262_144, |(_, journal)| journal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journal_lengths_are_those_of_the_table() {
        let steps = [
            (1, 1024),
            (32_767, 1024),
            (32_768, 4096),
            (262_144, 8192),
            (524_288, 16_384),
            (u64::MAX, 262_144),
        ];
        for (blocks, journal) in steps {
            assert_eq!(blocks_for(Journal::Auto, blocks), journal, "{blocks} blocks");
        }
    }

    #[test]
    fn lengths_that_the_kernel_rejects_are_errors() {
        assert!(check(Journal::Blocks(1023)).is_err());
        assert!(check(Journal::Blocks(1024)).is_ok());
        assert!(check(Journal::Blocks(10_240_001)).is_err());
    }
}
