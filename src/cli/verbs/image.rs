//! `rootcast image`.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::architecture::Architecture;
use crate::cli::flags::filesystem::{self, FilesystemArguments};
use crate::cli::flags::general::General;
use crate::cli::flags::output::{OutputArguments, usage};
use crate::cli::flags::tree::TreeArguments;
use crate::cli::flags::values;
use crate::cli::help::{Help, group};
use crate::disk::{DISK_UNIT, DiskLayout, SectorSize};
use crate::filesystem::Size;
use crate::output::Reflink;
use crate::quantity;
use crate::recipe::{ImageRecipe, Output};

/// Make a disk image with an ext4 root filesystem
///
/// The filesystem is in a partition unless --layout says otherwise. The image is as small as the
/// tree allows; --free adds room to write. The kernel finds the partition by root=PARTUUID= and the
/// PARTUUID that is printed. The same tree and flags give the same bytes: identifiers derive from
/// them.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImageArguments {
    #[command(flatten)]
    tree: TreeArguments,

    #[command(flatten)]
    output: OutputArguments,

    /// Size of the image in bytes, such as 512M or 10G
    ///
    /// It includes the partition table. K, M, G and T are powers of 1024.
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = quantity::bytes,
        conflicts_with = "free",
        help_heading = group::OUTPUT
    )]
    size: Option<u64>,

    #[arg(
        long,
        value_name = "BYTES|N%",
        value_parser = Size::parse_free,
        help = filesystem::FREE,
        long_help = filesystem::free_help(),
        help_heading = group::OUTPUT
    )]
    free: Option<Size>,

    /// Partition table: gpt, mbr, or bare for none
    ///
    /// With bare there is no table: the image is the filesystem alone. The default is gpt.
    #[arg(
        long,
        value_name = "KIND",
        value_parser = values::choice::<DiskLayout>(),
        default_value = "gpt",
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = group::OUTPUT
    )]
    layout: DiskLayout,

    /// Logical sector size of the disk in bytes
    #[arg(long, value_name = "BYTES", value_parser = sector_size(), default_value = "512", help_heading = group::OUTPUT)]
    sector_size: SectorSize,

    /// Architecture of the tree, which determines the partition type [default: that of a program in
    /// the tree]
    #[arg(long, value_name = "ARCH", help_heading = group::OUTPUT)]
    arch: Option<Architecture>,

    /// Share blocks with the sources instead of copying them, as cp does: auto where the filesystem
    /// supports it and it is faster, always or fail, or never
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = values::choice::<Reflink>(),
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always",
        hide_possible_values = true,
        help_heading = group::OUTPUT
    )]
    reflink: Reflink,

    #[command(flatten)]
    filesystem: FilesystemArguments,

    /// Print only errors and warnings on standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "image",
    usage: "rootcast image <SOURCE>... --output <FILE> [OPTIONS]",
    examples: &[
        "rootcast image rootfs/ -o disk.img               a GPT disk of the least size",
        "rootcast image rootfs/ -o disk.img --free 1G     with room to write",
        "rootcast image rootfs/ -o root.ext4 --layout bare",
        "rootcast image base.tar overlay/ -o disk.img     a directory over an archive",
        "rootcast image rootfs/ -o - | ssh host 'cat > disk.img'",
        "rootcast image rootfs/ --digest                  its SHA-256, and no file",
        "rootcast image rootfs/ --dry-run                 where everything would be",
        "rootcast image rootfs/ -o disk.img --profile ro-min --dedupe",
    ],
    common: &[
        "sources", "owner", "add", "exclude", "output", "size", "free", "layout", "digest", "recipe",
        "quiet", "verbose",
    ],
};

fn sector_size() -> impl TypedValueParser<Value = SectorSize> {
    PossibleValuesParser::new(["512", "4096"]).try_map(|bytes| bytes.parse())
}

impl ImageArguments {
    pub(in crate::cli) fn recipe(self) -> Result<ImageRecipe, clap::Error> {
        let output = self.output.output()?;
        if self.reflink == Reflink::Always && !matches!(output, Output::File { .. } | Output::Nowhere) {
            let message = "--reflink=always shares blocks with a file, so --output has to name one";
            return Err(usage(message.to_owned()));
        }
        let size = match (self.size, self.free) {
            (Some(bytes), _) => Size::Total { bytes },
            (None, free) => free.unwrap_or(Size::Smallest),
        };
        if let (Size::Total { bytes }, DiskLayout::Gpt | DiskLayout::Mbr) = (size, self.layout)
            && !bytes.is_multiple_of(DISK_UNIT)
        {
            return Err(usage(format!(
                "--size {bytes} is not a multiple of {DISK_UNIT}, as a disk's size must be"
            )));
        }
        Ok(ImageRecipe {
            tree: self.tree.recipe(self.general)?,
            output,
            reflink: self.reflink,
            layout: self.layout,
            sector_size: self.sector_size,
            architecture: self.arch,
            size,
            seed: self.filesystem.seed,
            filesystem: self.filesystem.recipe()?,
            quiet: self.quiet,
            dry_run: self.output.dry_run,
            json: self.output.json,
        })
    }
}
