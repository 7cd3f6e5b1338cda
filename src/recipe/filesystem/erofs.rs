//! The options of an EROFS filesystem.

use std::io;

use mkfs_erofs::{Inline, Options};
use uuid::Uuid;

use super::common::CommonOptions;
use super::ext4::Profile;
use crate::filesystem::Size;
use crate::filesystem::erofs::Erofs;
use crate::named::{Named as _, named};
use crate::recipe::initrd::KernelFile;
use crate::transform::sparse;

pub use mkfs_erofs::{BlockSize, KernelVersion};

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
    /// The beginnings of names of xattrs that are stored once.
    pub xattr_prefixes: Vec<String>,
    /// The version of the kernel that has to mount it; `None` for any.
    pub max_kernel: Option<KernelVersion>,
    /// The kernel that has to mount it, by its configuration.
    pub kernel: Option<KernelFile>,
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
            profile: self.profile.name(),
            label,
            uuid,
            holes: sparse,
            max_kernel: self.max_kernel,
        }
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
        if common.dedupe {
            let message = "--dedupe is not for --fs erofs, where files with the same bytes always share blocks: leave it \
                           out";
            return Err(message.to_owned());
        }
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
        for prefix in &options.xattr_prefixes {
            writeln!(text, "xattr-prefix {}", prefix.escape_ascii())?;
        }
        Ok(())
    }
}
