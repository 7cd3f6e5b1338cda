//! Changes to single files of a tree, one after the other.
//!
//! | edit | text |
//! | --- | --- |
//! | add | `SRC:DST`: a file or directory of the host |
//! | mkdir | `PATH[:MODE[:USER:GROUP]]` |
//! | symlink | `TARGET:PATH` |
//! | mknod | `PATH:c\|b:MAJOR:MINOR[:MODE]` |
//! | chmod | `GLOB:MODE`, octal or `u+x`; an access ACL follows |
//! | chown | `GLOB:[USER][:[GROUP]]` |
//! | setcap | `GLOB:CAPS`, as `setcap(8)` takes them |
//! | xattr | `GLOB:NAME=VALUE`; the mode follows an access ACL |
//! | remove | `GLOB`, which must match something |
//! | exclude | `GLOB`, which need not |
//!
//! Fields are separated by colons; `\:` is a colon within one and `\\` a backslash. Users and groups are names of the
//! tree's own accounts or numbers.
//!
//! A PATH is that of the tree, with or without a leading `/`. Symbolic links in its directories are
//! followed inside the tree, as by a process in the guest; the last component is never followed. A
//! GLOB without any of `*?[` is such a path. With one, it is compared with the real paths of all
//! files: [`glob`].

mod add;
mod apply;
pub mod capabilities;
pub mod parse;
mod place;

use std::path::PathBuf;

use image_tree::{Device, LinkTarget, Timestamp, Tree, XattrName};

use super::mode::Mode;
use super::own_files::OwnFiles;
use crate::blob::Blob;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::log::{self, Log};
use crate::source::directory::Unreadable;
use crate::xattr_filter::Filter;

use image_tree::glob::Glob;

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The flag or recipe key with its text, for messages.
    pub text: String,
    /// The action.
    pub action: Action,
}

/// The action of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Copies a file or directory of the host to a path, owned by root. A directory is merged with
    /// an existing one, which keeps its metadata; a file replaces any file that is not a directory.
    /// A file keeps its name beneath a path that ends in `/`.
    Add {
        /// The path on the host. A symbolic link is followed.
        source: PathBuf,
        /// The path in the tree.
        path: Vec<u8>,
    },
    /// Creates a directory and its missing parents. An existing one gets only the given mode and
    /// owner.
    Mkdir {
        /// The path.
        path: Vec<u8>,
        /// The mode; the default for a new directory is 0755.
        mode: Option<u16>,
        /// The user and group; the default for a new directory is root.
        owner: Option<(Vec<u8>, Vec<u8>)>,
    },
    /// Creates a symbolic link. The path must not exist.
    Symlink {
        /// The target of the link.
        target: LinkTarget,
        /// Its path.
        path: Vec<u8>,
    },
    /// Creates a device. The path must not exist.
    Mknod {
        /// Its path.
        path: Vec<u8>,
        /// True for a block device.
        block: bool,
        /// Its number.
        device: Device,
        /// Its mode.
        mode: u16,
    },
    /// Changes modes, and access ACLs with them. Symbolic links have no modes.
    Chmod {
        /// The files to change.
        files: Files,
        /// The new mode.
        mode: Mode,
    },
    /// Changes owners. Set-id bits and capabilities are kept.
    Chown {
        /// The files to change.
        files: Files,
        /// The user; none keeps it.
        user: Option<Vec<u8>>,
        /// The group.
        group: Group,
    },
    /// Sets `security.capability` of regular files.
    Setcap {
        /// The files to change.
        files: Files,
        /// The value of the xattr.
        value: Box<[u8]>,
    },
    /// Sets an xattr. The mode follows an access ACL, as with `setfattr(1)`.
    Xattr {
        /// The files to change.
        files: Files,
        /// Its name.
        name: XattrName,
        /// Its value.
        value: Box<[u8]>,
    },
    /// Removes names, and directories with everything in them.
    Remove {
        /// The files to remove.
        files: Files,
        /// True if it is an error when there are none.
        required: bool,
    },
}

/// The files that an edit applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// The file at a path.
    Path(Vec<u8>),
    /// All files whose path matches.
    Glob(Glob),
}

/// The group of a change of owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// The group is unchanged.
    Keep,
    /// The login group of the user.
    Login,
    /// The given group.
    Named(Vec<u8>),
}

/// The edits and their options.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The edits, in order.
    pub edits: &'a [Edit],
    /// The time of created files.
    pub time: Timestamp,
    /// The number of threads that read directories.
    pub threads: usize,
    /// The filter for the xattrs of added files.
    pub filter: &'a Filter,
    /// Checked regularly; a signal ends the edits.
    pub interrupt: &'a Interrupt,
    /// The files that are left out of directories.
    pub own: OwnFiles,
}

/// The report on edits.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Changes beyond the request.
    pub warnings: Vec<String>,
    /// Added files that are unreadable.
    pub unreadable: Vec<Unreadable>,
}

/// Applies the edits in order and drops inodes that have no name any more.
///
/// # Errors
/// The first edit that cannot be applied, with its text.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Report> {
    let mut report = Report::default();
    for edit in options.edits {
        options.interrupt.check()?;
        apply::one(tree, edit, *options, &mut report)?;
    }
    if !options.edits.is_empty() {
        super::compact(tree);
    }
    Ok(report)
}

impl log::Report for Report {
    fn log(&self, log: &Log) {
        self.warnings.iter().for_each(|warning| log.warn(warning));
    }
}

#[cfg(test)]
mod tests;
