//! The files of packages: reads them, and merges them into one tree.
//!
//! ```text
//! packages ─▶ payload (in parallel) ─▶ filter ─▶ merge ─▶ database ─▶ tree with owners by name
//!                                                                            │
//!                                    accounts of the tree and of sources before ─▶ numbers
//! ```
//!
//! No script of a package runs. What dpkg(1) would do with the files of the packages in an empty root
//! directory is done in process, whatever the order of the packages and the number of threads.

mod ar;
mod archive;
mod control;
mod database;
mod facts;
mod filter;
mod merge;
mod merged_usr;
mod options;
mod owners;
mod package;
mod payload;
mod relations;
mod stanza;

use crate::error::Result;

pub use control::{Control, ControlFile};
pub use facts::{Facts, facts};
pub use filter::{PathFilter, PathRule};
pub use options::{Diversion, Options, PackageDatabase};
pub use owners::UnknownOwner;
pub use package::{Expected, Package, PackageFile, PackageTree, hex};
pub use stanza::Stanza;

/// Returns true if bytes are the start of a package.
#[must_use]
pub fn is_package(start: &[u8]) -> bool {
    start.starts_with(b"!<arch>\ndebian-binary")
}

/// Reads packages and merges their files.
///
/// # Errors
/// [`BadInput`](crate::error::ErrorKind::BadInput) with the package and the path for a file that is
/// invalid, not the stated one, beyond a limit or in conflict with another package;
/// [`Io`](crate::error::ErrorKind::Io) if something cannot be read or stored.
pub fn read(packages: &[PackageFile], options: &Options<'_>) -> Result<PackageTree> {
    merge::merge(packages, payload::read(packages, options)?, options)
}
