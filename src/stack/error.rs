//! The errors of adding a member or a tree.

use image_tree::{FileType, InsertError, MAX_DEPTH, NameError};
use thiserror::Error;

use super::limits::{MAX_LINK_STEPS, MAX_LINKS};

/// A reason that a member cannot be added to a tree.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AddError {
    /// A path with a component that cannot be a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A path without bytes.
    #[error("the path is empty")]
    NoPath,
    /// A path with a component `..`.
    #[error("the path has a component \"..\", and none is followed upwards")]
    Upwards,
    /// A path with more components than the limit.
    #[error("the path has {0} components, the limit is {MAX_DEPTH}")]
    TooDeep(usize),
    /// A path with more components than the limit after links are followed.
    #[error("the path leads through symbolic links to more than {MAX_DEPTH} components, which is the limit")]
    LinksTooDeep,
    /// A path through too many symbolic links, as in a loop.
    #[error("the path leads through more than {MAX_LINKS} symbolic links, as a loop does")]
    TooManyLinks,
    /// More components of link targets on all paths than the limit.
    #[error(
        "the paths up to here lead through symbolic links with more than {MAX_LINK_STEPS} components in all, which is the \
         limit"
    )]
    TooManySteps,
    /// A path that leads through something other than a directory or a link.
    #[error("{} is {is}; it cannot contain files", .parent.escape_ascii())]
    NotADirectory {
        /// The path of the file that is not a directory.
        parent: Vec<u8>,
        /// Its type.
        is: FileType,
    },
    /// The root of the tree with another type than a directory.
    #[error("the root of the tree is {0} here, and can only be a directory")]
    Root(&'static str),
    /// A hard link with a target that is not a path.
    #[error("its target is \"{}\"", .target.escape_ascii())]
    HardLinkPath {
        /// The target.
        target: Vec<u8>,
        /// The fault.
        source: Box<AddError>,
    },
    /// A hard link to a missing file.
    #[error("is a hard link to {}, which neither an earlier member nor a source before it has", .0.escape_ascii())]
    HardLinkToNothing(Vec<u8>),
    /// A hard link to a directory.
    #[error("is a hard link to {}, which is a directory", .0.escape_ascii())]
    HardLinkToDirectory(Vec<u8>),
    /// A whiteout of an invalid name.
    #[error("is a whiteout of \"{}\", which cannot be the name of a file; --whiteouts keep keeps it as a file", .0.escape_ascii())]
    Whiteout(Vec<u8>),
    /// A file of overlayfs that is incomplete without the filesystem it was created on.
    #[error(
        "has the xattr {0}, and so needs a file of another path or layer, which only overlayfs finds; give the mounted \
         overlay as the source, or --whiteouts keep to keep the file as it is"
    )]
    Overlay(String),
    /// The file of a tree that another error is about.
    #[error("{}", image_tree::shortened(.path))]
    At {
        /// Its path in the tree.
        path: Vec<u8>,
        /// The fault.
        source: Box<AddError>,
    },
    /// More inodes than a tree can have.
    #[error("the tree has more than {} inodes, which is the limit", u32::MAX)]
    TooManyInodes,
}

impl From<InsertError> for AddError {
    /// Converts the errors that remain if the parent is a directory and the name is free: the path
    /// is too long by the components of links, or there are too many inodes.
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::TooDeep { .. } => Self::LinksTooDeep,
            _ => Self::TooManyInodes,
        }
    }
}
