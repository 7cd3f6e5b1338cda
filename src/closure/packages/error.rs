//! Errors of package databases.

use std::io;

use thiserror::Error;

use crate::closure::similar::did_you_mean;

/// The result of reading a package database.
pub type Result<T> = std::result::Result<T, Error>;

/// The reason why packages cannot be selected.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The content of a file of the tree cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// A package database is damaged, or has a format that is not supported.
    #[error("the package database {}: {why}", .path.escape_ascii())]
    Unusable {
        /// The path of its file.
        path: Vec<u8>,
        /// The reason.
        why: String,
    },
    /// The tree does not have a package database.
    #[error(
        "the tree has no package database: there is none of {looked}; keep its files by --keep, or add the source \
         that has the database"
    )]
    NoDatabase {
        /// The paths that were tried.
        looked: String,
    },
    /// No installed package has the name, or matches the pattern.
    #[error("{}: no such package is installed by {databases}{}", .name.escape_ascii(), did_you_mean(.near))]
    NotInstalled {
        /// The name or pattern.
        name: Vec<u8>,
        /// The paths of the databases.
        databases: String,
        /// Similar names.
        near: Vec<String>,
    },
}

impl Error {
    /// Returns the error of a damaged or unsupported database.
    pub(super) fn unusable(path: &[u8], why: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_vec(), why: why.into() }
    }
}
