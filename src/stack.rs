//! Adds sources one over another: each is a whole tree or a sequence of members, and they become
//! one tree by a set of [`Rules`].
//!
//! These hold for every source:
//!
//! * A directory over a directory: the entries of both, and the metadata of the later one with all
//!   its xattrs. Any other file over any file: the later one unchanged, and nothing of the earlier
//!   one or of what was beneath it. The other hard links of a file that was replaced keep the file
//!   unchanged.
//! * A directory above a member, without a member of its own, is created if it is missing and
//!   unchanged otherwise. A symbolic link in its place is followed within the tree, as in a process
//!   with the tree's root as `/`: an absolute target starts there, `..` stops there, and there are
//!   at most [`MAX_LINKS`]. The missing target of a link is created. Any other type of file is an
//!   error.
//! * A directory over a symbolic link replaces it, or with [`Rules::keep_directory_symlink`] keeps
//!   a link that leads to a directory.
//! * A hard link is to an earlier member, else to a file of an earlier source, else to one that
//!   this source's whiteouts hide. Links in the directories above its target are followed as above
//!   a member; the target itself is not. Its own metadata is ignored.
//! * [`Whiteouts`] define the treatment of markers that hide files of earlier sources. Markers have
//!   no effect beneath a directory of their own source that replaces a symbolic link.
//!
//! [`packages`] has the rules for the members of packages, which make up one source.

mod add_member;
mod add_tree;
mod descend;
mod error;
mod hide;
mod layers;
mod limits;
mod markers;
pub mod packages;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{InodeId, Kind, Metadata, Name, Tree};

use crate::named::named;

pub use add_tree::AddedTree;
pub use error::AddError;
pub use layers::{LayerError, layers};
pub use limits::MAX_LINKS;
pub use markers::Markers;
pub use report::{Replaced, Report};

/// The rules by which sources are added to those before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The treatment of markers that hide files.
    pub whiteouts: Whiteouts,
    /// Keeps a symbolic link to a directory if a directory is added over it: the entries of the
    /// directory are added to the target of the link, whose metadata is unchanged.
    pub keep_directory_symlink: bool,
    /// The sources are layers of an image: xattrs of overlayfs have no effect, and
    /// [`Report::followed`] has the links that paths led through.
    pub is_layer: bool,
}

/// The treatment of whiteouts: `.wh.NAME`, `.wh..wh..opq`, character devices 0:0 and the xattrs of
/// overlayfs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Whiteouts {
    /// Keep them as files, and count them in [`Report::markers`].
    #[default]
    Report,
    /// Keep them as files.
    Keep,
    /// Remove the files of earlier sources that they hide, before any file of their own source is
    /// added, and do not add them. Other files and directories named `.wh..wh.*` and the xattrs of
    /// overlayfs are left out.
    Apply,
}

named!(Whiteouts, "a treatment of whiteouts", [Report => "report", Keep => "keep", Apply => "apply"]);

/// A file that a source adds.
#[derive(Clone, Debug)]
pub struct Member<C> {
    /// Its path, with or without `/` or `./` at the beginning.
    pub path: Vec<u8>,
    /// Its metadata; that of a hard link is ignored.
    pub metadata: Metadata,
    /// Its type, with contents.
    pub kind: MemberKind<C>,
}

/// The type of a member.
#[derive(Clone, Debug)]
pub enum MemberKind<C> {
    /// A file of its own; a directory is without entries.
    Inode(Kind<C>),
    /// A hard link to another file, by the path of that file.
    HardLink(Vec<u8>),
}

/// The sources so far as one tree.
///
/// Ids of its tree stay valid until [`finish`](Self::finish).
#[derive(Debug)]
pub struct Stack<C> {
    tree: Tree<C>,
    rules: Rules,
    /// True while the tree is that of one source, with its ids.
    is_single_tree: bool,
    is_empty: bool,
}

impl<C: Clone> Stack<C> {
    /// Creates a stack without sources.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { tree: Tree::new(Metadata::new(0o755)), rules, is_single_tree: false, is_empty: true }
    }

    /// Returns the rules by which sources are added.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Sets the treatment of directories over links for the sources that follow.
    pub fn keep_directory_symlink(&mut self, keep: bool) {
        self.rules.keep_directory_symlink = keep;
    }

    /// Returns the tree so far. Inodes that lost their names are still in its table.
    #[must_use]
    pub fn tree(&self) -> &Tree<C> {
        &self.tree
    }

    /// Returns the metadata of an inode of the tree, to change it.
    pub fn metadata_mut(&mut self, id: InodeId) -> &mut Metadata {
        self.tree.metadata_mut(id)
    }

    /// Begins a source of members. Directories without a member get the metadata `implied`.
    pub fn members(&mut self, implied: Metadata) -> Addition<'_, C> {
        if std::mem::replace(&mut self.is_empty, false) {
            *self.tree.metadata_mut(InodeId::ROOT) = implied.clone();
        }
        self.is_single_tree = false;
        Addition {
            lower: self.tree.inode_count(),
            stack: self,
            metadata: implied,
            last: None,
            steps: 0,
            hidden: BTreeMap::new(),
            replaced_links: BTreeMap::new(),
            whiteouts: BTreeSet::new(),
            dropped: BTreeSet::new(),
            report: Report { implied: BTreeSet::from([InodeId::ROOT]), ..Report::default() },
        }
    }

    /// Returns the tree numbered in the order of a walk, and for each id before the one that it has
    /// now; none for an inode that lost its names.
    #[must_use]
    pub fn finish_with_ids(self) -> (Tree<C>, Vec<Option<InodeId>>) {
        self.tree.compact()
    }

    /// Returns the tree: a single one unchanged, any other numbered in the order of a walk.
    #[must_use]
    pub fn finish(self) -> Tree<C> {
        if self.is_single_tree { self.tree } else { self.tree.compact().0 }
    }
}

/// A source whose members are being added.
#[derive(Debug)]
pub struct Addition<'s, C> {
    stack: &'s mut Stack<C>,
    /// The number of inodes of the tree before: their ids are below this.
    lower: usize,
    /// The metadata of directories without a member.
    metadata: Metadata,
    /// The path of the last member up to its name, as it was written, and the directory it leads
    /// to. Most members are in the same directory as the one before.
    last: Option<(Vec<u8>, InodeId)>,
    /// The number of components of link targets that paths led through.
    steps: u64,
    /// The entries that whiteouts removed, by their directory.
    hidden: BTreeMap<InodeId, BTreeMap<Name, InodeId>>,
    /// The symbolic links of earlier sources that directories of this one replace, by their
    /// directory.
    replaced_links: BTreeMap<InodeId, BTreeSet<Name>>,
    /// The paths of members that are whiteouts by their inode, and of hard links to these.
    whiteouts: BTreeSet<Vec<u8>>,
    /// Entries that exist only for hard links to files beneath them.
    dropped: BTreeSet<(InodeId, Name)>,
    report: Report,
}

impl<C: Clone> Addition<'_, C> {
    /// Returns the number of directories created so far without a member.
    #[must_use]
    pub fn implied_count(&self) -> u64 {
        self.report.created
    }

    /// Ends the source and returns the report on it.
    #[must_use]
    pub fn finish(self) -> Report {
        for (parent, name) in &self.dropped {
            self.stack.tree.remove(*parent, name.as_bytes());
        }
        self.report
    }
}
