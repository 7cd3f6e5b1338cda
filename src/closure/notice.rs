//! Records the directories that a search visits, for one that begins with a partly listed tree.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use image_tree::resolve::{self, ResolveError, Resolved};
use image_tree::{Directories, Inode, InodeId, Name, Tree};

thread_local! {
    /// The inodes watched on this thread while [`noticing`] runs.
    static NOTICED: RefCell<Option<Noticed>> = const { RefCell::new(None) };
}

struct Noticed {
    /// By inode index: true if the inode is watched.
    matters: Vec<bool>,
    found: BTreeSet<InodeId>,
}

/// Calls `work`, and returns the given inodes that any [`resolve_in_root`] or [`trace_in_root`] on
/// this thread visited meanwhile. Code that visits a directory in another way must call [`notice`].
pub(crate) fn noticing<R>(
    inodes: impl IntoIterator<Item = InodeId>,
    work: impl FnOnce() -> R,
) -> (R, BTreeSet<InodeId>) {
    let mut matters = Vec::new();
    for inode in inodes {
        matters.resize(matters.len().max(inode.index() + 1), false);
        matters[inode.index()] = true;
    }
    NOTICED.set(Some(Noticed { matters, found: BTreeSet::new() }));
    let result = work();
    (result, NOTICED.take().map(|noticed| noticed.found).unwrap_or_default())
}

/// Records for [`noticing`] that the content of a directory was visited.
pub(crate) fn notice(inode: InodeId) {
    NOTICED.with_borrow_mut(|noticed| {
        if let Some(Noticed { matters, found }) = noticed
            && matters.get(inode.index()).is_some_and(|matters| *matters)
        {
            found.insert(inode);
        }
    });
}

/// A tree that records each inode that path resolution visits.
struct Noticing<'t, C>(&'t Tree<C>);

impl<C> Directories for Noticing<'_, C> {
    type Content = C;

    fn get(&self, id: InodeId) -> &Inode<C> {
        notice(id);
        self.0.get(id)
    }

    fn entries(&self, id: InodeId) -> Option<&BTreeMap<Name, InodeId>> {
        self.0.entries(id)
    }
}

/// As [`resolve::resolve_in_root`].
pub(crate) fn resolve_in_root<C>(tree: &Tree<C>, path: &[u8]) -> Option<InodeId> {
    resolve::resolve_in_root(&Noticing(tree), path)
}

/// As [`resolve::trace_in_root`].
pub(crate) fn trace_in_root<C>(
    tree: &Tree<C>,
    path: &[u8],
    steps: &mut u64,
) -> Result<Resolved, ResolveError> {
    resolve::trace_in_root(&Noticing(tree), path, steps)
}
