//! The listing of one directory: its metadata, and the name and type of each entry.

use std::sync::Arc;

use image_tree::{Inode, Metadata, Name};

use super::scanned::HostInode;
use crate::blob::{Blob, HostDirectory};

/// A directory as listed by the host.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) place: Arc<HostDirectory>,
    pub(super) metadata: Metadata,
    pub(super) host: HostInode,
    /// The entries in the host's order.
    pub(super) entries: Vec<Entry>,
    pub(super) status: Status,
}

/// The state of a directory's listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The entries were read.
    Listed,
    /// The host does not permit reading them.
    Unreadable,
    /// They were not requested.
    Unlisted,
    /// They are excluded because the directory is on another filesystem.
    OtherFilesystem,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) found: Found,
}

#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A directory, which has a listing of its own with the same place.
    Directory(Arc<HostDirectory>),
    /// A file of any other type.
    File {
        inode: Inode<Blob>,
        host: HostInode,
        /// True if the host does not permit us to read the bytes.
        unreadable: bool,
        /// The identity that other names of the same inode share, if the inode has several.
        hard_link: Option<HardLink>,
    },
}

/// An inode of the host with several names.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardLink {
    pub(super) inode: HostInode,
    /// Seconds and nanoseconds. The kernel changes the time with any other metadata, so equal times
    /// mean equal metadata.
    pub(super) ctime: (i64, u32),
}
