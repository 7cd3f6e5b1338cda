//! Flags of ext4.

use clap::Args;

use crate::cli::flags::values;
use crate::cli::help::group;
use crate::filesystem::ext4::BYTES_PER_INODE;
use crate::quantity;
use crate::recipe::filesystem::ext4::{BlockSize, Ext4Recipe, FeatureChange, JournalLength, Profile};

#[derive(Debug, Args)]
pub(super) struct Ext4Arguments {
    /// Enable features or, with ^, disable them, as mke2fs -O: has_journal, resize_inode,
    /// sparse_super2, orphan_file, inline_data, ea_inode, dir_index, 64bit, metadata_csum,
    /// metadata_csum_seed, read-only
    #[arg(
        short = 'O',
        long,
        value_name = "[^]NAME,…",
        value_delimiter = ',',
        help_heading = group::FILESYSTEM
    )]
    feature: Vec<FeatureChange>,

    /// Length of the journal: none, auto for that of mke2fs, or a number of bytes
    #[arg(long, value_name = "BYTES|auto|none", help_heading = group::FILESYSTEM)]
    journal: Option<JournalLength>,

    /// Share of the blocks reserved for root, 0 to 50 percent [default: 0%, with --profile rw 5%]
    #[arg(long, value_name = "N%", value_parser = values::reserved, help_heading = group::FILESYSTEM)]
    reserved: Option<u8>,

    /// Reserve descriptors for growth up to this size while mounted [default: 1024 times its own]
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, help_heading = group::FILESYSTEM)]
    resize_limit: Option<u64>,

    /// Share of each block of indexed directories left free for new names, 0 to 50 percent
    /// [default: 0%, with --profile rw 20%]
    #[arg(long, value_name = "N%", value_parser = values::reserved, help_heading = group::FILESYSTEM)]
    directory_slack: Option<u8>,

    /// Align files of at least this size to it on the disk, so that DAX maps them with huge pages
    /// [default if given: 2M]
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = quantity::bytes,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2M",
        help_heading = group::FILESYSTEM
    )]
    huge_pages: Option<u64>,

    /// Minimum number of inodes [default: one for each file, and more with --free or --size]
    #[arg(long, value_name = "N", help_heading = group::FILESYSTEM)]
    inodes: Option<u32>,
}

/// Returns the help on the inodes that free space has.
pub(super) fn free_inodes() -> String {
    format!("with an inode for every {} KiB and for directories", BYTES_PER_INODE / 1024)
}

impl Ext4Arguments {
    /// Returns a flag that was given, for formats that have none of them.
    pub(super) fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--feature", !self.feature.is_empty()),
            ("--journal", self.journal.is_some()),
            ("--reserved", self.reserved.is_some()),
            ("--resize-limit", self.resize_limit.is_some()),
            ("--directory-slack", self.directory_slack.is_some()),
            ("--huge-pages", self.huge_pages.is_some()),
            ("--inodes", self.inodes.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    pub(super) fn recipe(self, profile: Profile, block_size: Option<BlockSize>) -> Ext4Recipe {
        Ext4Recipe {
            profile,
            block_size,
            features: self.feature,
            journal: self.journal,
            reserved_percent: self.reserved,
            resize_limit: self.resize_limit,
            directory_slack_percent: self.directory_slack,
            data_alignment: self.huge_pages,
            inodes: self.inodes,
        }
    }
}
