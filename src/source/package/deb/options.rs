//! The options of packages, as the command line gives them.

use std::path::PathBuf;

use super::resolve::Request;

/// The options of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageOptions {
    /// The roots of archives. Without one, they are those of apt's sources.
    pub mirrors: Vec<String>,
    /// The files of keys. Without one, they are those of the distribution.
    pub keyrings: Vec<PathBuf>,
    /// The files and directories of apt's sources; none for those of the host.
    pub apt_sources: Vec<PathBuf>,
    /// The pockets besides the release, such as `updates`; `None` for those of the distribution.
    pub pockets: Option<Vec<String>>,
    /// The components; none for `main`.
    pub components: Vec<String>,
    /// The files of apt's preferences.
    pub preferences: Vec<PathBuf>,
    /// The names of further architectures, as Debian calls them.
    pub foreign_architectures: Vec<String>,
    /// The time of a snapshot archive, such as `20251101T000000Z`.
    pub snapshot: Option<String>,
    /// True if nothing is fetched that the cache does not have.
    pub offline: bool,
    /// The requested packages.
    pub request: Request,
}
