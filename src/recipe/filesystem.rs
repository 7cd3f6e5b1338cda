//! The filesystem to make: the options that every format has, and those of one format.

mod common;
pub mod erofs;
pub mod ext4;

use std::io;

use self::erofs::ErofsRecipe;
use self::ext4::Ext4Recipe;
use super::initrd::KernelFile;
use crate::filesystem::{Filesystem, Size};

pub use common::CommonOptions;

/// The filesystem to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesystemRecipe {
    /// The options of every format.
    pub common: CommonOptions,
    /// The format with its own options.
    pub format: FormatRecipe,
}

/// A format of filesystems with its own options.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatRecipe {
    /// ext4.
    Ext4(Ext4Recipe),
    /// EROFS, for reading only.
    Erofs(ErofsRecipe),
}

impl Default for FormatRecipe {
    fn default() -> Self {
        Self::Ext4(Ext4Recipe::default())
    }
}

impl From<ext4::Profile> for FilesystemRecipe {
    /// ext4 with the options of a profile.
    fn from(profile: ext4::Profile) -> Self {
        let ext4 = Ext4Recipe { profile, ..Ext4Recipe::default() };
        Self { format: FormatRecipe::Ext4(ext4), ..Self::default() }
    }
}

impl FilesystemRecipe {
    /// Returns the filesystem to plan.
    #[must_use]
    pub fn filesystem(&self) -> Box<dyn Filesystem> {
        match &self.format {
            FormatRecipe::Ext4(ext4) => Box::new(ext4.filesystem(&self.common)),
            FormatRecipe::Erofs(erofs) => Box::new(erofs.filesystem(&self.common)),
        }
    }

    /// Checks for options that conflict.
    ///
    /// # Errors
    /// A message with the flags that conflict, and those that help.
    pub fn check(&self) -> Result<(), String> {
        match &self.format {
            FormatRecipe::Ext4(ext4) => ext4.check(&self.common),
            FormatRecipe::Erofs(erofs) => erofs.check(&self.common),
        }
    }

    /// Checks that the format can have the size.
    ///
    /// # Errors
    /// A message with the flag that conflicts, and those that help.
    pub fn check_size(&self, size: Size) -> Result<(), String> {
        match &self.format {
            FormatRecipe::Ext4(_) => Ok(()),
            FormatRecipe::Erofs(_) => ErofsRecipe::check_size(size),
        }
    }

    /// The maximum length in bytes of the data blocks of a hash tree of the filesystem, as far as its
    /// format has one: kernels refuse devices with longer blocks.
    #[must_use]
    pub fn max_data_block(&self) -> Option<u64> {
        match &self.format {
            FormatRecipe::Ext4(_) => None,
            FormatRecipe::Erofs(erofs) => Some(erofs.block_size.unwrap_or_default().bytes()),
        }
    }

    /// The kernel that has to mount the filesystem, if its configuration is given.
    #[must_use]
    pub fn kernel(&self) -> Option<&KernelFile> {
        match &self.format {
            FormatRecipe::Ext4(_) => None,
            FormatRecipe::Erofs(erofs) => erofs.kernel.as_ref(),
        }
    }

    /// True if the options are those of a filesystem that is to be written to.
    #[must_use]
    pub fn is_for_writing(&self) -> bool {
        match &self.format {
            FormatRecipe::Ext4(ext4) => ext4.profile == ext4::Profile::Rw,
            FormatRecipe::Erofs(_) => false,
        }
    }

    /// Writes the options that affect the bytes, one a line.
    ///
    /// # Errors
    /// The errors of `text`.
    pub fn write(&self, text: &mut dyn io::Write) -> io::Result<()> {
        match &self.format {
            FormatRecipe::Ext4(ext4) => ext4.write(&self.common, text),
            FormatRecipe::Erofs(erofs) => erofs.write(&self.common, text),
        }
    }
}
