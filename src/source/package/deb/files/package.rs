//! Packages: the files that are given, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::{InodeId, Tree};

use super::control::Control;
use super::owners::{Named, UnknownOwner, settle};
use crate::accounts::Accounts;
use crate::blob::Blob;
use crate::error::Result;
use crate::source::container::Message;

/// The file of a package.
#[derive(Clone, Debug)]
pub struct PackageFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The file that was fetched, whose digest is the expected one; none to open the path.
    pub fetched: Option<Arc<File>>,
    /// The name of the package in messages: its path, or its name and version.
    pub name: PathBuf,
    /// The facts that an index states about it; none for a file that the user names.
    pub expected: Option<Expected>,
    /// The reason that it is among the packages.
    pub reason: String,
    /// The name of the distribution that made it, in lower case.
    pub vendor: String,
}

/// The facts that an index states about a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The architecture.
    pub architecture: String,
    /// The length of the file, in bytes.
    pub size: u64,
    /// The SHA-256 digest of the file.
    pub sha256: [u8; 32],
}

impl PackageFile {
    /// Returns a file that the user names.
    #[must_use]
    pub fn local(path: &Path) -> Self {
        let (path, name) = (path.to_owned(), path.to_owned());
        let (reason, vendor) = ("requested as a file".to_owned(), "debian".to_owned());
        Self { path, fetched: None, name, expected: None, reason, vendor }
    }

    /// The length of the file in bytes, as far as it is known.
    pub(super) fn len(&self) -> u64 {
        match &self.expected {
            Some(expected) => expected.size,
            None => self.path.metadata().map_or(0, |metadata| metadata.len()),
        }
    }
}

/// A package in a tree.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its fields, scripts and so on.
    pub control: Control,
    /// The SHA-256 digest of its file.
    pub sha256: [u8; 32],
    /// The length of its file, in bytes.
    pub size: u64,
    /// The reason that it is among the packages.
    pub reason: String,
    /// The name of the distribution that made it, in lower case.
    pub vendor: String,
    /// The absolute paths of its files, in the order of the package; the root is `/.`.
    pub files: Vec<Vec<u8>>,
    /// The contents of its configuration files, and of all of its files if it has no list of
    /// checksums, by path.
    pub(super) contents: BTreeMap<Vec<u8>, Blob>,
    /// The paths that the filter left out.
    pub(super) excluded: BTreeSet<Vec<u8>>,
}

/// The tree of packages, whose owners have names only.
#[derive(Debug)]
pub struct PackageTree {
    /// The tree.
    pub tree: Tree<Blob>,
    /// The packages, by name and architecture.
    pub packages: Vec<Package>,
    /// The messages for the log, in order.
    pub messages: Vec<Message>,
    pub(super) named: BTreeMap<InodeId, Named>,
}

impl PackageTree {
    /// Sets the numbers of owners, and returns those that neither the tree nor `lower`, the accounts
    /// of the sources before, has a number for; their files have the numbers that packages state.
    ///
    /// # Errors
    /// If a file with accounts cannot be read or is longer than 16 MiB.
    pub fn settle_owners(&mut self, lower: &Accounts) -> Result<Vec<UnknownOwner>> {
        settle(&mut self.tree, &self.named, lower)
    }
}

/// Returns the hexadecimal digits of a digest.
#[must_use]
pub fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // OK to ignore: writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
