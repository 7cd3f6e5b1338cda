//! The packages of distributions among the sources: what of their files becomes a part of the tree,
//! and the lists of them.

use std::path::PathBuf;

use crate::named::named;
use crate::source::package::deb::files::{PackageDatabase, PathFilter};

/// The options for the files of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackageRecipe {
    /// The paths that are left out.
    pub filter: PathFilter,
    /// The database of packages in the tree.
    pub database: PackageDatabase,
    /// The lists of packages that are written beside the product.
    pub sbom: Vec<Sbom>,
}

/// A list of packages for scanners, in a file of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// The form of the list.
    pub format: SbomFormat,
    /// The path of the file.
    pub path: PathBuf,
}

/// The form of a list of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SbomFormat {
    /// SPDX 2.3, as JSON.
    Spdx,
    /// CycloneDX 1.5, as JSON.
    CycloneDx,
}

named!(SbomFormat, "a form of lists of packages", [Spdx => "spdx", CycloneDx => "cyclonedx"]);
