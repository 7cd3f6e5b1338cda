//! Flags of every verb that reads a tree, which say how the program works.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Args;
use rustix::process::{Resource, getrlimit};

use super::help::group;
use super::values;

/// Flags that no byte of the result depends on. They are the last of each verb, as the help lists them last.
#[derive(Debug, Args)]
#[command(next_help_heading = group::GENERAL)]
pub(super) struct General {
    /// Take flags from a TOML file, before those that are typed
    #[arg(long, value_name = "FILE", long_help = RECIPE)]
    pub(super) recipe: Option<PathBuf>,

    /// Work in this many threads; the bytes do not depend on it [default: one for each core]
    ///
    /// There are at most 256, and fewer if ulimit -n does not permit as many, at four open files each.
    #[arg(short = 'j', long = "jobs", value_name = "N", value_parser = values::jobs)]
    jobs: Option<NonZeroUsize>,

    /// Report on standard error what is decided and done
    ///
    /// That includes each file of a source that a later source replaces.
    #[arg(short, long)]
    pub(super) verbose: bool,
}

const RECIPE: &str = "Take flags from a TOML file; those that are typed come after them and count more

Each key is the long name of a flag, `source` the SOURCE. A flag without a value
is `true`. Edits are in their order in the array `edits`, each a table of one:

  edits = [{ mkdir = \"/srv:0750\" }, { remove = \"/usr/share/doc\" }]";

/// More threads than this only take memory.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// The number of threads that have enough descriptors: four each, beside those of the program.
fn threads_by_descriptors() -> NonZeroUsize {
    const OF_THE_PROGRAM: u64 = 16;
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let threads = usize::try_from(limit.saturating_sub(OF_THE_PROGRAM) / 4).unwrap_or(usize::MAX);
    NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)
}

impl General {
    /// The number of threads to work in, from 1 to 256.
    pub(super) fn threads(&self) -> NonZeroUsize {
        let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.jobs.unwrap_or_else(cores).min(MAX_THREADS).min(threads_by_descriptors())
    }
}
