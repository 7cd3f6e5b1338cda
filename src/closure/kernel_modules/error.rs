//! Errors of the selection of kernel modules.

use std::io;

use thiserror::Error;

use crate::closure::similar::did_you_mean;

/// The result of a selection of modules.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why kernel modules cannot be selected.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The content of a file of the tree cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The tree does not have any modules.
    #[error("the tree has no modules: neither /lib/modules nor /usr/lib/modules has a directory")]
    NoVersion,
    /// The tree has modules of several versions, of which none was chosen.
    #[error("the tree has modules of several versions; choose one by --kver: {there}")]
    SeveralVersions {
        /// The versions.
        there: String,
    },
    /// The tree does not have modules of the requested version.
    #[error("--kver {}: the tree has no such version in /lib/modules; it has {there}", .version.escape_ascii())]
    VersionNotFound {
        /// The requested version.
        version: Vec<u8>,
        /// The versions of the tree.
        there: String,
    },
    /// The requested version is a file.
    #[error("--kver {}: {} is not a directory", .version.escape_ascii(), .path.escape_ascii())]
    NotADirectory {
        /// The requested version.
        version: Vec<u8>,
        /// Its path.
        path: Vec<u8>,
    },
    /// No module has the name or alias, or matches the pattern.
    #[error(
        "{}: no module of {} has this name or alias, and none is built in{}",
        .name.escape_ascii(), .version.escape_ascii(), did_you_mean(.near)
    )]
    ModuleNotFound {
        /// The name, alias or pattern.
        name: Vec<u8>,
        /// The version of the kernel.
        version: Vec<u8>,
        /// Similar names.
        near: Vec<String>,
    },
    /// A module or an index cannot be used.
    #[error("{}: {why}", .path.escape_ascii())]
    Unusable {
        /// The path of the file.
        path: Vec<u8>,
        /// The reason.
        why: String,
    },
}

impl Error {
    pub(super) fn unusable(path: &[u8], why: impl ToString) -> Self {
        Self::Unusable { path: path.to_vec(), why: why.to_string() }
    }
}
