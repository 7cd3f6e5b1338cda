//! Packages, their dependencies and their files, in the terms that all databases share.

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// The name.
    pub name: Vec<u8>,
    /// The architecture; empty if the database does not state one.
    pub architecture: Vec<u8>,
    /// dpkg's `Multi-Arch`, which permits packages of other architectures to depend on it.
    pub multi_arch: MultiArch,
    /// The dependencies, all of which must be met.
    pub requires: Vec<Requirement>,
    /// The capabilities that it has besides its name.
    pub provides: Vec<Capability>,
}

/// The architectures of packages that may depend on a package of dpkg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MultiArch {
    /// That of the package.
    #[default]
    Same,
    /// That of the package, and all for a dependency on `NAME:any`.
    Allowed,
    /// All.
    Foreign,
}

/// Something that a package provides or requires. Versions only select between several packages:
/// what is installed meets the limits on versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capability {
    /// The name, which may be a path.
    pub name: Vec<u8>,
    /// The exact version, if one is stated.
    pub version: Option<Vec<u8>>,
    /// The architecture after the colon in a dependency of dpkg, or `any`.
    pub architecture: Option<Vec<u8>>,
}

/// A dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A package that has the capability.
    Package(Capability),
    /// The first of these that is met by installed packages.
    Any(Vec<Requirement>),
    /// All of these.
    All(Vec<Requirement>),
    /// A dependency that depends on what is installed.
    If {
        /// The condition.
        condition: Box<Requirement>,
        /// The dependency if the condition is met; `None` if there is none.
        then: Option<Box<Requirement>>,
        /// The dependency if it is not met.
        otherwise: Option<Box<Requirement>>,
    },
}

/// A file in the list of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The absolute path.
    pub path: Vec<u8>,
    /// True if the package does not contain the file itself, as with rpm's `%ghost`: it may be
    /// missing.
    pub optional: bool,
}

impl Capability {
    /// Returns a capability without a version.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        Self { name: name.to_vec(), ..Self::default() }
    }
}

impl Listed {
    /// Returns a file that the package contains.
    pub(super) fn new(path: Vec<u8>) -> Self {
        Self { path, optional: false }
    }
}
