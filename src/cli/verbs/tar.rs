//! `rootcast tar`.

use clap::Args;
use initramfs::codec::Codec;

use crate::cli::flags::general::General;
use crate::cli::flags::output::OutputArguments;
use crate::cli::flags::tree::TreeArguments;
use crate::cli::flags::values;
use crate::cli::help::{Help, group};
use crate::cli::request::Request;
use crate::recipe::tar::TarRecipe;
use crate::recipe::{Build, OutputRecipe};
use crate::transform::sparse;

/// Make a tar archive
///
/// Headers are ustar, with PAX records where needed: GNU tar, bsdtar and Python read them. Extended attributes, capabilities and ACLs are records SCHILY.xattr.*, which
/// GNU tar restores with --xattrs --xattrs-include='*'. The same tree and flags give the same bytes, whatever the number of threads.
#[derive(Debug, Args)]
pub(in crate::cli) struct TarVerb {
    #[command(flatten)]
    tree: TreeArguments,

    #[command(flatten)]
    output: OutputArguments,

    /// Compress with none, gzip or zstd
    ///
    /// A higher level compresses better and more slowly. The archive is compressed in members cut at fixed places, by several
    /// threads.
    #[arg(
        long,
        value_name = "CODEC[:LEVEL]",
        value_parser = values::tar_codec,
        default_value = "none",
        help_heading = group::OUTPUT
    )]
    compress: Codec,

    /// Files stored with a map of holes: auto for those with holes in the source, always for all with blocks of zeros, or
    /// never
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = values::choice::<sparse::Policy>(),
        default_value = "auto",
        hide_possible_values = true,
        help_heading = group::OUTPUT
    )]
    sparse: sparse::Policy,

    /// Print only errors and warnings on standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "tar",
    usage: "rootcast tar <SOURCE>... --output <FILE> [OPTIONS]",
    examples: &[
        "rootcast tar rootfs/ -o rootfs.tar               root owns all files",
        "rootcast tar rootfs/ -o rootfs.tar.zst --compress zstd",
        "rootcast tar base.tar overlay/ -o both.tar       a directory over an archive",
        "rootcast tar rootfs/ -o - | ssh host 'tar -C /srv -xp --numeric-owner'",
        "rootcast tar rootfs/ --digest                    its SHA-256, and no file",
    ],
    common: &[
        "sources", "owner", "add", "exclude", "output", "compress", "digest", "recipe", "quiet", "verbose",
    ],
};

impl TarVerb {
    pub(in crate::cli) fn request(self) -> Result<Request, clap::Error> {
        let output = OutputRecipe {
            output: self.output.output()?,
            root_hash_file: None,
            print_kata_config: false,
            quiet: self.quiet,
            dry_run: self.output.dry_run,
            json: self.output.json,
        };
        let recipe = TarRecipe { codec: self.compress, holes: self.sparse };
        let tree = self.tree.recipe(self.general)?;
        Ok(Request::Build(Box::new(Build::of(tree, recipe)), Box::new(output)))
    }
}
