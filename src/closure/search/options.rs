//! The options of a search.

use crate::closure::config::dlopen;
use crate::closure::ld_so::hwcaps::Hwcaps;

/// The options of a closure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The glibc-hwcaps variants to keep.
    pub hwcaps: Hwcaps,
    /// The policy that selects the libraries opened at run time; without one, none of them is kept.
    pub dlopen: Option<dlopen::Policy>,
    /// The number of threads that read files. The closure is the same for any number.
    pub threads: usize,
}
