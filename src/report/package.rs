//! The part of a report about a package of a distribution.

use serde::Serialize;

use crate::source::package::deb::files::{Package, hex};

/// A package whose files are part of the tree.
#[derive(Clone, Debug, Serialize)]
pub struct PackageReport {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// The length of its file, in bytes.
    pub size: u64,
    /// The SHA-256 digest of its file.
    pub sha256: String,
    /// The reason that it is in the tree.
    pub reason: String,
    /// The distribution that made it, for lists of packages.
    #[serde(skip)]
    pub vendor: String,
    /// The name of its source package, for lists of packages.
    #[serde(skip)]
    pub source: String,
}

impl PackageReport {
    /// Returns the report on a package.
    #[must_use]
    pub fn new(package: &Package) -> Self {
        let Package { control, sha256, size, reason, vendor, .. } = package;
        // The version of the source is behind its name, where it is another one.
        let source = control.stanza.text("Source").unwrap_or_default();
        let source = source.split_whitespace().next().unwrap_or(&control.name).to_owned();
        Self {
            name: control.name.clone(),
            version: control.version.clone(),
            architecture: control.architecture.clone(),
            size: *size,
            sha256: hex(sha256),
            reason: reason.clone(),
            vendor: vendor.clone(),
            source,
        }
    }
}
