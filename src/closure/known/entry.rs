//! An entry of the table.

use super::pattern::Pattern;

/// Files that some programs or libraries use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name by which `--known` selects it; several entries may share one.
    pub name: String,
    /// A description of the files.
    pub about: String,
    /// The upstream file or function, or the package, that says so.
    pub source: String,
    /// The versions that were examined.
    pub seen: Vec<String>,
    /// The programs and libraries that use the files.
    pub by: Vec<Pattern>,
    /// For each element, the first of these files must exist.
    pub requires: Vec<Vec<String>>,
    /// Files that are kept if they exist.
    pub files: Vec<String>,
    /// Directories of Python packages, in which `.pth` files are followed.
    pub sites: Vec<String>,
    /// Services of PAM that are kept if they exist.
    pub pam: Vec<String>,
    /// Users to whose numbers the programs change.
    pub users: Vec<String>,
    /// Groups that the programs look up.
    pub groups: Vec<String>,
    /// True if the shells and the home directories of accounts are kept.
    pub shells: bool,
}
