//! Paths of a tree as a process inside it would see them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use image_tree::{InodeId, Kind, Name, Tree};
use thiserror::Error;

/// The most symbolic links that one path may lead through: the kernel's own limit.
pub const MAX_LINKS: usize = 40;
/// The most bytes of a path, without its NUL (`PATH_MAX`).
pub const MAX_PATH: usize = 4095;

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The file.
    pub id: InodeId,
    /// Its path without symbolic links, `.` and `..`.
    pub path: Vec<u8>,
    /// Every name that was passed, in order and without the last: directories and symbolic links, by their paths
    /// without symbolic links.
    pub passed: Vec<Passed>,
}

/// A name on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its path without symbolic links.
    pub path: Vec<u8>,
    /// Whether it is a symbolic link; else it is a directory.
    pub is_link: bool,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unresolved {
    /// A component is missing (`ENOENT`).
    #[error("it is not there")]
    Missing,
    /// A component is no directory (`ENOTDIR`).
    #[error("it leads through a file that is no directory")]
    NotADirectory,
    /// There are too many links, as in a loop (`ELOOP`).
    #[error("it leads through more than {MAX_LINKS} symbolic links, as a loop does")]
    TooManyLinks,
    /// A path is longer than the kernel takes (`ENAMETOOLONG`).
    #[error("it is longer than {MAX_PATH} bytes")]
    TooLong,
}

thread_local! {
    /// What this thread is to notice, while [`noticing`] works.
    static NOTICED: RefCell<Option<Noticed>> = const { RefCell::new(None) };
}

struct Noticed {
    /// By the indices of inodes, whether it matters that a path leads there.
    matters: Vec<bool>,
    found: BTreeSet<InodeId>,
}

/// Does work, and tells to which of some inodes paths led meanwhile on this thread, or through which, as if one had
/// stood beside every [`resolve`] and [`follow`]. Whoever comes to a directory in another way has to [`notice`] it.
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

/// Tells [`noticing`] that what is in a directory was looked at.
pub(crate) fn notice(inode: InodeId) {
    NOTICED.with_borrow_mut(|noticed| {
        if let Some(Noticed { matters, found }) = noticed
            && matters.get(inode.index()).is_some_and(|matters| *matters)
        {
            found.insert(inode);
        }
    });
}

/// The inode at a path of the tree, following symbolic links as a process would for which the tree's root is
/// `/`: an absolute target starts there again, and `..` stops there. Nothing of the host is looked at.
///
/// `path` is taken from the root, with or without a leading `/`, and may be empty or of any length. There is no inode
/// when a component is missing or no directory, or when there are more than [`MAX_LINKS`] links, as in a loop.
#[must_use]
pub fn resolve<C>(tree: &Tree<C>, path: &[u8]) -> Option<InodeId> {
    let here = walk(tree, path, &mut 0, |_, _| {}).ok()?;
    Some(here.last().map_or(Tree::<C>::ROOT, |(id, _)| *id))
}

/// Follows a path as `openat2(RESOLVE_IN_ROOT)` does, and tells everything that is passed on the way.
///
/// `steps` counts the components that were looked at, for a caller that limits how many there may be.
///
/// # Errors
/// As the kernel's. The last component is followed if it is a link.
pub fn follow<C>(tree: &Tree<C>, path: &[u8], steps: &mut u64) -> Result<Resolved, Unresolved> {
    if path.is_empty() {
        return Err(Unresolved::Missing);
    }
    if path.len() > MAX_PATH {
        return Err(Unresolved::TooLong);
    }
    let mut passed = Vec::new();
    let here = walk(tree, path, steps, |here, is_link| {
        if is_link || here.last().is_some_and(|(id, _)| tree.entries(*id).is_some()) {
            passed.push(Passed { path: join(here), is_link });
        }
    })?;
    let id = here.last().map_or(Tree::<C>::ROOT, |(id, _)| *id);
    let path = join(&here);
    passed.retain(|name| name.path != path);
    Ok(Resolved { id, path, passed })
}

/// A name of the tree, and the directories above it from the root on.
type Names<'t> = Vec<(InodeId, &'t Name)>;

/// Walks a path, and tells `pass` of each name on the way, the last one too, and whether it is a symbolic link.
fn walk<'t, C>(
    tree: &'t Tree<C>,
    path: &[u8],
    steps: &mut u64,
    mut pass: impl FnMut(&[(InodeId, &'t Name)], bool),
) -> Result<Names<'t>, Unresolved> {
    let mut here = Names::new();
    // The components still to come, the next one last. Each link adds at most the 4095 bytes of its target, so
    // the limit on links bounds this too.
    let mut pending: Vec<&[u8]> = components_reversed(path).collect();
    let mut links = 0;
    while let Some(component) = pending.pop() {
        *steps = steps.saturating_add(1);
        let directory = here.last().map_or(Tree::<C>::ROOT, |(id, _)| *id);
        let entries = tree.entries(directory).ok_or(Unresolved::NotADirectory)?;
        match component {
            b"" | b"." => {}
            b".." => _ = here.pop(),
            name if name.len() > Name::MAX_LEN => return Err(Unresolved::TooLong),
            name => {
                let (name, next) = entries.get_key_value(name).ok_or(Unresolved::Missing)?;
                here.push((*next, name));
                notice(*next);
                let Kind::Symlink(target) = &tree.get(*next).kind else {
                    pass(&here, false);
                    continue;
                };
                pass(&here, true);
                here.pop();
                links += 1;
                if links > MAX_LINKS {
                    return Err(Unresolved::TooManyLinks);
                }
                if target.as_bytes().starts_with(b"/") {
                    here.clear();
                }
                pending.extend(components_reversed(target.as_bytes()));
            }
        }
    }
    Ok(here)
}

fn components_reversed(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.rsplit(|byte| *byte == b'/')
}

fn join(names: &[(InodeId, &Name)]) -> Vec<u8> {
    if names.is_empty() {
        return b"/".to_vec();
    }
    let mut path = Vec::new();
    for (_, name) in names {
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
    }
    path
}

#[cfg(test)]
mod tests;
