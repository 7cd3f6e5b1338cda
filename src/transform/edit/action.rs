//! One edit.

use std::path::PathBuf;

use image_tree::glob::Glob;
use image_tree::{Device, LinkTarget, XattrName};

use super::keys::KeyEdit;
use crate::transform::mode::Mode;

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edit {
    /// The flag or recipe key with its text, for messages.
    pub text: String,
    /// The action.
    pub action: Action,
}

/// The action of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Writes a file. It replaces any file that is not a directory, of which a regular one keeps its
    /// metadata.
    Write {
        /// The path.
        path: Vec<u8>,
        /// The mode; the default is that of the existing file, or 0644.
        mode: Option<u16>,
        /// The contents.
        text: Vec<u8>,
    },
    /// Changes a key of a unit or ini file, which must exist. A symbolic link is followed.
    Key {
        /// The path.
        path: Vec<u8>,
        /// The change.
        edit: KeyEdit,
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
