//! Flags of filesystems: those of every format, and a module for each format.

mod ext4;

use clap::Args;
use clap::error::ErrorKind;
use uuid::Uuid;

use self::ext4::Ext4Arguments;
use super::help::group;
use super::image::When;
use crate::filesystem::Label;
use crate::recipe::filesystem::{CommonOptions, FilesystemRecipe, FormatRecipe};
use crate::transform::sparse;

#[derive(Debug, Args)]
pub(super) struct FilesystemArguments {
    #[command(flatten)]
    ext4: Ext4Arguments,

    /// Have holes in place of blocks of zeros, as cp: auto in files that their source stores with holes, always in every
    /// file, never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help_heading = group::FILESYSTEM
    )]
    sparse: When,

    /// Let files with the same bytes have the same blocks; the filesystem can then be mounted for reading only
    #[arg(long, help_heading = group::FILESYSTEM)]
    dedupe: bool,

    /// The filesystem's label, at most 16 bytes
    #[arg(short = 'L', long, value_name = "LABEL", default_value = "", help_heading = group::FILESYSTEM)]
    label: Label,

    /// The filesystem's UUID [default: derived from the seed]
    #[arg(short = 'U', long, value_name = "UUID", help_heading = group::FILESYSTEM)]
    uuid: Option<Uuid>,

    /// What all identifiers derive from [default: a digest of the tree's metadata and these flags]
    #[arg(long, value_name = "UUID", help_heading = group::FILESYSTEM)]
    pub(super) seed: Option<Uuid>,
}

impl FilesystemArguments {
    pub(super) fn recipe(self) -> Result<FilesystemRecipe, clap::Error> {
        let common = CommonOptions {
            label: self.label,
            uuid: self.uuid,
            dedupe: self.dedupe,
            sparse: match self.sparse {
                When::Auto => sparse::Policy::Auto,
                When::Always => sparse::Policy::Always,
                When::Never => sparse::Policy::Never,
            },
        };
        let recipe = FilesystemRecipe { common, format: FormatRecipe::Ext4(self.ext4.recipe()) };
        let refuse = |message| clap::Error::raw(ErrorKind::ArgumentConflict, message + "\n");
        recipe.check().map_err(refuse)?;
        Ok(recipe)
    }
}
