//! Set-id programs that got another owner.

use std::fmt;

use image_tree::{Metadata, Tree};

use crate::log::{self, Log};
use crate::shown::Count;

/// The mode bit of programs that run as their owner.
const S_ISUID: u16 = 0o4000;
/// The mode bit of programs that run as their group.
const S_ISGID: u16 = 0o2000;

/// Returns true for the mode of a program that runs as its owner or its group.
pub(super) fn is_set_id(metadata: &Metadata) -> bool {
    metadata.mode & (S_ISUID | S_ISGID) != 0
}

/// Returns true if the change of an owner gives a file another identity to run with. `differs`
/// is true for the user and for the group if its change counts.
pub(super) fn changes_identity(mode: u16, differs: [bool; 2]) -> bool {
    mode & S_ISUID != 0 && differs[0] || mode & S_ISGID != 0 && differs[1]
}

/// Files that run with the identity of their owner, and got a foreign one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetIdChange {
    /// Their new user.
    pub uid: u32,
    /// Their new group.
    pub gid: u32,
    /// Their paths in the tree.
    pub paths: Vec<Vec<u8>>,
}

impl log::Report for SetIdChange {
    fn log(&self, log: &Log) {
        for path in &self.paths {
            log.detail(format_args!("{}: set-id file of another owner", path.escape_ascii()));
        }
        log.warn(self);
    }
}

impl fmt::Display for SetIdChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.paths.len();
        write!(f, "{} as ", Count(count, "set-id file now runs", "set-id files now run"))?;
        match (self.uid, self.gid) {
            (0, 0) => write!(f, "root: ")?,
            (uid, gid) => write!(f, "{uid}:{gid}: ")?,
        }
        write!(f, "{}", self.paths.first().map(Vec::as_slice).unwrap_or_default().escape_ascii())?;
        if count > 1 {
            write!(f, " and {} more", count - 1)?;
        }
        write!(f, "; --owner keep leaves the owners as they are")
    }
}

impl SetIdChange {
    /// Removes the paths that are gone or got another owner or mode since.
    pub fn retain_in_effect<C>(&mut self, tree: &Tree<C>) {
        let owner = (self.uid, self.gid);
        self.paths.retain(|path| {
            let metadata = tree.resolve_no_symlinks(path).map(|id| &tree.get(id).metadata);
            metadata.is_some_and(|metadata| (metadata.uid, metadata.gid) == owner && is_set_id(metadata))
        });
    }
}
