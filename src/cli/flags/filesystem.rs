//! Flags of filesystems: those of every format, and a module for each format.

mod erofs;
mod ext4;

use clap::Args;
use clap::error::ErrorKind;
use uuid::Uuid;

use self::erofs::ErofsArguments;
use self::ext4::Ext4Arguments;
use super::values;
use crate::cli::help::group;
use crate::filesystem::Label;
use crate::named::named;
use crate::quantity;
use crate::recipe::filesystem::erofs::ErofsRecipe;
use crate::recipe::filesystem::ext4::{Ext4Recipe, Profile};
use crate::recipe::filesystem::{CommonOptions, FilesystemRecipe, FormatRecipe};
use crate::transform::sparse;

#[derive(Debug, Args)]
pub(in crate::cli) struct FilesystemArguments {
    /// Format of the filesystem: ext4, or erofs, which is for reading only
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = values::choice::<Format>(),
        default_value = "ext4",
        hide_possible_values = true,
        help_heading = group::FILESYSTEM
    )]
    fs: Format,

    /// Preset for a purpose, which other flags override [default: default]
    #[arg(long, value_name = "PROFILE", value_parser = values::choice_with_help(profile_help), help_heading = group::FILESYSTEM)]
    profile: Option<Profile>,

    /// Block size in bytes: 1024, 2048 or 4096, with --fs erofs 512 to 65536 [default: 4096]
    #[arg(short = 'b', long, value_name = "BYTES", value_parser = quantity::bytes, help_heading = group::FILESYSTEM)]
    block_size: Option<u64>,

    #[command(flatten)]
    ext4: Ext4Arguments,

    #[command(flatten)]
    erofs: ErofsArguments,

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

/// A format of filesystems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ext4,
    Erofs,
}

named!(Format, "a format of filesystems", [Ext4 => "ext4", Erofs => "erofs"]);

fn profile_help(profile: Profile) -> &'static str {
    match profile {
        Profile::Default => "The defaults of mke2fs or mkfs.erofs, with the smallest size",
        Profile::Kata => "The root of a Kata guest: mounted read-only with data=ordered, with or without DAX",
        Profile::RoMin => "The smallest, read-only: no journal, one superblock, no growth",
        Profile::Rw => "Writable and growing: orphan_file, slack in directories, 5 % of the blocks for root",
    }
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
        let refuse = |message| clap::Error::raw(ErrorKind::ArgumentConflict, message + "\n");
        let common =
            CommonOptions { label: self.label, uuid: self.uuid, dedupe: self.dedupe, sparse: self.sparse };
        let profile = self.profile.unwrap_or(profile);
        let (format, other) = match self.fs {
            Format::Ext4 => {
                let block_size =
                    self.block_size.map(Ext4Recipe::block_size_of).transpose().map_err(refuse)?;
                (FormatRecipe::Ext4(self.ext4.recipe(profile, block_size)), self.erofs.given())
            }
            Format::Erofs => {
                let block_size =
                    self.block_size.map(ErofsRecipe::block_size_of).transpose().map_err(refuse)?;
                let other = self.ext4.given();
                (FormatRecipe::Erofs(self.erofs.recipe(profile, block_size)), other)
            }
        };
        if let Some(flag) = other {
            let of = if self.fs == Format::Ext4 { Format::Erofs } else { Format::Ext4 };
            return Err(refuse(format!(
                "{flag} is for --fs {of}, and the filesystem is {}: leave it out",
                self.fs
            )));
        }
        let recipe = FilesystemRecipe { common, format };
        recipe.check().map_err(refuse)?;
        Ok(recipe)
    }
}
