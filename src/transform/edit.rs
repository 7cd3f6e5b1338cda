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
//! A PATH is the tree's, with or without a leading `/`. Symbolic links on the way are followed inside the tree, as a
//! process in the guest would; the last component never is. A GLOB without any of `*?[` is such a path. With one, it
//! is compared with the real paths of all files: [`glob`].

mod add;
mod apply;
pub mod capabilities;
pub mod glob;
pub mod parse;
mod place;

use std::path::PathBuf;

use image_tree::{Device, LinkTarget, Timestamp, Tree, XattrName};

use super::mode::Mode;
use super::own_files::OwnFiles;
use super::xattrs::filter::Filter;
use crate::blob::Blob;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::source::directory::Unreadable;

use glob::Glob;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The flag or recipe key with its text, for messages.
    pub text: String,
    /// What to do.
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Puts a file or directory of the host at a path. Root owns it. A directory is merged with one that is there, which
    /// keeps its metadata; a file replaces any that is no directory. Beneath a path that ends in `/` it keeps its name.
    Add {
        /// The path on the host. A symbolic link there is followed.
        source: PathBuf,
        /// The path in the tree.
        path: Vec<u8>,
    },
    /// Makes a directory and those above it that are missing. One that is there gets only the mode and owner given.
    Mkdir {
        /// The path.
        path: Vec<u8>,
        /// The mode; of a new directory 0755 otherwise.
        mode: Option<u16>,
        /// User and group; of a new directory root otherwise.
        owner: Option<(Vec<u8>, Vec<u8>)>,
    },
    /// Makes a symbolic link where there is no file.
    Symlink {
        /// What it leads to.
        target: LinkTarget,
        /// Its path.
        path: Vec<u8>,
    },
    /// Makes a device where there is no file.
    Mknod {
        /// Its path.
        path: Vec<u8>,
        /// Whether it is a block device.
        block: bool,
        /// Its number.
        device: Device,
        /// Its mode.
        mode: u16,
    },
    /// Changes modes, and access ACLs with them. Symbolic links have none.
    Chmod {
        /// Of what.
        files: Files,
        /// To what.
        mode: Mode,
    },
    /// Changes owners. Set-id bits and capabilities stay.
    Chown {
        /// Of what.
        files: Files,
        /// The user; none leaves it.
        user: Option<Vec<u8>>,
        /// The group.
        group: Group,
    },
    /// Sets `security.capability` of regular files.
    Setcap {
        /// Of what.
        files: Files,
        /// The value of the xattr.
        value: Box<[u8]>,
    },
    /// Sets an xattr. The mode follows an access ACL, as with `setfattr(1)`.
    Xattr {
        /// Of what.
        files: Files,
        /// Its name.
        name: XattrName,
        /// Its value.
        value: Box<[u8]>,
    },
    /// Takes names away, and with a directory everything in it.
    Remove {
        /// Of what.
        files: Files,
        /// Whether it is an error when there is none.
        required: bool,
    },
}

/// Which files of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// That one.
    Path(Vec<u8>),
    /// All whose path matches.
    Glob(Glob),
}

/// The group of a change of owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// As it is.
    Keep,
    /// The login group of the user.
    Login,
    /// That one.
    Named(Vec<u8>),
}

/// What edits need to know besides.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The time of what they make.
    pub time: Timestamp,
    /// How many threads read directories.
    pub threads: usize,
    /// The xattrs that stay of what is added.
    pub filter: &'a Filter,
    /// Asked now and then whether to go on.
    pub interrupt: &'a Interrupt,
    /// What is left out of directories.
    pub own: OwnFiles,
}

/// What edits leave to be told.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was changed beyond what was asked.
    pub warnings: Vec<String>,
    /// What was added and may not be read.
    pub unreadable: Vec<Unreadable>,
}

/// Does one edit after the other and drops what no name leads to any more.
///
/// # Errors
/// The first edit that cannot be done, with its text.
pub fn apply(mut tree: Tree<Blob>, edits: &[Edit], options: Options<'_>) -> Result<(Tree<Blob>, Report)> {
    let mut report = Report::default();
    for edit in edits {
        options.interrupt.check()?;
        apply::one(&mut tree, edit, options, &mut report)?;
    }
    let tree = if edits.is_empty() { tree } else { tree.compact().0 };
    Ok((tree, report))
}

#[cfg(test)]
mod tests;
