//! The flags of `rootcast initrd`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use initramfs::codec::Codec;

use super::Request;
use super::general::General;
use super::help::{Help, group};
use super::image::When;
use super::output::{OutputArguments, usage};
use super::tree::TreeArguments;
use super::values;
use crate::output::Reflink;
use crate::recipe::initrd::{CacheRecipe, CheckRecipe, InitrdRecipe, KernelFile, Microcode, Preset};
use crate::transform::edit::parse::EDIT_FLAGS;
use crate::transform::init::Init;

/// Make an initramfs, or check one
///
/// The kernel unpacks it and runs its /init. It is a cpio archive, compressed in members that several threads make, and that the kernel takes one after the other. The same tree and
/// flags give the same bytes, whatever the number of threads and with or without a cache.
#[derive(Debug, Args)]
#[command(mut_arg("sources", |source| source.required(false).required_unless_present("check")))]
pub(super) struct InitrdArguments {
    #[command(flatten)]
    tree: TreeArguments,

    /// Write to this file, or to standard output (-)
    #[arg(
        short,
        long,
        value_name = "FILE",
        required_unless_present_any = ["digest", "dry_run", "check"],
        help_heading = group::OUTPUT
    )]
    output: Option<PathBuf>,

    /// Print the SHA-256 of the initramfs instead of writing it
    #[arg(long, conflicts_with = "output", help_heading = group::OUTPUT)]
    digest: bool,

    /// Compress with none, gzip, zstd, lz4 or xz
    ///
    /// A level says how hard. The default is zstd, or what the kernel unpacks if --kernel-config, --kernel or --preset says
    /// that it does not unpack zstd.
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = group::OUTPUT)]
    compress: Option<Codec>,

    /// Check this initramfs instead of making one
    ///
    /// The rules are those of the kernel. With - it is read from standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = others_than_check(), help_heading = group::OUTPUT)]
    check: Option<PathBuf>,

    /// Keep what was compressed in this directory, and take from it what did not change; it is made if need be
    #[arg(long, value_name = "DIR", help_heading = group::OUTPUT)]
    cache: Option<PathBuf>,

    /// How much the cache may take; what was not used for longest goes first (K, M, G, T are powers of 1024)
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = values::bytes,
        default_value = "2G",
        requires = "cache",
        help_heading = group::OUTPUT
    )]
    cache_size: u64,

    /// Put another initramfs behind it, as it is. Only what it begins with is looked at; --check of the result looks at all
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    append: Vec<PathBuf>,

    /// Let the bytes of files of 16 KiB and more begin at multiples of this, a power of two up to 4096, so that blocks can
    /// be shared with the sources; only with --compress none [default if given: 4096]
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = align,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "4096",
        help_heading = group::OUTPUT
    )]
    align: Option<u32>,

    /// Give each file a sum of its bytes, which the kernel compares (070702)
    #[arg(long, help_heading = group::OUTPUT)]
    checksums: bool,

    /// Share blocks with the sources instead of copying them, where nothing is compressed: auto where it can be done and is
    /// worth it, or never
    #[arg(
        long,
        value_name = "WHEN",
        require_equals = true,
        default_value = "auto",
        hide_possible_values = true,
        help_heading = group::OUTPUT
    )]
    reflink: When,

    #[command(flatten)]
    file: OutputArguments,

    /// Plan everything, report in words what there would be, and write nothing
    #[arg(long, conflicts_with = "digest", help_heading = group::OUTPUT)]
    dry_run: bool,

    /// Report on standard output as one JSON object: size, members, counts, times, warnings, or what the check found
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,

    /// For whose guests it is: kata, whose kernels unpack gzip only
    #[arg(long, value_name = "NAME", help_heading = group::GUEST)]
    preset: Option<PresetName>,

    /// Configuration of the kernel that it is for
    ///
    /// What it says the kernel can unpack decides the default of --compress. Distributions have it as /boot/config-*.
    #[arg(long, value_name = "FILE", help_heading = group::GUEST)]
    kernel_config: Option<PathBuf>,

    /// Read from this kernel what it unpacks, if its configuration is in it (CONFIG_IKCONFIG)
    #[arg(long, value_name = "FILE", conflicts_with = "kernel_config", help_heading = group::GUEST)]
    kernel: Option<PathBuf>,

    /// Link /init to this program; or own, systemd, agent
    ///
    /// own, the default, is the tree's own /init, systemd and agent are the links that Kata's osbuilder makes, a path is a program to link
    /// to. With none there need not be an /init.
    #[arg(long, value_name = "PATH|WORD", default_value = "own", hide_default_value = true, help_heading = group::GUEST)]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| InitWord::parse(&text)))]
    init: InitWord,

    /// Put microcode before it, from files, from directories such as /lib/firmware or, without a value, from the tree's
    /// firmware
    #[arg(
        long,
        value_name = "DIR|FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        help_heading = group::GUEST
    )]
    microcode: Vec<OsString>,

    /// Print nothing on standard error but errors and warnings
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    #[command(flatten)]
    general: General,
}

pub(super) const HELP: Help = Help {
    verb: "initrd",
    usage: "rootcast initrd <SOURCE>... --output <FILE> [OPTIONS]
       rootcast initrd --check <FILE> [OPTIONS]",
    examples: &[
        "rootcast initrd rootfs/ -o initrd.img                    zstd, on all cores",
        "rootcast initrd rootfs/ -o initrd.img --kernel-config /boot/config-6.12",
        "rootcast initrd --check /boot/initrd.img                 by the kernel's rules",
        "rootcast initrd rootfs/ -o initrd.img --preset kata --init systemd",
        "rootcast initrd rootfs/ -o initrd.img --compress xz:9 --cache ~/.cache/initrd",
        "rootcast initrd rootfs/ -o initrd.img --compress none --align --reflink=auto",
    ],
    common: &[
        "sources",
        "add",
        "exclude",
        "output",
        "compress",
        "check",
        "kernel_config",
        "init",
        "quiet",
        "verbose",
    ],
};

/// The flags that say what to make, and so nothing to `--check`.
fn others_than_check() -> Vec<&'static str> {
    let tree = [
        "sources",
        "basedir",
        "owner",
        "one_file_system",
        "keep_directory_symlink",
        "whiteouts",
        "unreadable",
        "hardlinks",
        "file_contexts",
        "xattr_filter",
        "clamp_mtime_min",
        "source_date_epoch",
        "max_size",
        "max_entries",
        "decoder_memory",
        "jobs",
        "recipe",
    ];
    let own = [
        "output",
        "digest",
        "mode",
        "force",
        "compress",
        "preset",
        "init",
        "microcode",
        "append",
        "align",
        "checksums",
        "cache",
        "cache_size",
        "reflink",
        "dry_run",
    ];
    tree.into_iter().chain(own).chain(EDIT_FLAGS.iter().map(|form| form.name)).collect()
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PresetName {
    Kata,
}

/// What becomes of `/init`; none where it need not be.
#[derive(Clone, Debug)]
struct InitWord(Option<Init>);

impl InitWord {
    fn parse(text: &std::ffi::OsStr) -> Result<Self, String> {
        match text.as_encoded_bytes() {
            b"none" => Ok(Self(None)),
            bytes => Init::parse(bytes).map(|init| Self(Some(init))),
        }
    }
}

fn align(text: &str) -> Result<u32, String> {
    let number = values::bytes(text)?;
    let align =
        u32::try_from(number).ok().filter(|align| align.is_power_of_two() && (4..=4096).contains(align));
    align.ok_or_else(|| format!("\"{text}\" is not a power of two from 4 to 4096"))
}

impl InitrdArguments {
    pub(super) fn request(self) -> Result<Request, clap::Error> {
        let kernel = match (self.kernel_config, self.kernel) {
            (Some(config), _) => Some(KernelFile::Config(config)),
            (None, kernel) => kernel.map(KernelFile::Kernel),
        };
        if let Some(file) = self.check {
            return Ok(Request::Check(CheckRecipe { file, kernel, json: self.json }));
        }
        let output = self.file.output(self.output, self.json, self.dry_run)?;
        if self.align.is_some_and(|align| align > 4) && self.compress != Some(Codec::NONE) {
            let message = "--align places what is not compressed: add --compress none, or leave it out";
            return Err(usage(message.to_owned()));
        }
        if self.cache.is_some() && self.compress == Some(Codec::NONE) {
            let message = "--cache keeps what was compressed, and with --compress none nothing is: leave out one of them";
            return Err(usage(message.to_owned()));
        }
        if self.reflink == When::Always {
            let message = "an initramfs shares no blocks of short files, so --reflink is auto or never";
            return Err(usage(message.to_owned()));
        }
        Ok(Request::Initrd(Box::new(InitrdRecipe {
            tree: self.tree.recipe(self.general)?,
            output,
            codec: self.compress,
            preset: self.preset.map(|PresetName::Kata| Preset::Kata),
            kernel,
            init: self.init.0,
            microcode: microcode(self.microcode)?,
            append: self.append,
            align: self.align.unwrap_or(4),
            checksums: self.checksums,
            cache: self.cache.map(|directory| CacheRecipe { directory, size: self.cache_size }),
            reflink: Reflink::from(self.reflink),
            quiet: self.quiet,
            dry_run: self.dry_run,
            json: self.json,
        })))
    }
}

/// Without a value the tree's, which cannot be together with others.
fn microcode(values: Vec<OsString>) -> Result<Microcode, clap::Error> {
    let of_tree = values.iter().filter(|value| value.is_empty()).count();
    match (of_tree, values.len()) {
        (0, 0) => Ok(Microcode::None),
        (0, _) => Ok(Microcode::From(values.into_iter().map(PathBuf::from).collect())),
        (of_tree, all) if of_tree == all => Ok(Microcode::OfTree),
        _ => Err(usage(
            "--microcode is either the tree's or from files: leave out the one without a value".to_owned(),
        )),
    }
}
