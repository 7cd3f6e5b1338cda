//! Flags of filesystems: those of every format, and a module for each format.

mod ext4;

use clap::Args;
use clap::error::ErrorKind;
use uuid::Uuid;

use self::ext4::Ext4Arguments;
use super::values;
use crate::cli::help::group;
use crate::filesystem::Label;
use crate::recipe::filesystem::ext4::Profile;
use crate::recipe::filesystem::{CommonOptions, FilesystemRecipe, FormatRecipe};
use crate::transform::sparse;

#[derive(Debug, Args)]
pub(in crate::cli) struct FilesystemArguments {
    #[command(flatten)]
    ext4: Ext4Arguments,

    /// Store blocks of zeros as holes, as cp does: auto in files that have holes in their source,
    /// always in every file, or never
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = values::choice::<sparse::Policy>(),
        default_value = "auto",
        hide_possible_values = true,
        help_heading = group::FILESYSTEM
    )]
    sparse: sparse::Policy,

    /// Share the blocks of files with the same bytes; the filesystem can then only be mounted
    /// read-only
    #[arg(long, help_heading = group::FILESYSTEM)]
    dedupe: bool,

    #[arg(
        short = 'L',
        long,
        value_name = "LABEL",
        default_value = "",
        help = format!("Label of the filesystem, at most {} bytes", Label::MAX),
        help_heading = group::FILESYSTEM
    )]
    label: Label,

    /// UUID of the filesystem [default: derived from the seed]
    #[arg(short = 'U', long, value_name = "UUID", help_heading = group::FILESYSTEM)]
    uuid: Option<Uuid>,

    /// Seed of all identifiers [default: a digest of the tree's metadata and of these flags]
    #[arg(long, value_name = "UUID", help_heading = group::FILESYSTEM)]
    pub(in crate::cli) seed: Option<Uuid>,
}

/// The short help of the flag for free space, which `image` has beside its size.
pub(in crate::cli) const FREE: &str = "Free space that unprivileged users can write to";

/// Returns the long help of the flag for free space.
pub(in crate::cli) fn free_help() -> String {
    format!("{FREE}, in bytes or percent of the filesystem, {}", ext4::free_inodes())
}

impl FilesystemArguments {
    /// Returns the filesystem, with this profile unless another one was given.
    pub(in crate::cli) fn recipe(self, profile: Profile) -> Result<FilesystemRecipe, clap::Error> {
        let common =
            CommonOptions { label: self.label, uuid: self.uuid, dedupe: self.dedupe, sparse: self.sparse };
        let recipe = FilesystemRecipe { common, format: FormatRecipe::Ext4(self.ext4.recipe(profile)) };
        let refuse = |message| clap::Error::raw(ErrorKind::ArgumentConflict, message + "\n");
        recipe.check().map_err(refuse)?;
        Ok(recipe)
    }
}
