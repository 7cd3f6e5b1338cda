//! Flags of EROFS.

use clap::Args;

use crate::cli::flags::kernel::KernelArguments;
use crate::cli::flags::values;
use crate::cli::help::group;
use crate::recipe::filesystem::erofs::{
    BlockSize, ClusterSize, Compress, ErofsRecipe, InlineData, KernelVersion,
};
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

    /// Compress files: none, or lz4, lz4hc, deflate or zstd, with a level as in lz4hc:12 [default:
    /// none, with --profile kata lz4hc]
    ///
    /// Every kernel with EROFS reads lz4 if it has CONFIG_EROFS_FS_ZIP; deflate needs Linux 6.6,
    /// zstd 6.10. Files that do not get shorter are stored as they are.
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = group::FILESYSTEM)]
    compress: Option<Compress>,

    /// Length of the pieces that are compressed, and of what is read for a byte: a power of two from
    /// 8K to 1M; or 4K, which fills blocks [default: 128K]
    #[arg(long, value_name = "BYTES", value_parser = values::cluster_size, help_heading = group::FILESYSTEM)]
    pcluster: Option<ClusterSize>,

    /// Compress small files and the ends of others together; it needs Linux 6.1
    #[arg(long, help_heading = group::FILESYSTEM)]
    fragments: bool,

    /// Store the files with these paths as they are
    #[arg(long, value_name = "GLOB", value_parser = values::glob, help_heading = group::FILESYSTEM)]
    compress_exclude: Vec<String>,

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
            ("--compress", self.compress.is_some()),
            ("--pcluster", self.pcluster.is_some()),
            ("--fragments", self.fragments),
            ("--compress-exclude", !self.compress_exclude.is_empty()),
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
            compress: self.compress,
            clusters: self.pcluster,
            fragments: self.fragments,
            compress_exclude: self.compress_exclude,
            xattr_prefixes: self.xattr_prefix,
            max_kernel: self.max_kernel,
            kernel: self.kernel.file(),
        }
    }
}
