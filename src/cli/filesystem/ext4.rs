//! Flags of ext4.

use clap::{Args, ValueEnum};

use crate::cli::help::group;
use crate::cli::values;
use crate::recipe::filesystem::ext4::{BlockSize, Ext4Recipe, FeatureChange, JournalLength, Profile};

#[derive(Debug, Args)]
pub(super) struct Ext4Arguments {
    /// Purpose of the filesystem, which the flags after this one refine
    #[arg(long, value_name = "PROFILE", default_value = "default", help_heading = group::FILESYSTEM)]
    profile: ProfileName,

    /// Bytes of a block: 1024, 2048 or 4096 [default: 4096]
    #[arg(short = 'b', long, value_name = "BYTES", value_parser = block_size, help_heading = group::FILESYSTEM)]
    block_size: Option<BlockSize>,

    /// Have a feature or, with ^ before it, do without, as mke2fs -O: has_journal, resize_inode, sparse_super2, orphan_file,
    /// inline_data, ea_inode, dir_index, 64bit, metadata_csum, metadata_csum_seed, read-only
    #[arg(
        short = 'O',
        long,
        value_name = "[^]NAME,…",
        value_delimiter = ',',
        help_heading = group::FILESYSTEM
    )]
    feature: Vec<FeatureChange>,

    /// How long the journal is: none, auto for as long as mke2fs makes it, or this many bytes
    #[arg(long, value_name = "BYTES|auto|none", value_parser = journal, help_heading = group::FILESYSTEM)]
    journal: Option<JournalLength>,

    /// Reserve blocks for root, 0 to 50 percent of all [default: 0%, with --profile rw 5%]
    #[arg(long, value_name = "N%", value_parser = values::reserved, help_heading = group::FILESYSTEM)]
    reserved: Option<u8>,

    /// Have room for descriptors up to this size, to which it can grow while it is mounted [default: 1024 times its own]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = group::FILESYSTEM)]
    resize_limit: Option<u64>,

    /// Leave this share of blocks of indexed directories for new names, 0 to 50 percent [default: 0%, with --profile rw 20%]
    #[arg(long, value_name = "N%", value_parser = values::reserved, help_heading = group::FILESYSTEM)]
    directory_slack: Option<u8>,

    /// Align files of at least this size to it on the disk, so that DAX maps them with huge pages [default if given: 2M]
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = values::bytes,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2M",
        help_heading = group::FILESYSTEM
    )]
    huge_pages: Option<u64>,

    /// Have at least this many inodes [default: one for each file, and more with --free or --size]
    #[arg(long, value_name = "N", help_heading = group::FILESYSTEM)]
    inodes: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    /// What mke2fs makes, of the smallest size
    Default,
    /// A Kata guest's root: mounted for reading with data=ordered, with or without DAX
    Kata,
    /// The smallest, for reading only: no journal, one superblock, no room to grow
    RoMin,
    /// To write to and to grow: orphan_file, room in directories, 5 % of the blocks for root
    Rw,
}

impl Ext4Arguments {
    pub(super) fn recipe(self) -> Ext4Recipe {
        let profile = match self.profile {
            ProfileName::Default => Profile::Default,
            ProfileName::Kata => Profile::Kata,
            ProfileName::RoMin => Profile::RoMin,
            ProfileName::Rw => Profile::Rw,
        };
        Ext4Recipe {
            profile,
            block_size: self.block_size,
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

fn block_size(text: &str) -> Result<BlockSize, String> {
    let size = values::bytes(text)?;
    BlockSize::from_bytes(size).ok_or_else(|| format!("blocks have 1024, 2048 or 4096 bytes, not {size}"))
}

fn journal(text: &str) -> Result<JournalLength, String> {
    match text {
        "none" => Ok(JournalLength::None),
        "auto" => Ok(JournalLength::BySize),
        _ => values::bytes(text).map(JournalLength::Bytes),
    }
}
