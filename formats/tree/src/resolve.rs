//! Path resolution inside a tree, as a process with the tree as its root would see it.
//!
//! [`Tree::resolve_no_symlinks`](crate::Tree::resolve_no_symlinks) follows no symbolic link.

use thiserror::Error;

use crate::{Directories, InodeId, Kind, Name};

/// The maximum number of symbolic links in the resolution of one path: the kernel's own limit.
pub const MAX_SYMLINKS: usize = 40;
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
    pub traversed: Vec<Traversed>,
}

/// A name on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traversed {
    /// Its path without symbolic links.
    pub path: Vec<u8>,
    /// True for a symbolic link, false for a directory.
    pub is_symlink: bool,
}

/// The reason why a path does not resolve.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// A component is missing (`ENOENT`).
    #[error("it does not exist")]
    Missing,
    /// A component is not a directory (`ENOTDIR`).
    #[error("it leads through a file that is not a directory")]
    NotADirectory,
    /// There are too many links, as in a loop (`ELOOP`).
    #[error("it leads through more than {MAX_SYMLINKS} symbolic links, as a loop does")]
    TooManySymlinks,
    /// A path exceeds the kernel's limit (`ENAMETOOLONG`).
    #[error("it is longer than {MAX_PATH} bytes")]
    TooLong,
}

/// Returns the inode at a path, following symbolic links as a process would whose root is the
/// tree's (`openat2(2)` with `RESOLVE_IN_ROOT`): an absolute target restarts at the root, and `..`
/// cannot leave it. The host is not accessed.
///
/// `path` is relative to the root, with or without a leading `/`, and may be empty or of any
/// length. Returns `None` if a component is missing or not a directory, or if there are more than
/// [`MAX_SYMLINKS`] links, as in a loop.
#[must_use]
pub fn resolve_in_root<T: Directories + ?Sized>(tree: &T, path: &[u8]) -> Option<InodeId> {
    let here = walk(tree, path, &mut 0, |_, _| {}).ok()?;
    Some(here.last().map_or(InodeId::ROOT, |(id, _)| *id))
}

/// Resolves a path as [`resolve_in_root`] does, and returns every name on it.
///
/// `steps` is increased by the number of components visited, for callers with a limit.
///
/// # Errors
/// Returns the kernel's errors. The last component is followed if it is a link.
pub fn trace_in_root<T: Directories + ?Sized>(
    tree: &T,
    path: &[u8],
    steps: &mut u64,
) -> Result<Resolved, ResolveError> {
    if path.is_empty() {
        return Err(ResolveError::Missing);
    }
    if path.len() > MAX_PATH {
        return Err(ResolveError::TooLong);
    }
    let mut traversed = Vec::new();
    let here = walk(tree, path, steps, |here, is_symlink| {
        if is_symlink || here.last().is_some_and(|(id, _)| tree.is_directory(*id)) {
            traversed.push(Traversed { path: join(here), is_symlink });
        }
    })?;
    let id = here.last().map_or(InodeId::ROOT, |(id, _)| *id);
    let path = join(&here);
    traversed.retain(|name| name.path != path);
    Ok(Resolved { id, path, traversed })
}

/// A name of the tree, preceded by the directories above it from the root on.
type Names<'t> = Vec<(InodeId, &'t Name)>;

/// Walks a path, and calls `pass` for each name on it, including the last, with true for a symbolic
/// link.
fn walk<'t, T: Directories + ?Sized>(
    tree: &'t T,
    path: &[u8],
    steps: &mut u64,
    mut pass: impl FnMut(&[(InodeId, &'t Name)], bool),
) -> Result<Names<'t>, ResolveError> {
    let mut here = Names::new();
    // The remaining components, the next one last. Each link adds at most the 4095 bytes of its
    // target, so the limit on links bounds this too.
    let mut pending: Vec<&[u8]> = components_reversed(path).collect();
    let mut links = 0;
    while let Some(component) = pending.pop() {
        *steps = steps.saturating_add(1);
        let directory = here.last().map_or(InodeId::ROOT, |(id, _)| *id);
        if !tree.is_directory(directory) {
            return Err(ResolveError::NotADirectory);
        }
        match component {
            b"" | b"." => {}
            b".." => _ = here.pop(),
            name if name.len() > Name::MAX_LEN => return Err(ResolveError::TooLong),
            name => {
                let entries = tree.entries(directory).ok_or(ResolveError::NotADirectory)?;
                let (name, next) = entries.get_key_value(name).ok_or(ResolveError::Missing)?;
                here.push((*next, name));
                let Kind::Symlink(target) = &tree.get(*next).kind else {
                    pass(&here, false);
                    continue;
                };
                pass(&here, true);
                here.pop();
                links += 1;
                if links > MAX_SYMLINKS {
                    return Err(ResolveError::TooManySymlinks);
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
