//! Flags that say which tree is meant, and the verb that prints it.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use image_tree::Timestamp;

use super::closure::KeepArguments;
use super::edits::Edits;
use super::values;
use crate::recipe::TreeRecipe;
use crate::source::tar::Limits;
use crate::transform::hardlinks;
use crate::transform::ownership::Ownership;
use crate::transform::selinux::FileContexts;
use crate::transform::unreadable::Policy;

/// Print a tree as text: one line a file, in the composefs dump format
///
/// What it prints can be read back as a SOURCE. Contents that are not in the text are named by their path beneath
/// the source, to be found with --basedir.
#[derive(Debug, Args)]
pub(super) struct TreeVerb {
    #[command(flatten)]
    tree: TreeArguments,
}

impl TreeVerb {
    pub(super) fn recipe(self) -> Result<TreeRecipe, clap::Error> {
        self.tree.recipe()
    }
}

#[derive(Debug, Args)]
pub(super) struct TreeArguments {
    /// The tree: a directory, a tar archive, a text dump, or - for one of the latter two on standard input. Of several,
    /// each is laid over those before it
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<OsString>,

    /// Where the files lie that a dump names by path [default: the directory of the dump]
    #[arg(long, value_name = "DIR")]
    basedir: Option<PathBuf>,

    #[arg(long, value_name = "WHO", value_parser = values::owner(), help = OWNER, long_help = OWNER_FORMS)]
    owner: Option<Ownership>,

    /// Leave out what is in directories of other filesystems mounted beneath a SOURCE directory, as tar does
    #[arg(short = 'x', long)]
    one_file_system: bool,

    /// What becomes of files and directories that may not be read [default: fail]
    #[arg(long, value_name = "WHAT")]
    unreadable: Option<Unreadable>,

    /// Which names are of one file in the end: as they are, none, or all with the same bytes and metadata
    #[arg(long, value_name = "WHICH", default_value = "keep")]
    hardlinks: Hardlinks,

    /// Label every file for SELinux by this file_contexts, or with auto by those of the tree's own policy
    #[arg(long, value_name = "FILE|auto")]
    file_contexts: Option<PathBuf>,

    /// Set times after this one, in seconds since 1970, back to it [default: $SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "SECONDS", value_parser = values::epoch)]
    source_date_epoch: Option<i64>,

    /// Take archives of at most this many bytes, unpacked and with all holes (K, M, G, T are powers of 1024)
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, default_value = "1T")]
    max_size: u64,

    /// Take archives of at most this many entries
    #[arg(long, value_name = "N", default_value_t = Limits::DEFAULT.max_entries)]
    max_entries: u64,

    /// Work in this many threads; the bytes do not depend on it [default: one for each core]
    #[arg(short = 'j', long = "jobs", value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Tell on standard error what is decided and done on the way, each file that a later source replaces among it
    #[arg(short, long)]
    verbose: bool,

    /// Take flags from a TOML file; those on the command line come after them and count more
    #[arg(long, value_name = "FILE", long_help = RECIPE)]
    recipe: Option<PathBuf>,

    #[command(flatten)]
    keep: KeepArguments,

    #[command(flatten)]
    edits: Edits,
}

const OWNER: &str = "Who owns the files: root, keep, UID:GID, map:RANGES, xattr, fakeroot:FILE, or a manifest FILE \
                     [default: root for directories that an ordinary user reads, else keep]";

const OWNER_FORMS: &str =
    "Who owns the files [default: root for directories that an ordinary user reads, else keep]

  root            root owns all
  keep            each keeps its owner
  UID:GID         that user and group own all
  map:IN:OUT:N,…  owners from OUT on become those from IN on, N of them, as in
                  /proc/PID/uid_map; u: or g: before a range makes it one of
                  users or groups only; other owners are an error
  xattr           user.containers.override_stat and user.rootlesscontainers tell
                  it; others as by default
  fakeroot:FILE   what fakeroot -s FILE saved
  FILE            a manifest, mtree(5), with uid, gid, uname, gname and mode;
                  others as by default";

const RECIPE: &str = "Take flags from a TOML file; those on the command line come after them and count more

Each key is the long name of a flag, `source` the SOURCE. A flag without a value
is `true`. Edits are in their order in the array `edits`, each a table of one:

  edits = [{ mkdir = \"/srv:0750\" }, { remove = \"/usr/share/doc\" }]";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Unreadable {
    /// They are an error that names all of them
    Fail,
    /// They are left out
    Skip,
    /// They are empty
    Empty,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Hardlinks {
    /// They stay as they are
    Keep,
    /// Each name is a file of its own
    Break,
    /// Files with the same bytes, mode, owners, time and xattrs become one
    Content,
}

/// More threads than this only take memory.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

impl TreeArguments {
    pub(super) fn recipe(self) -> Result<TreeRecipe, clap::Error> {
        let unreadable = match self.unreadable {
            Some(Unreadable::Fail) | None => Policy::Fail,
            Some(Unreadable::Skip) => Policy::Skip,
            Some(Unreadable::Empty) => Policy::Empty,
        };
        let hardlinks = match self.hardlinks {
            Hardlinks::Keep => hardlinks::Policy::Keep,
            Hardlinks::Break => hardlinks::Policy::Break,
            Hardlinks::Content => hardlinks::Policy::Content,
        };
        let epoch = match self.source_date_epoch {
            Some(seconds) => Some(seconds),
            None => epoch_of_environment()?,
        };
        if self.sources.iter().filter(|source| *source == "-").count() > 1 {
            let message = "standard input (-) can be one SOURCE only\n";
            return Err(clap::Error::raw(ErrorKind::ValueValidation, message));
        }
        let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let (ld_cache, keep) = self.keep.recipe()?;
        Ok(TreeRecipe {
            sources: self.sources,
            basedir: self.basedir,
            ownership: self.owner,
            one_file_system: self.one_file_system,
            unreadable,
            hardlinks,
            edits: self.edits.0,
            keep,
            ld_cache,
            limits: Limits { max_size: self.max_size, max_entries: self.max_entries },
            file_contexts: self.file_contexts.map(file_contexts),
            source_date_epoch: epoch.map(Timestamp::from_seconds),
            threads: self.jobs.unwrap_or_else(cores).min(MAX_THREADS),
            verbose: self.verbose,
        })
    }
}

fn file_contexts(path: PathBuf) -> FileContexts {
    if path == Path::new("auto") { FileContexts::Auto } else { FileContexts::File(path) }
}

/// `SOURCE_DATE_EPOCH`, which is as good as unset when it is empty.
fn epoch_of_environment() -> Result<Option<i64>, clap::Error> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let seconds = values::epoch(&value.to_string_lossy());
    let refuse = |why| clap::Error::raw(ErrorKind::InvalidValue, format!("SOURCE_DATE_EPOCH: {why}\n"));
    seconds.map(Some).map_err(refuse)
}
