//! Flags of every verb that reads a tree and that do not affect the output.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use clap::Args;
use rustix::process::{Resource, getrlimit};

use super::values;
use crate::cli::help::group;
use crate::quantity;
use crate::recipe::CacheRecipe;
use crate::recipe::shipped::Shipped;

/// Flags that no byte of the result depends on. They are the last of each verb, as the help lists
/// them last.
#[derive(Debug, Args)]
#[command(next_help_heading = group::GENERAL)]
pub(in crate::cli) struct General {
    /// Read flags from a recipe: a TOML file or a name
    #[arg(long, value_name = "NAME|FILE", long_help = RECIPE)]
    pub(in crate::cli) recipe: Vec<OsString>,

    /// Number of threads, which does not affect the bytes [default: one for each core]
    ///
    /// It is limited to 256, and to a quarter of the open files that ulimit -n permits.
    #[arg(short = 'j', long = "jobs", value_name = "N", value_parser = values::jobs)]
    jobs: Option<NonZeroUsize>,

    /// Reuse results of earlier runs, in this directory
    ///
    /// It is created if it is missing. The results are decoded layers of images of containers and
    /// packages, downloads, and what was compressed. No byte of the output depends on it.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// Maximum size of the cache; the least recently used data is removed (K, M, G, T are powers of
    /// 1024)
    #[arg(long, value_name = "BYTES", value_parser = quantity::bytes, default_value = "2G", requires = "cache")]
    cache_size: u64,

    /// Report decisions and steps on standard error
    ///
    /// This includes each file of a source that a later source replaces.
    #[arg(short, long)]
    pub(in crate::cli) verbose: bool,
}

const RECIPE: &str = "Read flags from a recipe; those of the command line follow and override them

It is a TOML file, or the name of one that is part of the program, which rootcast
recipe list prints; ./NAME is a path. A later one overrides earlier ones.

Each key is the long name of a flag, `source` the SOURCE. A flag without a value
is `true`. Edits are in the array `edits`, in their order, each a table of one:

  edits = [{ mkdir = \"/srv:0750\" }, { remove = \"/usr/share/doc\" }]";

/// The maximum number of threads: more only use memory.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// Returns the number of threads for which there are enough descriptors: four each, beside those of
/// the program.
fn threads_by_descriptors() -> NonZeroUsize {
    const OF_THE_PROGRAM: u64 = 16;
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let threads = usize::try_from(limit.saturating_sub(OF_THE_PROGRAM) / 4).unwrap_or(usize::MAX);
    NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)
}

impl General {
    /// Returns the files of the recipes.
    pub(in crate::cli) fn recipe_files(&self) -> Vec<PathBuf> {
        let is_file = |name: &&OsString| name.to_str().and_then(Shipped::find).is_none();
        self.recipe.iter().filter(is_file).map(PathBuf::from).collect()
    }

    /// Returns the cache.
    pub(in crate::cli) fn cache(&self) -> Option<CacheRecipe> {
        let directory = self.cache.clone()?;
        Some(CacheRecipe { directory, size: self.cache_size })
    }

    /// Returns true if there is a cache.
    pub(in crate::cli) fn has_cache(&self) -> bool {
        self.cache.is_some()
    }

    /// Returns the number of threads, from 1 to 256.
    pub(in crate::cli) fn threads(&self) -> NonZeroUsize {
        threads(self.jobs)
    }
}

/// Returns the number of threads, from 1 to 256, for a requested one.
pub(in crate::cli) fn threads(jobs: Option<NonZeroUsize>) -> NonZeroUsize {
    let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
    jobs.unwrap_or_else(cores).min(MAX_THREADS).min(threads_by_descriptors())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_bounded_by_a_constant_and_by_descriptors() {
        let threads = |jobs| {
            let jobs = NonZeroUsize::new(jobs);
            General { jobs, recipe: Vec::new(), cache: None, cache_size: 0, verbose: false }.threads()
        };
        let most = MAX_THREADS.min(threads_by_descriptors());
        assert_eq!(threads(1), NonZeroUsize::MIN);
        for jobs in [257, 100_000, usize::MAX] {
            assert_eq!(threads(jobs), most);
        }
        assert!((1..=256).contains(&most.get()));
    }
}
