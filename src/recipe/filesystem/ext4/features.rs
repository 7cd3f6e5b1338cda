//! Features to enable and disable, by the names of mke2fs.

use std::str::FromStr;

use mkfs_ext4::{Journal, Options};
use thiserror::Error;

/// A feature to enable or, with `^` before its name, to disable, as in `mke2fs -O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureChange {
    pub(super) feature: Feature,
    pub(super) on: bool,
}

/// The features that can be chosen, under the names of mke2fs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    HasJournal,
    DirIndex,
    Bit64,
    MetadataCsum,
    ResizeInode,
    SparseSuper2,
    OrphanFile,
    InlineData,
    EaInode,
    MetadataCsumSeed,
    ReadOnly,
    /// A feature that every filesystem has here.
    Given,
}

const CHOICES: [(&str, Feature); 11] = [
    ("has_journal", Feature::HasJournal),
    ("dir_index", Feature::DirIndex),
    ("64bit", Feature::Bit64),
    ("metadata_csum", Feature::MetadataCsum),
    ("resize_inode", Feature::ResizeInode),
    ("sparse_super2", Feature::SparseSuper2),
    ("orphan_file", Feature::OrphanFile),
    ("inline_data", Feature::InlineData),
    ("ea_inode", Feature::EaInode),
    ("metadata_csum_seed", Feature::MetadataCsumSeed),
    ("read-only", Feature::ReadOnly),
];

/// The features of every filesystem of this program, by the names of mke2fs.
const GIVEN: [&str; 9] = [
    "ext_attr",
    "filetype",
    "extent",
    "extents",
    "flex_bg",
    "large_file",
    "huge_file",
    "dir_nlink",
    "extra_isize",
];

/// The unsupported features, and the reasons.
const NONE: [(&str, &str); 14] = [
    ("casefold", "names are compared byte by byte here"),
    ("encrypt", "keys are the guest's to make, after its first start"),
    ("quota", "the guest's quotacheck or tune2fs -O quota counts when there is something to count"),
    ("project", "a tree says nothing about projects; tune2fs -O project adds them"),
    ("bigalloc", "clusters are for large files alone, and waste space behind each other file"),
    ("verity", "it is of single files; a whole image is protected by dm-verity"),
    ("uninit_bg", "metadata_csum takes its place, and mke2fs without that makes none either"),
    ("meta_bg", "the kernel turns to it by itself when it grows a filesystem beyond its reserve"),
    ("large_dir", "an index of two levels leads to more names than there are inodes in most filesystems"),
    ("fast_commit", "the guest's tune2fs -O fast_commit adds it to a journal"),
    ("mmp", "it guards a filesystem that two machines could mount"),
    ("stable_inodes", "it is used only with encrypt"),
    ("journal_dev", "the journal is in the filesystem"),
    ("shared_blocks", "--dedupe sets it where files share blocks"),
];

/// The error of a word that is not the name of a selectable feature.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct FeatureError(String);

impl FromStr for FeatureChange {
    type Err = FeatureError;

    fn from_str(text: &str) -> Result<Self, FeatureError> {
        let (name, on) = text.strip_prefix('^').map_or((text, true), |name| (name, false));
        if let Some((_, feature)) = CHOICES.iter().find(|(known, _)| *known == name) {
            return Ok(Self { feature: *feature, on });
        }
        let choices = CHOICES.map(|(name, _)| name).join(", ");
        if let Some((_, why)) = NONE.iter().find(|(known, _)| *known == name) {
            return if on {
                Err(FeatureError(format!("\"{name}\" is not made here: {why}")))
            } else {
                Ok(Self::given())
            };
        }
        // sparse_super is the default without sparse_super2.
        if GIVEN.contains(&name) || name == "sparse_super" {
            let way_out = if name == "sparse_super" { "; sparse_super2 takes its place" } else { "" };
            return if on {
                Ok(Self::given())
            } else {
                Err(FeatureError(format!(
                    "every filesystem here has {name}{way_out}; features to enable or disable: {choices}"
                )))
            };
        }
        Err(FeatureError(format!(
            "\"{name}\" is not a feature of ext4 known here; features to enable or disable: {choices}"
        )))
    }
}

impl FeatureChange {
    /// Returns a change without effect.
    fn given() -> Self {
        Self { feature: Feature::Given, on: true }
    }

    /// Applies the change.
    pub(super) fn apply(self, options: &mut Options) {
        let Self { feature, on } = self;
        let features = &mut options.features;
        match feature {
            Feature::HasJournal if !on => options.journal = Journal::None,
            Feature::HasJournal if options.journal == Journal::None => options.journal = Journal::Auto,
            Feature::HasJournal | Feature::Given => {}
            Feature::DirIndex => features.dir_index = on,
            Feature::Bit64 => features.bit_64 = on,
            Feature::MetadataCsum => features.metadata_csum = on,
            Feature::ResizeInode => features.resize_inode = on,
            Feature::SparseSuper2 => features.sparse_super2 = on,
            Feature::OrphanFile => features.orphan_file = on,
            Feature::InlineData => features.inline_data = on,
            Feature::EaInode => features.ea_inode = on,
            Feature::MetadataCsumSeed => features.metadata_csum_seed = on,
            Feature::ReadOnly => features.read_only = on,
        }
    }
}
