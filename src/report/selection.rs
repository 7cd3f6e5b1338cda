//! The report of a selection of packages.

use std::fmt;

use serde::Serialize;

use super::version::{REPORT_VERSION, VERSION};
use crate::source::package::deb::archive::Pocket;
use crate::source::package::deb::select::Selected;
use crate::source::package::deb::selected::{Location, SelectedPackage};
use crate::source::package::deb::spec::Spec;

/// The packages that a request selects.
#[derive(Clone, Debug, Serialize)]
pub struct SelectionReport {
    rootcast: &'static str,
    report_version: u32,
    release: String,
    architecture: String,
    foreign_architectures: Vec<String>,
    archives: Vec<Archive>,
    packages: Vec<Package>,
    notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Archive {
    suite: String,
    date: String,
    /// The fingerprints of the keys that signed it.
    signed_by: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Package {
    name: String,
    version: String,
    architecture: String,
    /// The path in the archive, or of a file of the host.
    path: String,
    size: u64,
    sha256: String,
    reason: String,
}

impl SelectionReport {
    /// Returns the report of a selection.
    #[must_use]
    pub fn new(spec: &Spec, selected: &Selected) -> Self {
        let selection = &selected.selection;
        Self {
            rootcast: VERSION,
            report_version: REPORT_VERSION,
            release: spec.to_string(),
            architecture: selection.architecture.clone(),
            foreign_architectures: selection.foreign_architectures.clone(),
            archives: selected.acquired.pockets.iter().map(Archive::new).collect(),
            packages: selection.packages.iter().map(Package::new).collect(),
            notes: selected.notes.clone(),
        }
    }
}

impl Archive {
    fn new(pocket: &Pocket) -> Self {
        let date = pocket.release.field("date").to_owned();
        Self { suite: pocket.suite.clone(), date, signed_by: pocket.signers.clone() }
    }
}

impl Package {
    fn new(package: &SelectedPackage) -> Self {
        let path = match &package.location {
            Location::Archive { path, .. } => path.clone(),
            Location::File(path) => path.to_string_lossy().into_owned(),
        };
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
            path,
            size: package.size,
            sha256: package.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            reason: package.reason.to_string(),
        }
    }
}

impl fmt::Display for SelectionReport {
    /// Writes a line for each package: `NAME=VERSION`, the architecture and the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.packages.iter().map(|one| format!("{}={}", one.name, one.version));
        let names: Vec<String> = names.collect();
        let width = names.iter().map(String::len).max().unwrap_or_default().min(48);
        for (name, package) in names.iter().zip(&self.packages) {
            writeln!(f, "{name:width$}  {:6}  {}", package.architecture, package.reason)?;
        }
        Ok(())
    }
}
