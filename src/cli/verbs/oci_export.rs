//! `rootcast oci-export`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Args;
use initramfs::codec::Codec;

use crate::cli::flags::general::General;
use crate::cli::flags::output::usage;
use crate::cli::flags::tree::TreeArguments;
use crate::cli::flags::values;
use crate::cli::help::{Help, group};
use crate::recipe::export::{ExportRecipe, Target};
use crate::source::container::Reference;
use crate::transform::image_config::Place;

/// Make an image of containers
///
/// It is an OCI image layout, with one layer unless --split is given, as skopeo, umoci, podman and others read it: a directory,
/// in which other images are kept, or an archive. The same tree and flags give the same digests,
/// whatever the number of threads.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportVerb {
    #[command(flatten)]
    tree: TreeArguments,

    /// Write to oci:DIR or oci-archive:FILE, with a colon and a name
    ///
    /// DIR is created if it is missing; an image of the same name in it is replaced. FILE is replaced
    /// as a whole.
    #[arg(
        short,
        long,
        value_name = "IMAGE",
        required_unless_present = "dry_run",
        help_heading = group::OUTPUT
    )]
    output: Option<OsString>,

    /// Plan and report, and write nothing
    ///
    /// Digests, and the length of a layer that is to be compressed, are unknown then.
    #[arg(long, help_heading = group::OUTPUT)]
    dry_run: bool,

    /// Compress the layer with none, gzip or zstd
    ///
    /// A higher level compresses better and more slowly.
    #[arg(
        long,
        value_name = "CODEC[:LEVEL]",
        value_parser = values::tar_codec,
        default_value = "gzip",
        help_heading = group::OUTPUT
    )]
    compress: Codec,

    /// Make one layer for each SOURCE
    ///
    /// A later layer has what its SOURCE adds and changes, and whiteouts where it hides what is below
    /// it. Changes to the whole tree are in the layer of the files that they change; new files are in
    /// the last layer, and removed ones in none. An image as a SOURCE becomes one layer.
    #[arg(long, help_heading = group::OUTPUT)]
    split: bool,

    /// Settings of containers, from a file
    ///
    /// It is a JSON object with Entrypoint, Cmd, Env, User, WorkingDir, Labels and so on: the object
    /// `config` of an image's configuration. The default is that of the last image among the SOURCEs.
    #[arg(long, value_name = "FILE", help_heading = group::OUTPUT)]
    config: Option<PathBuf>,

    /// Print a report as one JSON object: digests, counts, times, warnings
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,

    /// Print only errors and warnings on standard error
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "oci-export",
    usage: "rootcast oci-export <SOURCE>... --output <IMAGE> [OPTIONS]",
    examples: &[
        "rootcast oci-export rootfs/ -o oci:images:v1        a directory of images",
        "rootcast oci-export rootfs/ -o oci-archive:image.tar:v1",
        "rootcast oci-export rootfs/ -o oci:images:v2 --config config.json",
        "rootcast oci-export rootfs/ -o oci:images:v3 --compress zstd:19",
        "rootcast oci-export base.tar app/ -o oci:images:v4 --split    2 layers",
    ],
    common: &[
        "sources", "owner", "add", "exclude", "arch", "output", "compress", "config", "quiet", "verbose",
    ],
};

impl ExportVerb {
    pub(in crate::cli) fn recipe(self) -> Result<ExportRecipe, clap::Error> {
        let mut tree = self.tree.recipe(self.general)?;
        if tree.image_config == Place::Usual {
            // The image that is made has them in its own configuration.
            tree.image_config = Place::Nowhere;
        }
        Ok(ExportRecipe {
            target: self.output.as_deref().map(target).transpose()?,
            tree,
            codec: self.compress,
            split: self.split,
            config: self.config,
            dry_run: self.dry_run,
            quiet: self.quiet,
            json: self.json,
        })
    }
}

/// Parses the place and the name of the image.
pub(super) fn target(output: &OsStr) -> Result<Target, clap::Error> {
    let reference = Reference::parse(output).map_err(|error| usage(error.to_string()))?;
    let layout = reference.filter(Reference::is_layout).ok_or_else(|| {
        usage("--output is oci:DIR or oci-archive:FILE, with a colon and the name of the image".to_owned())
    })?;
    Ok(Target {
        path: layout.path().to_owned(),
        is_archive: layout.is_archive(),
        tag: layout.tag().map_err(|error| usage(error.to_string()))?.map(str::to_owned),
    })
}
