//! The numbers of files in a tree.

use std::fmt;

use image_tree::{Content, Kind, Tree};
use serde::Serialize;

use crate::shown::{ByteCount, Count};

/// The number of files of each kind in a tree, each counted once regardless of its hard links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Directories, including the root.
    pub directories: u64,
    /// Regular files.
    pub regular_files: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Character and block devices.
    pub devices: u64,
    /// Named pipes.
    pub fifos: u64,
    /// Sockets.
    pub sockets: u64,
    /// Names of files beyond their first.
    pub hard_links: u64,
    /// The sum of the lengths of all regular files, in bytes.
    pub content_bytes: u64,
}

impl Counts {
    /// Counts the files in `tree`.
    #[must_use]
    pub fn of<C: Content>(tree: &Tree<C>) -> Self {
        let mut counts = Self::default();
        for step in tree.walk() {
            if !step.first {
                counts.hard_links += 1;
                continue;
            }
            match &tree.get(step.id).kind {
                Kind::Directory(_) => counts.directories += 1,
                Kind::Regular(content) => {
                    counts.regular_files += 1;
                    counts.content_bytes = counts.content_bytes.saturating_add(content.len());
                }
                Kind::Symlink(_) => counts.symlinks += 1,
                Kind::CharacterDevice(_) | Kind::BlockDevice(_) => counts.devices += 1,
                Kind::Fifo => counts.fifos += 1,
                Kind::Socket => counts.sockets += 1,
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    /// Writes a line of the plan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { directories, regular_files, symlinks, devices, fifos, sockets, .. } = self;
        writeln!(
            f,
            "tree           {}, {} with {}, {}, {}, {}, {}",
            Count(*directories, "directory", "directories"),
            Count(*regular_files, "regular file", "regular files"),
            ByteCount(self.content_bytes),
            Count(*symlinks, "symbolic link", "symbolic links"),
            Count(*devices, "device", "devices"),
            Count(fifos + sockets, "pipe or socket", "pipes and sockets"),
            Count(self.hard_links, "further name", "further names"),
        )
    }
}
