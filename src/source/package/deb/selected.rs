//! The packages that the resolver selected, with all that is needed to fetch them.

use std::fmt;
use std::path::PathBuf;

use image_tree::Shown;

/// The packages of a tree, in an order that depends on nothing but the request and the indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The name of the architecture of the tree in Debian, such as `amd64`.
    pub architecture: String,
    /// Further architectures whose packages may be selected.
    pub foreign_architectures: Vec<String>,
    /// The properties of the distribution's release.
    pub suite: Suite,
    /// The packages, in the order of their names and architectures.
    pub packages: Vec<SelectedPackage>,
}

/// The properties of a release of a distribution that merging payloads depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// The `Origin` of its Release file, such as `Debian`.
    pub origin: String,
    /// The code name, such as `trixie`.
    pub codename: String,
    /// The version, such as `13.1`; empty for one that is in development.
    pub version: String,
    /// True if `/bin`, `/lib*` and `/sbin` have to be links to directories below `/usr`. They are
    /// created before the payloads, unless a payload has them.
    pub is_usr_merged: bool,
}

/// A package that the resolver selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedPackage {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The architecture, or `all`.
    pub architecture: String,
    /// True for `Essential: yes`.
    pub is_essential: bool,
    /// The location of its file.
    pub location: Location,
    /// The size of its file in bytes.
    pub size: u64,
    /// The SHA-256 digest of its file.
    pub sha256: [u8; 32],
    /// The reason for its selection.
    pub reason: Reason,
    /// Its paragraph of the index, or the control file of a file of the host, without the empty
    /// line at the end.
    pub control: Vec<u8>,
}

/// The location of a package's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file of an archive.
    Archive {
        /// The path below the root of the archive, such as `pool/main/b/bash/bash_5.2_amd64.deb`.
        path: String,
        /// The URLs of all mirrors, in the order in which they are tried.
        urls: Vec<String>,
    },
    /// A file of the host.
    File(PathBuf),
}

/// The reason for the selection of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The request names it.
    Requested,
    /// It is a file that the request names.
    File,
    /// It is essential.
    Essential,
    /// Its priority belongs to the variant.
    Priority(String),
    /// Another package needs or recommends it.
    Dependency {
        /// The name of the field: `Depends`, `Pre-Depends` or `Recommends`.
        field: &'static str,
        /// The other package.
        by: String,
        /// The text of the dependency with all alternatives, such as `libc6 (>= 2.38)`.
        relation: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("requested"),
            Self::File => f.write_str("requested as a file"),
            Self::Essential => f.write_str("essential"),
            Self::Priority(priority) => write!(f, "priority {}", Shown::message(priority)),
            Self::Dependency { field, by, relation } => {
                write!(f, "{field} of {}: {}", Shown::message(by), Shown::message(relation))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_shown_without_control_characters() {
        let dependency = Reason::Dependency {
            field: "Depends",
            by: "bash\x1b".to_owned(),
            relation: "libc6 (>= 2.38)".to_owned(),
        };
        assert_eq!(dependency.to_string(), r"Depends of bash\x1b: libc6 (>= 2.38)");
        assert_eq!(Reason::Priority("required".to_owned()).to_string(), "priority required");
    }
}
