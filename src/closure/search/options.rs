//! The options of a search.

use rayon::ThreadPool;

use crate::closure::config::dlopen;
use crate::closure::ld_so::hwcaps::Hwcaps;
use crate::closure::library_path::LibraryPath;

/// The options of a closure.
#[derive(Clone, Debug, Default)]
pub struct Options<'p> {
    /// The glibc-hwcaps variants to keep.
    pub hwcaps: Hwcaps,
    /// The policy that selects the libraries opened at run time; without one, none of them is kept.
    pub dlopen: Option<dlopen::Policy>,
    /// The threads that read files; without a pool, the caller reads all of them. The closure is
    /// the same for any number of threads.
    pub pool: Option<&'p ThreadPool>,
    /// The values of `LD_LIBRARY_PATH` of programs.
    pub library_paths: &'p [LibraryPath],
    /// True if programs start before `/proc` is mounted, so that `$ORIGIN` in the search path of a
    /// program itself is not known.
    pub before_proc: bool,
}
