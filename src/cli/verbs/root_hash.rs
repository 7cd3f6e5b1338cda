//! `rootcast root-hash`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::cli::flags::general;
use crate::cli::flags::output::usage;
use crate::cli::flags::values;
use crate::cli::flags::verity::HashTreeArguments;
use crate::cli::help::{Help, group};
use crate::quantity;
use crate::recipe::root_hash::{Expected, RootHashRecipe};
use crate::threads::Threads;

/// Print or check the dm-verity root hash of a file or partition
///
/// The root hash is that of veritysetup format for the same parameters. A check names the first bad block, for which
/// it needs the hash tree; the exit code is 1 if the data has another root hash.
#[derive(Debug, Args)]
pub(in crate::cli) struct RootHashVerb {
    /// File or block device with the data
    #[arg(value_name = "FILE", help_heading = group::INPUT)]
    file: PathBuf,

    /// Offset of the data in the file, in bytes
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, default_value = "0", help_heading = group::INPUT)]
    offset: u64,

    /// Length of the data in bytes [default: to the end]
    ///
    /// The default is that of the superblock or of the parameters of --check, if there is one, or else to the end of the
    /// file.
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, help_heading = group::INPUT)]
    size: Option<u64>,

    /// Fail unless this is the root hash
    ///
    /// It is given by its digits, or by the line in root_hash.txt, which has the parameters of the tree as well. If there
    /// is a hash tree, the first bad block is named.
    #[arg(long, value_name = "HASH", value_parser = expected, help_heading = group::VERITY)]
    check: Option<Expected>,

    #[command(flatten)]
    tree: HashTreeArguments,

    /// File with the hash tree [default: that of the data]
    #[arg(long, value_name = "FILE", help_heading = group::VERITY)]
    hash_file: Option<PathBuf>,

    /// Offset of the superblock or hash tree, in bytes
    ///
    /// The default is 0 with --hash-file; else the tree is looked for directly behind the data and at the next MiB.
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, help_heading = group::VERITY)]
    hash_offset: Option<u64>,

    /// Print the root hash with the parameters of the tree, as in root_hash.txt
    #[arg(long, conflicts_with = "check", help_heading = group::OUTPUT)]
    parameters: bool,

    /// Number of threads, which does not affect the result [default: one for each core]
    #[arg(short = 'j', long = "jobs", value_name = "N", value_parser = values::jobs, help_heading = group::GENERAL)]
    jobs: Option<NonZeroUsize>,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "root-hash",
    usage: "rootcast root-hash <FILE> [OPTIONS]",
    examples: &[
        "rootcast root-hash root.ext4 --salt 00ff",
        "rootcast root-hash disk.img --offset 1M --size 64M --salt -",
        "rootcast root-hash disk.img --offset 1M --hash-offset 65M",
        "rootcast root-hash root.ext4 --salt 00ff --parameters",
    ],
    common: &["file", "offset", "size", "check", "salt", "hash_offset"],
};

fn expected(text: &str) -> Result<Expected, String> {
    text.parse().map_err(|error: dm_verity::Error| error.to_string())
}

impl RootHashVerb {
    pub(in crate::cli) fn recipe(self) -> Result<RootHashRecipe, clap::Error> {
        if let (Some(Expected::Parameters(_)), Some(flag)) = (&self.check, self.tree.first()) {
            return Err(usage(format!("--check has the parameters of the tree: leave out {flag}")));
        }
        let mut tree = self.tree.recipe();
        if let Some(Expected::Hash(root_hash)) = &self.check {
            let algorithm = root_hash.algorithm();
            if self.tree.algorithm().is_some_and(|given| given != algorithm) {
                return Err(usage(format!("--check is a root hash of {algorithm}: leave out --hash")));
            }
            tree.algorithm = algorithm;
        }
        Ok(RootHashRecipe {
            file: self.file,
            offset: self.offset,
            size: self.size,
            tree,
            hash_file: self.hash_file,
            hash_offset: self.hash_offset,
            expected: self.check,
            print_parameters: self.parameters,
            threads: Arc::new(Threads::new(general::threads(self.jobs))),
        })
    }
}
