//! A file tree as data: the output of every source and the input of every filesystem format.
//!
//! ```text
//! Tree<C>
//!   inodes   InodeId 0 (the root)  Metadata { mode uid gid mtime xattrs }  Kind::Directory ─┐
//!            InodeId 1             Metadata                                Kind::Regular(C)   │ names
//!            InodeId 2             Metadata                                Kind::Symlink      │
//!                                                                                             ▼
//!   a directory is BTreeMap<Name, InodeId>; a hard link is two names for one InodeId
//! ```
//!
//! The tree owns its metadata, so assigning a file to root needs no privilege, and its order is
//! part of its type, so the directory order of the host cannot affect an image. `C` represents the
//! bytes of a regular file; it implements [`Content`]. Names, symlink targets and xattrs are bytes,
//! not UTF-8.
//!
//! [`dump`] writes a tree as text and reads it back; [`acl`] keeps modes and POSIX ACLs consistent;
//! [`resolve`] follows symbolic links as the kernel does; [`glob`] matches paths, and [`path`]
//! splits and joins them.
//!
//! ```
//! use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
//!
//! let mut tree: Tree<Vec<u8>> = Tree::new(Metadata::new(0o755));
//! let etc = tree.insert(InodeId::ROOT, Name::new("etc")?, Inode::directory(Metadata::new(0o755)))?;
//! let hostname = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"guest\n".to_vec()) };
//! tree.insert(etc, Name::new("hostname")?, hostname)?;
//! assert_eq!(tree.resolve_no_symlinks(b"/etc/hostname").map(|id| tree.path_of(id)), Some(b"/etc/hostname".to_vec()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod acl;
mod content;
pub mod dump;
mod file_type;
pub mod glob;
mod name;
pub mod path;
pub mod resolve;
mod shown;
mod tree;

pub use content::Content;
pub use file_type::FileType;
pub use name::{LinkTarget, LinkTargetError, Name, NameError, XattrName, XattrNameError};
pub use shown::{Shown, shortened};
pub use tree::{
    Device, Directories, Inode, InodeId, InsertError, InsertPathError, Kind, MAX_DEPTH, Metadata, Step,
    Timestamp, TimestampError, Tree, Walk, Xattrs,
};

/// The program of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
