//! Path resolution inside a tree, as a process with the tree as its root would see it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use image_tree::{InodeId, Kind, Name, Tree};
use thiserror::Error;

/// The maximum number of symbolic links in the resolution of one path: the kernel's own limit.
pub const MAX_LINKS: usize = 40;
/// The maximum length of a path in bytes, without its NUL (`PATH_MAX`).
pub const MAX_PATH: usize = 4095;

/// The result of resolving a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The file.
    pub id: InodeId,
    /// Its path without symbolic links, `.` and `..`.
    pub path: Vec<u8>,
    /// Every name on the path except the last, in order: directories and symbolic links, by their
    /// paths without symbolic links.
    pub passed: Vec<Passed>,
}

/// A name on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its path without symbolic links.
    pub path: Vec<u8>,
    /// True for a symbolic link, false for a directory.
    pub is_link: bool,
}

/// The reason why a path does not resolve.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unresolved {
    /// A component is missing (`ENOENT`).
    #[error("it is not there")]
    Missing,
    /// A component is not a directory (`ENOTDIR`).
    #[error("it leads through a file that is no directory")]
    NotADirectory,
    /// There are too many links, as in a loop (`ELOOP`).
    #[error("it leads through more than {MAX_LINKS} symbolic links, as a loop does")]
    TooManyLinks,
    /// A path exceeds the kernel's limit (`ENAMETOOLONG`).
    #[error("it is longer than {MAX_PATH} bytes")]
    TooLong,
}

thread_local! {
    /// The inodes watched on this thread while [`noticing`] runs.
    static NOTICED: RefCell<Option<Noticed>> = const { RefCell::new(None) };
}

struct Noticed {
    /// By inode index: true if the inode is watched.
    matters: Vec<bool>,
    found: BTreeSet<InodeId>,
}

/// Calls `work`, and returns the given inodes that any [`resolve`] or [`follow`] on this thread
/// visited meanwhile. Code that visits a directory in another way must call [`notice`].
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

/// Returns the inode at a path of the tree, following symbolic links as a process would whose root
/// is the tree's: an absolute target restarts at the root, and `..` cannot leave it. The host is
/// not accessed.
///
/// `path` is relative to the root, with or without a leading `/`, and may be empty or of any
/// length. Returns `None` if a component is missing or not a directory, or if there are more than
/// [`MAX_LINKS`] links, as in a loop.
#[must_use]
pub fn resolve<C>(tree: &Tree<C>, path: &[u8]) -> Option<InodeId> {
    let here = walk(tree, path, &mut 0, |_, _| {}).ok()?;
    Some(here.last().map_or(Tree::<C>::ROOT, |(id, _)| *id))
}

/// Follows a path as `openat2(RESOLVE_IN_ROOT)` does, and returns every name on it.
///
/// `steps` is increased by the number of components visited, for callers with a limit.
///
/// # Errors
/// Returns the kernel's errors. The last component is followed if it is a link.
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

/// A name of the tree, preceded by the directories above it from the root on.
type Names<'t> = Vec<(InodeId, &'t Name)>;

/// Walks a path, and calls `pass` for each name on it, including the last, with true for a symbolic
/// link.
fn walk<'t, C>(
    tree: &'t Tree<C>,
    path: &[u8],
    steps: &mut u64,
    mut pass: impl FnMut(&[(InodeId, &'t Name)], bool),
) -> Result<Names<'t>, Unresolved> {
    let mut here = Names::new();
    // The remaining components, the next one last. Each link adds at most the 4095 bytes of its
    // target, so the limit on links bounds this too.
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
