//! The report on adding a source.

use std::collections::BTreeSet;
use std::fmt;

use image_tree::{FileType, InodeId};

use super::markers::Markers;

/// The report on adding one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files of earlier sources that the source replaced, in its order.
    pub replaced: Vec<Replaced>,
    /// Directories without a member, by their ids in the stack's tree.
    pub implied: BTreeSet<InodeId>,
    /// Markers that were kept as files, unless that was requested.
    pub markers: Markers,
    /// The symbolic links of earlier sources through which paths of members led, by their paths; only
    /// of layers.
    pub followed: BTreeSet<Vec<u8>>,
    /// The number of names that whiteouts and opaque directories removed.
    pub hidden: u64,
    /// The number of directories created without a member, including those that got a member later.
    pub(super) created: u64,
}

/// A file of an earlier source that a later one replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its path.
    pub path: Vec<u8>,
    /// The type of the earlier file.
    pub was: FileType,
    /// The type of the later file.
    pub now: FileType,
}

impl Replaced {
    /// Returns true if a directory replaced a symbolic link, as `lib/` over `lib -> usr/lib` does.
    /// It is rarely wanted, since the target of the link is not merged with the directory.
    #[must_use]
    pub fn is_link_by_directory(&self) -> bool {
        (self.was, self.now) == (FileType::Symlink, FileType::Directory)
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} replaced by {}", self.path.escape_ascii(), self.was, self.now)
    }
}
