//! `rootcast kata-rootfs`.

use clap::Args;
use initramfs::codec::Codec;

use super::oci_export;
use crate::cli::flags::general::General;
use crate::cli::flags::kata::KataArguments;
use crate::cli::flags::output::OutputArguments;
use crate::cli::flags::tree::TreeArguments;
use crate::cli::flags::values;
use crate::cli::help::{Help, group};
use crate::cli::request::Request;
use crate::recipe::export::ExportRecipe;
use crate::recipe::tar::TarRecipe;
use crate::recipe::{Build, Output, OutputRecipe};
use crate::source::container::Reference;

/// Set a tree up as a guest of Kata Containers
///
/// It does what osbuilder's rootfs.sh does to a root filesystem: an agent and its units, chrony, tmp.mount, links and empty
/// files. The result is a tar archive, or an image of containers if the output is named oci:DIR[:REF] or oci-archive:FILE[:REF];
/// both keep the owners of files for every user. image and initrd take the same flags, and need nothing in between.
#[derive(Debug, Args)]
pub(in crate::cli) struct KataRootfsVerb {
    #[command(flatten)]
    tree: TreeArguments,

    #[command(flatten)]
    kata: KataArguments,

    #[command(flatten)]
    output: OutputArguments,

    /// Compress with none, gzip or zstd
    #[arg(
        long,
        value_name = "CODEC[:LEVEL]",
        value_parser = values::tar_codec,
        default_value = "none",
        help_heading = group::OUTPUT
    )]
    compress: Codec,

    /// Print only errors and warnings on standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "kata-rootfs",
    usage: "rootcast kata-rootfs <SOURCE>... --output <FILE> [OPTIONS]",
    examples: &[
        "rootcast kata-rootfs base.tar --agent kata-agent -o rootfs.tar",
        "rootcast kata-rootfs base.tar --agent agent.tar.zst -o oci:images:guest",
        "rootcast kata-rootfs base.tar --agent kata-agent --agent-init -o rootfs.tar",
        "rootcast image base.tar --kata-agent kata-agent --preset kata -o kata.img",
    ],
    common: &["sources", "kata_agent", "kata_agent_init", "output", "compress", "quiet", "verbose"],
};

impl KataRootfsVerb {
    pub(in crate::cli) fn request(self) -> Result<Request, clap::Error> {
        let tree = self.kata.of_guest().apply(self.tree.recipe(self.general)?, false)?;
        let output = self.output.output()?;
        if let Output::File { path, .. } = &output
            && Reference::parse(path.as_os_str()).is_ok_and(|reference| reference.is_some())
        {
            return Ok(Request::Export(Box::new(ExportRecipe {
                target: Some(oci_export::target(path.as_os_str())?),
                tree,
                codec: self.compress,
                split: false,
                config: None,
                dry_run: self.output.dry_run,
                quiet: self.quiet,
                json: self.output.json,
            })));
        }
        let output = OutputRecipe {
            output,
            root_hash_file: None,
            print_kata_config: false,
            quiet: self.quiet,
            dry_run: self.output.dry_run,
            json: self.output.json,
        };
        let recipe = TarRecipe { codec: self.compress, ..TarRecipe::default() };
        Ok(Request::Build(Box::new(Build::of(tree, recipe)), Box::new(output)))
    }
}
