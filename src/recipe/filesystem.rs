//! The options of a filesystem: a profile and the differences from it.

use std::str::FromStr;

use mkfs_ext4::{BlockSize, DataAlignment, Journal, Options};
use thiserror::Error;
use uuid::Uuid;

use crate::transform::sparse;

/// The purpose of a filesystem, which presets its options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The defaults of mke2fs with the smallest size, without `orphan_file`.
    #[default]
    Default,
    /// The root of a Kata guest, which is mounted with `ro` and `data=ordered`, and with DAX on an
    /// NVDIMM: blocks of 4 KiB and no `inline_data`, as required by DAX; a journal, without which
    /// `data=` is rejected, of the minimum length, because nothing is written to it; and no
    /// reserved blocks for growth.
    Kata,
    /// [`mkfs_ext4::Profile::RoMin`]: the smallest filesystem, for a root that is never written to.
    RoMin,
    /// [`mkfs_ext4::Profile::Rw`]: a writable filesystem that can grow while it is mounted.
    Rw,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 4] = [Self::Default, Self::Kata, Self::RoMin, Self::Rw];

    /// Returns the name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Kata => "kata",
            Self::RoMin => "ro-min",
            Self::Rw => "rw",
        }
    }

    /// Returns the options of the profile with these identifiers.
    fn options(self, uuid: Uuid, hash_seed: Uuid) -> Options {
        let preset = match self {
            Self::Default | Self::Kata => mkfs_ext4::Profile::Default,
            Self::RoMin => mkfs_ext4::Profile::RoMin,
            Self::Rw => mkfs_ext4::Profile::Rw,
        };
        let mut options = Options::from_profile(preset, uuid, hash_seed);
        if self == Self::Kata {
            options.features.resize_inode = false;
            options.journal = Journal::Blocks(1024);
        }
        options
    }
}

/// A profile and the differences from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesystemRecipe {
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
    /// True if files with the same bytes share blocks.
    pub dedupe: bool,
    /// The policy for holes.
    pub sparse: sparse::Policy,
}

/// The length of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalLength {
    /// No journal.
    None,
    /// The default length of mke2fs.
    BySize,
    /// This many bytes, rounded up to whole blocks.
    Bytes(u64),
}

impl FilesystemRecipe {
    /// Returns the options of a filesystem with these identifiers at an offset of the disk. Size,
    /// label and all else that does not depend on the profile are as in [`Options::new`].
    #[must_use]
    pub fn options(&self, uuid: Uuid, hash_seed: Uuid, offset: u64) -> Options {
        let mut options = self.profile.options(uuid, hash_seed);
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
            Some(JournalLength::BySize) => options.journal = Journal::Auto,
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
        let aligned = |bytes| DataAlignment { bytes, filesystem_offset: offset };
        options.data_alignment = self.data_alignment.map(aligned).or(options.data_alignment);
        options.holes = self.sparse != sparse::Policy::Never;
        options
    }

    /// Writes the options that affect the bytes and differ from the default profile, one a line;
    /// nothing if none does. A profile and its options given one by one give the same text.
    ///
    /// # Errors
    /// Those of `text`.
    pub fn write(&self, text: &mut dyn std::io::Write) -> std::io::Result<()> {
        if self.sparse != sparse::Policy::Auto {
            writeln!(text, "sparse {}", self.sparse.name())?;
        }
        let options = self.options_without_own_lines();
        if options == Self::default().options_without_own_lines() && !self.dedupe {
            return Ok(());
        }
        writeln!(text, "block-size {}", options.block_size.bytes())?;
        writeln!(text, "features {:?} {}", options.features, options.num_backup_sb)?;
        writeln!(text, "resize-limit {:?}", options.resize_limit)?;
        writeln!(text, "directories {} {:?}", options.directory_slack_percent, options.linear_order)?;
        writeln!(text, "data-alignment {:?}", options.data_alignment.map(|alignment| alignment.bytes))?;
        writeln!(text, "dedupe {}", self.dedupe)
    }

    /// The options except those with lines of their own: the reserve and the journal in the text of
    /// an image, holes in [`FilesystemRecipe::write`].
    fn options_without_own_lines(&self) -> Options {
        let mut options = self.options(Uuid::nil(), Uuid::nil(), 0);
        options.reserved_percent = 0;
        options.journal = Journal::Auto;
        options.holes = true;
        options
    }
}

/// A feature to enable or, with `^` before its name, to disable, as in `mke2fs -O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureChange {
    feature: Feature,
    on: bool,
}

/// The features that can be chosen, under the names of mke2fs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feature {
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
    ("casefold", "names of this program are bytes, and have no case"),
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
    ("stable_inodes", "it goes with encrypt"),
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
                    "every filesystem here has {name}{way_out}; to be chosen or left out are {choices}"
                )))
            };
        }
        Err(FeatureError(format!(
            "\"{name}\" is not a feature of ext4 known here; to be chosen or left out are {choices}"
        )))
    }
}

impl FeatureChange {
    /// Returns a change without effect.
    fn given() -> Self {
        Self { feature: Feature::Given, on: true }
    }

    fn apply(self, options: &mut Options) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn options(words: &[&str]) -> Options {
        with_features(words).options(Uuid::nil(), Uuid::nil(), 0)
    }

    #[test]
    fn each_feature_is_set_and_cleared() {
        assert_eq!(options(&[]), Options::new(Uuid::nil(), Uuid::nil()));
        assert_eq!(options(&["extent", "^bigalloc", "sparse_super"]), Options::new(Uuid::nil(), Uuid::nil()));
        assert_eq!(options(&["^has_journal"]).journal, Journal::None);
        assert_eq!(options(&["^has_journal", "has_journal"]).journal, Journal::Auto);
        let all = options(&[
            "^resize_inode",
            "sparse_super2",
            "orphan_file",
            "inline_data",
            "ea_inode",
            "read-only",
        ])
        .features;
        assert!(
            !all.resize_inode
                && all.sparse_super2
                && all.orphan_file
                && all.inline_data
                && all.ea_inode
                && all.read_only
        );
        assert!(!options(&["^metadata_csum_seed"]).features.metadata_csum_seed);
        let old = options(&["^64bit", "^metadata_csum", "^dir_index"]).features;
        assert!(!old.bit_64 && !old.metadata_csum && !old.metadata_csum_seed && !old.dir_index);
        assert_eq!(options(&["^metadata_csum", "metadata_csum"]), options(&[]));
        let seed = options(&["metadata_csum_seed", "^metadata_csum"]).features;
        assert!(seed.metadata_csum_seed && !seed.metadata_csum, "what contradicts itself is refused later");
        assert!(options(&["^orphan_file", "orphan_file"]).features.orphan_file, "the last one counts");
    }

    #[test]
    fn what_cannot_be_chosen_says_why() {
        for (word, why) in [
            ("casefold", "not made here"),
            ("encrypt", "keys are the guest's"),
            ("quota", "not made here"),
            ("project", "tune2fs -O project"),
            ("bigalloc", "waste space"),
            ("^extent", "every filesystem here has extent"),
            ("^sparse_super", "sparse_super2 takes its place"),
            ("", "to be chosen or left out are has_journal"),
            ("no_such", "\"no_such\" is not a feature"),
        ] {
            let error = word.parse::<FeatureChange>().expect_err(word).to_string();
            assert!(error.contains(why), "{word}: {error}");
        }
    }

    #[test]
    fn a_profile_yields_to_what_is_said() {
        let recipe = FilesystemRecipe {
            profile: Profile::Rw,
            block_size: Some(BlockSize::B1024),
            journal: Some(JournalLength::Bytes(2 << 20)),
            reserved_percent: Some(1),
            data_alignment: Some(2 << 20),
            ..FilesystemRecipe::default()
        };
        let options = recipe.options(Uuid::nil(), Uuid::nil(), 1 << 20);
        assert!(options.features.orphan_file);
        assert_eq!((options.journal, options.reserved_percent), (Journal::Blocks(2048), 1));
        let aligned = DataAlignment { bytes: 2 << 20, filesystem_offset: 1 << 20 };
        assert_eq!(options.data_alignment, Some(aligned));
    }

    fn text(recipe: &FilesystemRecipe) -> String {
        let mut text = Vec::new();
        recipe.write(&mut text).expect("memory");
        String::from_utf8(text).expect("ASCII")
    }

    fn with_features(words: &[&str]) -> FilesystemRecipe {
        let features = words.iter().map(|word| word.parse().expect("a feature")).collect();
        FilesystemRecipe { features, ..FilesystemRecipe::default() }
    }

    #[test]
    fn what_changes_nothing_says_nothing() {
        let default = FilesystemRecipe::default;
        for recipe in [
            default(),
            FilesystemRecipe { reserved_percent: Some(3), ..default() },
            FilesystemRecipe { journal: Some(JournalLength::Bytes(4 << 20)), ..default() },
            FilesystemRecipe { block_size: Some(BlockSize::B4096), ..default() },
            FilesystemRecipe { directory_slack_percent: Some(0), ..default() },
            with_features(&["extent", "^orphan_file", "resize_inode"]),
        ] {
            assert_eq!(text(&recipe), "", "{recipe:?}");
        }
        let kata = FilesystemRecipe { profile: Profile::Kata, ..default() };
        assert_eq!(text(&kata), text(&with_features(&["^resize_inode"])));
    }

    #[test]
    fn each_choice_has_a_text_of_its_own() {
        let default = FilesystemRecipe::default;
        let profiles = Profile::ALL.map(|profile| FilesystemRecipe { profile, ..default() });
        let features = [
            "sparse_super2",
            "orphan_file",
            "inline_data",
            "ea_inode",
            "^dir_index",
            "^64bit",
            "^metadata_csum",
            "^metadata_csum_seed",
            "read-only",
        ];
        let single = [
            FilesystemRecipe { block_size: Some(BlockSize::B1024), ..default() },
            FilesystemRecipe { block_size: Some(BlockSize::B2048), ..default() },
            FilesystemRecipe { resize_limit: Some(1 << 30), ..default() },
            FilesystemRecipe { resize_limit: Some(1 << 31), ..default() },
            FilesystemRecipe { directory_slack_percent: Some(20), ..default() },
            FilesystemRecipe { data_alignment: Some(2 << 20), ..default() },
            FilesystemRecipe { data_alignment: Some(1 << 30), ..default() },
            FilesystemRecipe { dedupe: true, ..default() },
            FilesystemRecipe { sparse: sparse::Policy::Always, ..default() },
            FilesystemRecipe { sparse: sparse::Policy::Never, ..default() },
            // The same as ro-min, except for the number of superblock backups.
            with_features(&["^resize_inode", "sparse_super2", "read-only"]),
            // The same as rw, except for the order of names.
            FilesystemRecipe { directory_slack_percent: Some(20), ..with_features(&["orphan_file"]) },
        ];
        let recipes: Vec<_> =
            profiles.into_iter().chain(features.map(|word| with_features(&[word]))).chain(single).collect();
        let texts: BTreeSet<String> = recipes.iter().map(text).collect();
        assert_eq!(texts.len(), recipes.len(), "{texts:#?}");
    }
}
