//! `rootcast initrd`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use initramfs::codec::Codec;

use crate::cli::flags::general::General;
use crate::cli::flags::kata::KataArguments;
use crate::cli::flags::kernel::KernelArguments;
use crate::cli::flags::output::{OutputArguments, usage};
use crate::cli::flags::tree::TreeArguments;
use crate::cli::flags::values;
use crate::cli::help::{Help, group};
use crate::cli::request::Request;
use crate::output::Reflink;
use crate::quantity;
use crate::recipe::initrd::{CheckRecipe, InitrdRecipe, Microcode, Preset};
use crate::recipe::{Build, Output, OutputRecipe};
use crate::transform::edit::parse::EDIT_FLAGS;
use crate::transform::init::Init;

/// Make an initramfs
///
/// The kernel unpacks it and runs its /init. It is a cpio archive, compressed in members by several
/// threads, which the kernel unpacks one after the other. The same tree and flags give the same
/// bytes, whatever the number of threads and with or without a cache.
#[derive(Debug, Args)]
#[command(mut_arg("sources", |sources| sources.required(false).required_unless_present("check")))]
#[command(mut_arg("output", |output| output.required_unless_present("check")))]
pub(in crate::cli) struct InitrdArguments {
    #[command(flatten)]
    tree: TreeArguments,

    #[command(flatten)]
    kata: KataArguments,

    #[command(flatten)]
    output: OutputArguments,

    /// Compress with none, gzip, zstd, lz4 or xz
    ///
    /// A higher level compresses better and more slowly. The default is zstd, or, if
    /// --kernel-config, --kernel or --preset excludes that, the first codec that the kernel
    /// supports.
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = group::OUTPUT)]
    compress: Option<Codec>,

    /// Check this initramfs instead, as rootcast check FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = others_than_check(), help_heading = group::OUTPUT)]
    check: Option<PathBuf>,

    /// Append another initramfs, unchanged; only its start is checked, the whole by rootcast check
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    append: Vec<PathBuf>,

    /// Align the data of files of 16 KiB and more to this power of two, up to 4096, so that blocks
    /// can be shared with the sources; only with --compress none [default if given: 4096]
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

    /// Store a checksum of each file, which the kernel verifies (070702)
    #[arg(long, help_heading = group::OUTPUT)]
    checksums: bool,

    /// Share blocks with the sources instead of copying them, with --compress none: auto where the
    /// filesystem supports it and it is faster, or never
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = values::choice::<Reflink>(),
        require_equals = true,
        default_value = "auto",
        hide_possible_values = true,
        help_heading = group::OUTPUT
    )]
    reflink: Reflink,

    /// Preset for guests: kata, whose kernels support only gzip
    #[arg(long, value_name = "NAME", value_parser = values::choice::<Preset>(), help_heading = group::GUEST)]
    preset: Option<Preset>,

    /// Print the configuration of Kata's runtimes for the initramfs
    #[arg(long, conflicts_with_all = ["json", "digest", "dry_run"], help_heading = group::OUTPUT)]
    print_kata_config: bool,

    #[command(flatten)]
    kernel: KernelArguments,

    /// Link /init to this program; or own, systemd, agent
    ///
    /// own, the default, is the /init of the tree; systemd and agent are the links of Kata's
    /// osbuilder; a path is that of a program. With none, /init is optional. With --preset kata the
    /// default is systemd, or agent if that is the init.
    #[arg(long, value_name = "PATH|WORD", help_heading = group::GUEST)]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| InitWord::parse(&text)))]
    init: Option<InitWord>,

    /// Refuse an /init that a dynamic linker loads
    ///
    /// Every /init is checked: if the kernel or its dynamic linker would not start it, that is an
    /// error with what the kernel would report, or a warning if other initramfs are appended.
    #[arg(long, help_heading = group::GUEST)]
    static_init: bool,

    /// Prepend microcode from files, from directories such as /lib/firmware or, without a value,
    /// from the firmware of the tree
    #[arg(
        long,
        value_name = "DIR|FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        help_heading = group::GUEST
    )]
    microcode: Vec<OsString>,

    /// Print only errors and warnings on standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "initrd",
    usage: "rootcast initrd <SOURCE>... --output <FILE> [OPTIONS]",
    examples: &[
        "rootcast initrd rootfs/ -o initrd.img                    zstd, on all cores",
        "rootcast initrd rootfs/ -o initrd.img --kernel-config /boot/config-6.12",
        "rootcast initrd rootfs/ -o initrd.img --preset kata --init systemd",
        "rootcast initrd rootfs/ -o initrd.img --compress xz:9 --cache ~/.cache/initrd",
        "rootcast initrd rootfs/ -o initrd.img --compress none --align --reflink=auto",
    ],
    common: &["sources", "add", "exclude", "output", "compress", "kernel_config", "init", "quiet", "verbose"],
};

/// Returns the flags that conflict with `--check`.
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
        "configure",
        "guest_files",
        "image_config",
        "modules_load",
        "overlay",
        "overlay_conflict",
        "platform",
        "arch",
        "spool",
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
        "print_kata_config",
        "init",
        "static_init",
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

/// The target of `/init`; `None` if it is optional.
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
    let number = quantity::bytes(text)?;
    let align =
        u32::try_from(number).ok().filter(|align| align.is_power_of_two() && (4..=4096).contains(align));
    align.ok_or_else(|| format!("\"{text}\" is not a power of two from 4 to 4096"))
}

impl InitrdArguments {
    pub(in crate::cli) fn request(self) -> Result<Request, clap::Error> {
        let kernel = self.kernel.file();
        if let Some(file) = self.check {
            return Ok(Request::Check(CheckRecipe { file, kernel, json: self.output.json }));
        }
        let output = self.output.output()?;
        if self.print_kata_config && !matches!(output, Output::File { .. }) {
            let message = "--print-kata-config names the initramfs, so --output has to name a file";
            return Err(usage(message.to_owned()));
        }
        let is_guest = self.preset == Some(Preset::Kata);
        let init = self.init.map_or_else(|| Some(self.kata.init(is_guest)), |word| word.0);
        let recipe = InitrdRecipe {
            codec: self.compress,
            preset: self.preset,
            kernel,
            init,
            static_init: self.static_init,
            microcode: microcode(self.microcode)?,
            append: self.append,
            align: self.align.unwrap_or(4),
            checksums: self.checksums,
            reflink: self.reflink,
        };
        recipe.check().map_err(usage)?;
        if self.general.has_cache() && recipe.codec == Some(Codec::NONE) && !self.tree.has_images() {
            let message = "--cache keeps what was compressed or decoded, and with --compress none and without images of \
                           containers nothing is: leave out one of them";
            return Err(usage(message.to_owned()));
        }
        let tree = self.kata.apply(self.tree.recipe(self.general)?, is_guest)?;
        let output = OutputRecipe {
            output,
            root_hash_file: None,
            print_kata_config: self.print_kata_config,
            quiet: self.quiet,
            dry_run: self.output.dry_run,
            json: self.output.json,
        };
        Ok(Request::Build(Box::new(Build::of(tree, recipe)), Box::new(output)))
    }
}

/// Returns the sources of microcode. Without a value it is the firmware of the tree, which excludes
/// others.
fn microcode(values: Vec<OsString>) -> Result<Microcode, clap::Error> {
    let of_tree = values.iter().filter(|value| value.is_empty()).count();
    match (of_tree, values.len()) {
        (0, 0) => Ok(Microcode::None),
        (0, _) => Ok(Microcode::From(values.into_iter().map(PathBuf::from).collect())),
        (of_tree, all) if of_tree == all => Ok(Microcode::OfTree),
        _ => Err(usage(
            "--microcode is either from the tree or from files: leave out the one without a value".to_owned(),
        )),
    }
}
