//! Flags of EROFS.

use clap::Args;

use crate::cli::flags::kernel::KernelArguments;
use crate::cli::flags::values;
use crate::cli::help::group;
use crate::recipe::filesystem::erofs::{BlockSize, ErofsRecipe, InlineData, KernelVersion};
use crate::recipe::filesystem::ext4::Profile;

#[derive(Debug, Args)]
pub(super) struct ErofsArguments {
    /// Store the ends of files, which fill less than a block, behind their inodes: tails where they
    /// fit, or none [default: tails, with --profile kata none]
    #[arg(
        long,
        value_name = "WHICH",
        value_parser = values::choice::<InlineData>(),
        hide_possible_values = true,
        help_heading = group::FILESYSTEM
    )]
    inline: Option<InlineData>,

    /// Store the beginning of names of xattrs once, as in trusted.overlay.; it needs Linux 6.4
    #[arg(long, value_name = "PREFIX", help_heading = group::FILESYSTEM)]
    xattr_prefix: Vec<String>,

    /// Refuse what this version of Linux does not read, such as 6.1
    #[arg(long, value_name = "VERSION", help_heading = group::FILESYSTEM)]
    max_kernel: Option<KernelVersion>,

    #[command(flatten)]
    kernel: KernelArguments,
}

impl ErofsArguments {
    /// Returns a flag that was given, for formats that have none of them.
    pub(super) fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--inline", self.inline.is_some()),
            ("--xattr-prefix", !self.xattr_prefix.is_empty()),
            ("--max-kernel", self.max_kernel.is_some()),
        ];
        let flags = flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag);
        flags.or(self.kernel.given())
    }

    pub(super) fn recipe(self, profile: Profile, block_size: Option<BlockSize>) -> ErofsRecipe {
        ErofsRecipe {
            profile,
            block_size,
            inline: self.inline,
            xattr_prefixes: self.xattr_prefix,
            max_kernel: self.max_kernel,
            kernel: self.kernel.file(),
        }
    }
}
