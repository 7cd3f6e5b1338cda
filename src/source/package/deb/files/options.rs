//! The options for the files of packages.

use std::path::Path;

use image_tree::Timestamp;

use super::filter::PathFilter;
use crate::blob::SpoolMemory;
use crate::cache::Cache;
use crate::interrupt::Interrupt;
use crate::named::named;
use crate::source::tar::Limits;
use crate::threads::Threads;

/// The form of the database of packages in the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PackageDatabase {
    /// All that dpkg and apt need.
    #[default]
    Full,
    /// A file for each package in `/var/lib/dpkg/status.d`, which scanners read.
    StatusD,
    /// None.
    None,
}

named!(PackageDatabase, "a database of packages", [Full => "full", StatusD => "status.d", None => "none"]);

/// The path that a file of other packages has instead of its own, by dpkg-divert(1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// The absolute path of the file.
    pub from: Vec<u8>,
    /// Its path in the tree.
    pub to: Vec<u8>,
    /// The package whose own file stays at the path; none if no package has one.
    pub by: Option<String>,
}

/// The options for packages.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The limits, which hold for the files of all packages together.
    pub limits: Limits,
    /// The threads that read packages.
    pub threads: &'a Threads,
    /// Checked regularly; a signal ends the reading.
    pub interrupt: &'a Interrupt,
    /// The directory of the files that packages are decompressed into; none for that of temporary
    /// files.
    pub spool: Option<&'a Path>,
    /// The memory that decompressed packages may take before they are written to files.
    pub memory: &'a SpoolMemory,
    /// The cache of decoded packages.
    pub cache: Option<&'a Cache>,
    /// The paths that are left out.
    pub filter: &'a PathFilter,
    /// The database of packages.
    pub database: PackageDatabase,
    /// The diversions.
    pub diversions: &'a [Diversion],
    /// The architecture of the tree and further ones, as Debian names them; none for those of the
    /// packages.
    pub architectures: &'a [String],
    /// True if the links of a merged `/usr` are created, unless base-files has them.
    pub merged_usr: bool,
    /// The time of generated files.
    pub time: Timestamp,
}
