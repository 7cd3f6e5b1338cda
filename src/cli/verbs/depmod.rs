//! `rootcast depmod`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueHint};

use crate::cli::flags::{general, values};
use crate::cli::help::{Help, group};
use crate::recipe::depmod::DepmodRecipe;
use crate::threads::Threads;

/// Write the indices of kernel modules, as depmod does
///
/// The files are modules.dep, .alias, .symbols, .softdep, .weakdep and .devname, and the binary
/// .dep.bin, .alias.bin, .symbols.bin, .builtin.bin and .builtin.alias.bin: byte for byte those of
/// kmod 30, which every newer kmod reads. Nothing is read but DIR: neither the configuration of
/// depmod nor the version of the kernel that runs. Modules may be compressed with gzip, xz or zstd.
#[derive(Debug, Args)]
pub(in crate::cli) struct DepmodVerb {
    /// Directory with the modules of a kernel: lib/modules/VERSION of a tree
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = group::INPUT)]
    modules: PathBuf,

    /// Write the indices into this directory, made if missing
    ///
    /// It can be DIR itself. All files are complete before the first replaces an existing one.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = group::OUTPUT)]
    output: PathBuf,

    /// Print only errors and warnings
    #[arg(short, long, conflicts_with = "verbose", help_heading = group::GENERAL)]
    quiet: bool,

    /// Number of threads, which does not affect the bytes [default: one for each core]
    #[arg(short = 'j', long = "jobs", value_name = "N", value_parser = values::jobs, help_heading = group::GENERAL)]
    jobs: Option<NonZeroUsize>,

    /// Report decisions and steps on standard error
    #[arg(short, long, help_heading = group::GENERAL)]
    verbose: bool,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "depmod",
    usage: "rootcast depmod <DIR> -o <DIR> [OPTIONS]",
    examples: &[
        "rootcast depmod rootfs/lib/modules/6.1.0 -o rootfs/lib/modules/6.1.0",
        "rootcast depmod modules/ -o indices/ -q        only errors and warnings",
        "rootcast depmod modules/ -o indices/ -j 1      on one processor",
    ],
    common: &["modules", "output", "quiet"],
};

impl DepmodVerb {
    pub(in crate::cli) fn recipe(self) -> DepmodRecipe {
        DepmodRecipe {
            modules: self.modules,
            output: self.output,
            threads: Arc::new(Threads::new(general::threads(self.jobs))),
            quiet: self.quiet,
            verbose: self.verbose,
        }
    }
}
