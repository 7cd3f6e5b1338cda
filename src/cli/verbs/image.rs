//! `rootcast image`.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::flags::filesystem::{self, FilesystemArguments};
use crate::cli::flags::general::General;
use crate::cli::flags::kata::KataArguments;
use crate::cli::flags::output::{OutputArguments, usage};
use crate::cli::flags::tree::TreeArguments;
use crate::cli::flags::values;
use crate::cli::flags::verity::VerityArguments;
use crate::cli::help::{Help, group};
use crate::cli::request::Request;
use crate::disk::{DISK_UNIT, DiskLayout, SectorSize};
use crate::filesystem::Size;
use crate::output::Reflink;
use crate::quantity;
use crate::recipe::filesystem::ext4::Profile;
use crate::recipe::preset::DiskPreset;
use crate::recipe::{Build, ImageRecipe, Output, OutputRecipe, kata};

/// Make a disk image with a root filesystem, ext4 or EROFS
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
    kata: KataArguments,

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

    /// Round the size of the image up to a multiple of this power of two, such as 128M
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = size_multiple,
        conflicts_with = "size",
        help_heading = group::OUTPUT
    )]
    size_multiple: Option<u64>,

    /// Partition table: gpt, mbr, kata, or bare for none
    ///
    /// With bare there is no table: the image is the filesystem alone. With kata there are two MBRs, for a block device
    /// and for persistent memory that is mounted with DAX. The default is gpt.
    #[arg(
        long,
        value_name = "KIND",
        value_parser = values::choice::<DiskLayout>(),
        hide_possible_values = true,
        help_heading = group::OUTPUT
    )]
    layout: Option<DiskLayout>,

    /// Leave the header of persistent memory out of the layout kata: one MBR, the filesystem at 1 MiB
    #[arg(long, help_heading = group::OUTPUT)]
    no_dax: bool,

    /// Options for a purpose, which other flags override: kata or kata-extension
    ///
    /// kata, the root of a Kata guest, stands for --profile kata, --layout kata and --size-multiple 128M; kata-extension,
    /// a guest extension, for --profile ro-min and --layout mbr. With --measured, the hash tree is one that Kata's runtimes
    /// read.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = values::choice::<DiskPreset>(),
        hide_possible_values = true,
        help_heading = group::OUTPUT
    )]
    preset: Option<DiskPreset>,

    /// Print the configuration of Kata's runtimes for the image
    #[arg(long, conflicts_with_all = ["json", "digest", "dry_run"], help_heading = group::OUTPUT)]
    print_kata_config: bool,

    /// Name of the guest extension in the configuration [default: that in kata-containers-NAME-extension.img]
    #[arg(long, value_name = "NAME", value_parser = extension_name, help_heading = group::OUTPUT)]
    extension_name: Option<String>,

    /// Logical sector size of the disk in bytes
    #[arg(long, value_name = "BYTES", value_parser = sector_size(), default_value = "512", help_heading = group::OUTPUT)]
    sector_size: SectorSize,

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
    verity: VerityArguments,

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
        "rootcast image rootfs/ -o disk.img --fs erofs    for reading only",
        "rootcast image rootfs/ -o disk.img --verity      measured, for roothash=",
        "rootcast image rootfs/ -o kata-containers.img --preset kata --measured",
    ],
    common: &[
        "sources", "owner", "add", "exclude", "output", "size", "free", "layout", "digest", "recipe",
        "quiet", "verbose",
    ],
};

fn sector_size() -> impl TypedValueParser<Value = SectorSize> {
    PossibleValuesParser::new(["512", "4096"]).try_map(|bytes| bytes.parse())
}

/// The largest multiple of an image's size, in bytes.
const MAX_SIZE_MULTIPLE: u64 = 1 << 40;

fn size_multiple(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text)?;
    if !bytes.is_power_of_two() || !(DISK_UNIT..=MAX_SIZE_MULTIPLE).contains(&bytes) {
        return Err(format!("{bytes} bytes are not a power of two from 4K to 1T"));
    }
    Ok(bytes)
}

fn extension_name(text: &str) -> Result<String, String> {
    kata::check_name(text).map(|()| text.to_owned())
}

impl ImageArguments {
    pub(in crate::cli) fn request(self) -> Result<Request, clap::Error> {
        let output = self.output.output()?;
        if self.reflink == Reflink::Always && !matches!(output, Output::File { .. } | Output::Nowhere) {
            let message = "--reflink=always shares blocks with a file, so --output has to name one";
            return Err(usage(message.to_owned()));
        }
        let size = match (self.size, self.free) {
            (Some(bytes), _) => Size::Total { bytes },
            (None, free) => free.unwrap_or(Size::Smallest),
        };
        let preset = self.preset;
        let layout = self.layout.or(preset.map(DiskPreset::layout)).unwrap_or(DiskLayout::Gpt);
        let extension = extension(preset, self.extension_name, &output)?;
        if self.print_kata_config {
            check_kata_config(preset, extension.as_deref(), &output).map_err(usage)?;
        }
        let (verity, root_hash_file) = self.verity.recipe(layout == DiskLayout::Kata || preset.is_some())?;
        let profile = preset.map_or_else(Profile::default, DiskPreset::profile);
        let preset_multiple = preset.and_then(DiskPreset::size_multiple).filter(|_| self.size.is_none());
        let recipe = ImageRecipe {
            reflink: self.reflink,
            layout,
            dax: !self.no_dax,
            preset,
            sector_size: self.sector_size,
            size,
            size_multiple: self.size_multiple.or(preset_multiple),
            verity,
            extension,
            seed: self.filesystem.seed,
            filesystem: self.filesystem.recipe(profile)?,
        };
        recipe.check().map_err(usage)?;
        let tree = self.kata.apply(self.tree.recipe(self.general)?, preset == Some(DiskPreset::Kata))?;
        let output = OutputRecipe {
            output,
            root_hash_file,
            print_kata_config: self.print_kata_config,
            quiet: self.quiet,
            dry_run: self.output.dry_run,
            json: self.output.json,
        };
        Ok(Request::Build(Box::new(Build::of(tree, recipe)), Box::new(output)))
    }
}

/// Returns the name of the guest extension, if it is one with a name.
fn extension(
    preset: Option<DiskPreset>,
    name: Option<String>,
    output: &Output,
) -> Result<Option<String>, clap::Error> {
    match (preset, name, output) {
        (Some(DiskPreset::KataExtension), None, Output::File { path, .. }) => Ok(kata::extension_of(path)),
        (Some(DiskPreset::KataExtension), name, _) | (_, name @ None, _) => Ok(name),
        (_, Some(_), _) => {
            Err(usage("--extension-name is for --preset kata-extension: leave it out".to_owned()))
        }
    }
}

/// Checks that there is a configuration of Kata's runtimes to print.
fn check_kata_config(
    preset: Option<DiskPreset>,
    extension: Option<&str>,
    output: &Output,
) -> Result<(), String> {
    if !matches!(output, Output::File { .. }) {
        return Err("--print-kata-config names the image, so --output has to name a file".to_owned());
    }
    if preset == Some(DiskPreset::KataExtension) && extension.is_none() {
        let message =
            "the name of the output is not kata-containers-NAME-extension.img: give --extension-name";
        return Err(message.to_owned());
    }
    Ok(())
}
