//! The options of an ext4 filesystem: a profile and the differences from it.

mod features;
mod profile;

use std::io;
use std::str::FromStr;

use mkfs_ext4::{DataAlignment, Features, Journal, LinearOrder, Options};

use super::common::CommonOptions;
use crate::filesystem::Label;
use crate::filesystem::ext4::Ext4;
use crate::named::Named as _;
use crate::quantity;
use crate::transform::sparse;
use features::Feature;

pub use features::{FeatureChange, FeatureError};
pub use mkfs_ext4::BlockSize;
pub use profile::Profile;

/// A profile and the differences from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ext4Recipe {
    /// The profile.
    pub profile: Profile,
    /// The block size.
    pub block_size: Option<BlockSize>,
    /// The features to enable and disable; the last one of a name takes effect.
    pub features: Vec<FeatureChange>,
    /// The length of the journal.
    pub journal: Option<JournalLength>,
    /// The share of blocks reserved for root, in percent.
    pub reserved_percent: Option<u8>,
    /// The size in bytes up to which it can be grown while it is mounted.
    pub resize_limit: Option<u64>,
    /// The share of each directory block that is left free for new names, in percent.
    pub directory_slack_percent: Option<u8>,
    /// The page size in bytes that large files are aligned to.
    pub data_alignment: Option<u64>,
    /// The minimum number of inodes.
    pub inodes: Option<u32>,
}

/// The length of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalLength {
    /// No journal.
    None,
    /// The default length of mke2fs.
    Auto,
    /// This many bytes, rounded up to whole blocks.
    Bytes(u64),
}

impl FromStr for JournalLength {
    type Err = String;

    /// Parses `none`, `auto` or a number of bytes with a unit.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            _ => quantity::bytes(text).map(Self::Bytes),
        }
    }
}

impl Ext4Recipe {
    /// Returns the block size of that many bytes.
    ///
    /// # Errors
    /// A message if no block has that size.
    pub fn block_size_of(bytes: u64) -> Result<BlockSize, String> {
        let refuse = || format!("a block of ext4 has 1024, 2048 or 4096 bytes, not {bytes}");
        BlockSize::from_bytes(bytes).ok_or_else(refuse)
    }

    /// Returns the filesystem to plan.
    pub(super) fn filesystem(&self, common: &CommonOptions) -> Ext4 {
        let CommonOptions { label, uuid, dedupe, sparse } = common.clone();
        Ext4 {
            options: self.options(),
            profile: self.profile.name(),
            label,
            uuid,
            holes: sparse,
            shares_duplicates: dedupe,
        }
    }

    /// Returns the options. Identifiers, label, size, time and the place on the disk are those of
    /// [`Options::new`].
    fn options(&self) -> Options {
        let mut options = self.profile.options();
        options.block_size = self.block_size.unwrap_or(options.block_size);
        for change in &self.features {
            change.apply(&mut options);
        }
        // Without metadata_csum there is no use for metadata_csum_seed, unless it was requested
        // explicitly.
        let is_seed = |change: &&FeatureChange| change.feature == Feature::MetadataCsumSeed;
        if !options.features.metadata_csum && !self.features.iter().rfind(is_seed).is_some_and(|seed| seed.on)
        {
            options.features.metadata_csum_seed = false;
        }
        match self.journal {
            None => {}
            Some(JournalLength::None) => options.journal = Journal::None,
            Some(JournalLength::Auto) => options.journal = Journal::Auto,
            Some(JournalLength::Bytes(bytes)) => {
                let blocks = bytes.div_ceil(options.block_size.bytes());
                // A length beyond the maximum is rejected by the planner.
                options.journal = Journal::Blocks(u32::try_from(blocks).unwrap_or(u32::MAX));
            }
        }
        options.reserved_percent = self.reserved_percent.unwrap_or(options.reserved_percent);
        options.resize_limit = self.resize_limit.or(options.resize_limit);
        options.directory_slack_percent =
            self.directory_slack_percent.unwrap_or(options.directory_slack_percent);
        let aligned = |bytes| DataAlignment { bytes, filesystem_offset: 0 };
        options.data_alignment = self.data_alignment.map(aligned).or(options.data_alignment);
        options.inodes = self.inodes;
        options
    }

    /// Checks for options that conflict.
    ///
    /// # Errors
    /// A message with the flags that conflict, and those that help.
    pub(super) fn check(&self, common: &CommonOptions) -> Result<(), String> {
        let options = self.options();
        let features = options.features;
        let conflicts = [
            (
                common.dedupe && (features.resize_inode || features.orphan_file),
                "--dedupe makes a filesystem for reading only, and resize_inode and orphan_file are for writing: \
                 add --profile ro-min or kata, or -O ^resize_inode,^orphan_file",
            ),
            (
                features.orphan_file && options.journal == Journal::None,
                "orphan_file needs a journal, and there is none: add -O ^orphan_file, or have a journal with \
                 --journal auto",
            ),
            (
                features.sparse_super2 && features.resize_inode,
                "sparse_super2 cannot be combined with resize_inode, as the kernel does not grow a filesystem that has it: \
                 add -O ^resize_inode, or leave sparse_super2 out",
            ),
            (
                features.metadata_csum_seed && !features.metadata_csum,
                "metadata_csum_seed needs metadata_csum: leave it out, or add -O metadata_csum",
            ),
            (
                options.resize_limit.is_some() && !features.resize_inode,
                "--resize-limit needs resize_inode: leave it out, or add -O resize_inode",
            ),
        ];
        let conflict = conflicts.into_iter().find(|(is_so, _)| *is_so);
        conflict.map_or(Ok(()), |(_, message)| Err(message.to_owned()))
    }

    /// Writes the options that affect the bytes, one a line: first those that every text has, then
    /// those that differ from the default profile; nothing further if none does. A profile and its
    /// options given one by one give the same text.
    pub(super) fn write(&self, common: &CommonOptions, text: &mut dyn io::Write) -> io::Result<()> {
        let options = self.options();
        writeln!(text, "inodes {:?}", self.inodes)?;
        writeln!(text, "reserved {}", options.reserved_percent)?;
        writeln!(text, "label {}", padded(&common.label).escape_ascii())?;
        writeln!(text, "uuid {:?}", common.uuid)?;
        writeln!(text, "journal {}", journal_text(options.journal))?;
        if common.sparse != sparse::Policy::Auto {
            writeln!(text, "sparse {}", common.sparse.name())?;
        }
        let further = further_text(&options);
        if further != further_text(&Self::default().options()) || common.dedupe {
            writeln!(text, "{further}\ndedupe {}", common.dedupe)?;
        }
        Ok(())
    }
}

/// Returns the label as in the superblock, padded with NUL.
fn padded(label: &Label) -> [u8; Label::MAX] {
    let mut padded = [0; Label::MAX];
    padded.iter_mut().zip(label.as_str().bytes()).for_each(|(field, byte)| *field = byte);
    padded
}

// The words of the text are part of the byte layout, so none comes from a derived format, which
// follows the names of the crate.

fn journal_text(journal: Journal) -> String {
    match journal {
        Journal::None => "None".to_owned(),
        Journal::Blocks(blocks) => format!("Blocks({blocks})"),
        Journal::Auto => "BySize".to_owned(),
        further => format!("{further:?}"),
    }
}

/// Returns the lines of options that follow from the profile.
fn further_text(options: &Options) -> String {
    let linear_order = match options.linear_order {
        LinearOrder::ByName => "ByName".to_owned(),
        LinearOrder::ByInode => "ByInode".to_owned(),
        further => format!("{further:?}"),
    };
    format!(
        "block-size {}\nfeatures {} {}\nresize-limit {:?}\ndirectories {} {linear_order}\ndata-alignment {:?}",
        options.block_size.bytes(),
        features_text(&options.features),
        options.num_backup_sb,
        options.resize_limit,
        options.directory_slack_percent,
        options.data_alignment.map(|alignment| alignment.bytes),
    )
}

fn features_text(features: &Features) -> String {
    let Features {
        dir_index,
        resize_inode,
        sparse_super2,
        orphan_file,
        inline_data,
        ea_inode,
        bit_64,
        metadata_csum,
        metadata_csum_seed,
        read_only,
        ..
    } = features;
    format!(
        "Features {{ dir_index: {dir_index}, resize_inode: {resize_inode}, sparse_super2: {sparse_super2}, \
         orphan_file: {orphan_file}, inline_data: {inline_data}, ea_inode: {ea_inode}, bit_64: {bit_64}, \
         metadata_csum: {metadata_csum}, metadata_csum_seed: {metadata_csum_seed}, read_only: {read_only} }}"
    )
}

#[cfg(test)]
mod tests;
