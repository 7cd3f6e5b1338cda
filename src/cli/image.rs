//! The flags of `rootcast image`.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use mkfs_ext4::{Label, Size};
use uuid::Uuid;

use super::filesystem::FilesystemArguments;
use super::tree::TreeArguments;
use super::values::{self, BYTES_PER_INODE, Free};
use crate::architecture::Architecture;
use crate::disk::{DISK_UNIT, DiskLayout, SectorSize};
use crate::output::Reflink;
use crate::recipe::{ImageRecipe, Output};

/// Make a disk image: an ext4 root filesystem, in a partition unless asked otherwise
///
/// The image is as small as the tree allows; --free adds room to write. It boots with root=PARTUUID=…, which is
/// printed when it is done. The same tree and flags give the same bytes: identifiers derive from them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImageArguments {
    #[command(flatten)]
    tree: TreeArguments,

    /// Write the image to this file, or with - to standard output
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["digest", "dry_run"])]
    output: Option<PathBuf>,

    /// Print the SHA-256 of the image instead of writing it
    #[arg(long, conflicts_with = "output")]
    digest: bool,

    /// Share blocks with the sources instead of copying them, on filesystems that can, as cp does: auto where it can be
    /// done and is worth it, always or else fail, never
    #[arg(
        long,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always",
        hide_possible_values = true
    )]
    reflink: When,

    /// What surrounds the filesystem: a GPT, an MBR, or nothing
    #[arg(long, value_name = "KIND", default_value = "gpt")]
    layout: DiskLayout,

    /// The disk's sector size in bytes
    #[arg(long, value_name = "BYTES", default_value = "512")]
    sector_size: SectorBytes,

    /// The machine the tree is for, which decides the partition's type [default: read from a program in the tree]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Architecture>,

    /// Make the image exactly this large, partition table included (K, M, G, T are powers of 1024)
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, conflicts_with = "free")]
    size: Option<u64>,

    #[arg(long, value_name = "BYTES|N%", value_parser = values::free, help = free_help())]
    free: Option<Free>,

    /// Have at least this many inodes [default: one for each file, and more with --free or --size]
    #[arg(long, value_name = "N")]
    inodes: Option<u32>,

    #[command(flatten)]
    filesystem: FilesystemArguments,

    /// The filesystem's label, at most 16 bytes
    #[arg(short = 'L', long, value_name = "LABEL", value_parser = values::label, default_value = "")]
    label: Label,

    /// The filesystem's UUID [default: derived from the seed]
    #[arg(short = 'U', long, value_name = "UUID")]
    uuid: Option<Uuid>,

    /// What all identifiers derive from [default: a digest of the tree's metadata and these flags]
    #[arg(long, value_name = "UUID")]
    seed: Option<Uuid>,

    /// Plan everything, say in words where it would go, and write nothing
    #[arg(long, conflicts_with = "digest")]
    dry_run: bool,

    /// Report on standard output as one JSON object: size, layout, identifiers, counts, times, warnings
    #[arg(long)]
    json: bool,

    /// Say nothing but errors and warnings
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

const EXAMPLES: &str = "Examples:
  rootcast image rootfs/ -o disk.img                      a GPT disk, exactly as large as it must be
  rootcast image rootfs/ -o disk.img --free 1G            with room to write
  rootcast image base.tar overlay/ -o disk.img            a directory over an archive
  rootcast image rootfs/ -o root.ext4 --layout bare       the filesystem alone
  rootcast image rootfs/ -o - | ssh host 'cat > disk.img' through a pipe
  rootcast image rootfs/ --digest                         its SHA-256, without writing it
  rootcast image rootfs/ --dry-run                        what would lie where
  rootcast image rootfs/ -o disk.img --profile ro-min --dedupe     the smallest, for reading only";

fn free_help() -> String {
    format!(
        "Leave this much room that every user can write to, in bytes or percent of the filesystem, with an inode for every \
         {} KiB and for directories",
        BYTES_PER_INODE / 1024
    )
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SectorBytes {
    #[value(name = "512")]
    B512,
    #[value(name = "4096")]
    B4096,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

impl From<When> for Reflink {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Reflink::Auto,
            When::Always => Reflink::Always,
            When::Never => Reflink::Never,
        }
    }
}

impl ImageArguments {
    pub(super) fn recipe(self) -> Result<ImageRecipe, clap::Error> {
        let output = match self.output {
            None if self.dry_run => Output::Nowhere,
            None => Output::Digest,
            Some(path) if path == Path::new("-") => standard_output(self.json, self.dry_run)?,
            Some(path) => Output::File(path),
        };
        if self.reflink == When::Always && !matches!(output, Output::File(_) | Output::Nowhere) {
            let message = "--reflink=always shares blocks with a file, so --output has to name one";
            return Err(usage(message.to_owned()));
        }
        let sector_size = match self.sector_size {
            SectorBytes::B512 => SectorSize::Bytes512,
            SectorBytes::B4096 => SectorSize::Bytes4096,
        };
        let size = match (self.size, self.free) {
            (Some(bytes), _) => Size::Total { bytes },
            (None, Some(Free::Bytes(bytes))) => Size::Free { bytes },
            (None, Some(Free::Percent(percent))) => Size::FreePercent(percent),
            (None, None) => Size::Smallest,
        };
        if let (Size::Total { bytes }, DiskLayout::Gpt | DiskLayout::Mbr) = (size, self.layout)
            && !bytes.is_multiple_of(DISK_UNIT)
        {
            return Err(usage(format!(
                "--size {bytes} is not a multiple of {DISK_UNIT}, as a disk's size must be"
            )));
        }
        Ok(ImageRecipe {
            tree: self.tree.recipe()?,
            output,
            reflink: self.reflink.into(),
            filesystem: self.filesystem.recipe()?,
            layout: self.layout,
            sector_size,
            architecture: self.arch,
            size,
            inodes: self.inodes,
            label: self.label,
            uuid: self.uuid,
            seed: self.seed,
            quiet: self.quiet,
            dry_run: self.dry_run,
            json: self.json,
        })
    }
}

/// Standard output for the bytes themselves.
pub(super) fn standard_output(json: bool, dry_run: bool) -> Result<Output, clap::Error> {
    if json {
        let message = "--json and --output - would both write to standard output; give --output a file";
        return Err(usage(message.to_owned()));
    }
    if !dry_run && stdout().is_terminal() {
        return Err(usage("standard output is a terminal; send it to a file or a pipe".to_owned()));
    }
    Ok(Output::Stream)
}

/// A command line that makes no sense.
pub(super) fn usage(message: String) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message + "\n")
}
