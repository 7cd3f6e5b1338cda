//! The options of an EROFS filesystem.

use std::io;
use std::str::FromStr;

use image_tree::glob::Glob;
use mkfs_erofs::{CodecError, Inline, Options, PackOptions};
use uuid::Uuid;

use super::common::CommonOptions;
use super::ext4::Profile;
use crate::filesystem::Size;
use crate::filesystem::erofs::{Compression, Erofs};
use crate::named::{Named as _, named};
use crate::recipe::initrd::KernelFile;
use crate::transform::sparse;

pub use mkfs_erofs::{BlockSize, ClusterSize, Codec, KernelVersion};

/// The options of an EROFS filesystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErofsRecipe {
    /// The profile. With `kata` no file has a tail behind its inode, as DAX needs it.
    pub profile: Profile,
    /// The block size.
    pub block_size: Option<BlockSize>,
    /// The files whose tails are stored behind their inodes; `None` for those of the profile.
    pub inline: Option<InlineData>,
    /// The compression of files; `None` for that of the profile.
    pub compress: Option<Compress>,
    /// The length of pieces to compress; `None` for the default.
    pub clusters: Option<ClusterSize>,
    /// True if small files and the ends of others are compressed together.
    pub fragments: bool,
    /// The globs of the paths of files that are stored as they are.
    pub compress_exclude: Vec<String>,
    /// The beginnings of names of xattrs that are stored once.
    pub xattr_prefixes: Vec<String>,
    /// The version of the kernel that has to mount it; `None` for any.
    pub max_kernel: Option<KernelVersion>,
    /// The kernel that has to mount it, by its configuration.
    pub kernel: Option<KernelFile>,
}

/// The compression of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compress {
    /// None.
    None,
    /// A codec with a level.
    By(Codec),
}

/// Reads `none`, or a codec with or without a level.
impl FromStr for Compress {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Self, CodecError> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::By) }
    }
}

/// The regular files whose tails are stored behind their inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InlineData {
    /// Those with a tail that fits.
    Tails,
    /// None.
    None,
}

named!(InlineData, "a choice of inline data", [Tails => "tails", None => "none"]);

impl ErofsRecipe {
    /// Returns the block size of that many bytes.
    ///
    /// # Errors
    /// A message if no block has that size.
    pub fn block_size_of(bytes: u64) -> Result<BlockSize, String> {
        let refuse = || format!("a block of EROFS has a power of two from 512 to 65536 bytes, not {bytes}");
        BlockSize::from_bytes(bytes).ok_or_else(refuse)
    }

    /// Returns the filesystem to plan.
    pub(super) fn filesystem(&self, common: &CommonOptions) -> Erofs {
        let CommonOptions { label, uuid, sparse, .. } = common.clone();
        Erofs {
            options: self.options(),
            compression: self.compression(common),
            profile: self.profile.name(),
            label,
            uuid,
            holes: sparse,
            max_kernel: self.max_kernel,
        }
    }

    /// Returns the compression, if any.
    fn compression(&self, common: &CommonOptions) -> Option<Compression> {
        let codec = match (self.compress, self.profile) {
            (Some(Compress::By(codec)), _) => codec,
            (None, Profile::Kata) => "lz4hc".parse().ok()?,
            (Some(Compress::None) | None, _) => return None,
        };
        let mut options = PackOptions::new(codec);
        options.clusters = self.clusters.unwrap_or_default();
        options.dedupe = common.dedupe;
        options.fragments = self.fragments;
        options.inline = self.options().inline == Inline::Tails;
        let exclude = self.compress_exclude.iter().filter_map(|glob| Glob::parse(glob.as_bytes()).ok());
        Some(Compression { options, exclude: exclude.collect() })
    }

    /// Checks the options of compression.
    fn check_compression(&self, common: &CommonOptions) -> Result<(), String> {
        if self.compression(common).is_some() {
            let block_size = self.block_size.unwrap_or_default();
            if block_size != BlockSize::default() {
                let bytes = block_size.bytes();
                return Err(format!(
                    "--compress needs blocks of 4096 bytes, not of {bytes}: leave out -b, or --compress none"
                ));
            }
            return self.compress_exclude.iter().try_for_each(|glob| Glob::parse(glob.as_bytes()).map(drop));
        }
        let flags = [
            ("--pcluster", self.clusters.is_some()),
            ("--fragments", self.fragments),
            ("--compress-exclude", !self.compress_exclude.is_empty()),
        ];
        if let Some((flag, _)) = flags.into_iter().find(|(_, given)| *given) {
            return Err(format!("{flag} is for compressed files: give --compress too, or leave it out"));
        }
        if common.dedupe {
            let message = "--dedupe finds equal pieces of compressed files, and files with the same bytes always share \
                           blocks: give --compress too, or leave it out";
            return Err(message.to_owned());
        }
        Ok(())
    }

    /// Returns the options. Identifier, label, length and time are those of [`Options::new`].
    fn options(&self) -> Options {
        let mut options = Options::new(Uuid::nil());
        options.block_size = self.block_size.unwrap_or_default();
        options.inline = match (self.inline, self.profile) {
            (Some(InlineData::None), _) | (None, Profile::Kata) => Inline::None,
            (Some(InlineData::Tails) | None, _) => Inline::Tails,
        };
        options.xattr_prefixes =
            self.xattr_prefixes.iter().map(|prefix| prefix.clone().into_bytes()).collect();
        options
    }

    /// Checks for options that conflict.
    ///
    /// # Errors
    /// A message with the flags that conflict, and those that help.
    pub(super) fn check(&self, common: &CommonOptions) -> Result<(), String> {
        if self.profile == Profile::Rw {
            let message = "--profile rw is for writing, and an EROFS filesystem is for reading only: choose another \
                           profile, or --fs ext4";
            return Err(message.to_owned());
        }
        self.check_compression(common)?;
        mkfs_erofs::Label::new(common.label.as_str()).map(drop).map_err(|error| error.to_string())
    }

    /// Checks the size of the image.
    ///
    /// # Errors
    /// A message if there is to be free space.
    pub(super) fn check_size(size: Size) -> Result<(), String> {
        match size {
            Size::Smallest | Size::Total { .. } => Ok(()),
            Size::Free { .. } | Size::FreePercent(_) => {
                Err("--free is room to write, and an EROFS filesystem is for \
                 reading only: leave it out, or choose --fs ext4"
                    .to_owned())
            }
        }
    }

    /// Writes the options that affect the bytes, one a line. A profile and its options given one by
    /// one give the same text.
    pub(super) fn write(&self, common: &CommonOptions, text: &mut dyn io::Write) -> io::Result<()> {
        let options = self.options();
        writeln!(text, "label {}", common.label.as_str().escape_default())?;
        writeln!(text, "uuid {:?}", common.uuid)?;
        if common.sparse != sparse::Policy::Auto {
            writeln!(text, "sparse {}", common.sparse.name())?;
        }
        if options.block_size != BlockSize::default() {
            writeln!(text, "block-size {}", options.block_size.bytes())?;
        }
        if options.inline == Inline::None {
            writeln!(text, "inline none")?;
        }
        if let Some(Compression { options, .. }) = self.compression(common) {
            let PackOptions { codec, clusters, dedupe, fragments, .. } = options;
            writeln!(text, "compress {codec} pcluster {}", clusters.bytes())?;
            writeln!(text, "dedupe {dedupe} fragments {fragments}")?;
            for glob in &self.compress_exclude {
                writeln!(text, "compress-exclude {}", glob.escape_default())?;
            }
        }
        for prefix in &options.xattr_prefixes {
            writeln!(text, "xattr-prefix {}", prefix.escape_ascii())?;
        }
        Ok(())
    }
}
