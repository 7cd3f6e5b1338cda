//! Paths that do not resolve, and the link that is to blame.

use std::fmt;

use image_tree::path::join;
use image_tree::resolve::{MAX_SYMLINKS, ResolveError, trace_in_root};
use image_tree::{Directories, InodeId, Kind};

/// The error about a path that does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The error.
    pub error: ResolveError,
    /// The last link on the path that leads nowhere.
    pub link: Option<DeadLink>,
}

/// A symbolic link whose target does not resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLink {
    /// Its path, without links above it.
    pub path: Vec<u8>,
    /// Its target, as stored.
    pub target: Vec<u8>,
}

impl From<ResolveError> for Unresolved {
    fn from(error: ResolveError) -> Self {
        Self { error, link: None }
    }
}

impl fmt::Display for Unresolved {
    /// Formats the error as a clause about the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.link, self.error) {
            (None, error) => write!(f, "{error}"),
            (Some(DeadLink { path, target }), ResolveError::Missing) => {
                let (path, target) = (path.escape_ascii(), target.escape_ascii());
                write!(f, "the link {path} points to {target}, which does not exist")
            }
            (Some(DeadLink { path, target }), error) => {
                let (path, target) = (path.escape_ascii(), target.escape_ascii());
                write!(f, "{error}, after the link {path} to {target}")
            }
        }
    }
}

/// Returns the last link that leads nowhere on a path that does not resolve; `None` if the path fails
/// without such a link.
pub(super) fn dead_link<T: Directories + ?Sized>(tree: &T, path: &[u8], steps: &mut u64) -> Option<DeadLink> {
    let mut found = None;
    let mut path = path.to_vec();
    for _ in 0..=MAX_SYMLINKS {
        let Some((link, onward)) = first_link(tree, &path, steps) else { break };
        if trace_in_root(tree, &link.path, steps).is_err() {
            found = Some(link);
        }
        path = onward;
    }
    found
}

/// Returns the first link on a path, and the path after that link is followed.
fn first_link<T: Directories + ?Sized>(
    tree: &T,
    path: &[u8],
    steps: &mut u64,
) -> Option<(DeadLink, Vec<u8>)> {
    let (mut directory, mut here) = (InodeId::ROOT, b"/".to_vec());
    let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    for (index, name) in names.iter().enumerate() {
        *steps += 1;
        match *name {
            b"" | b"." => {}
            b".." => {
                let above = trace_in_root(tree, &join(&here, b".."), steps).ok()?;
                (directory, here) = (above.id, above.path);
            }
            name => {
                let next = tree.lookup(directory, name)?;
                let at = join(&here, name);
                if let Kind::Symlink(target) = &tree.get(next).kind {
                    let target = target.as_bytes();
                    let base = if target.starts_with(b"/") { b"/" } else { &here[..] };
                    let onward = join(&join(base, target), &names[index + 1..].join(&b'/'));
                    return Some((DeadLink { path: at, target: target.to_vec() }, onward));
                }
                (directory, here) = (next, at);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::tree;

    #[test]
    fn the_last_link_that_leads_nowhere_is_named() {
        let tree = tree(&[
            ("/a", "-> b"),
            ("/b", "-> /usr/gone"),
            ("/usr/bin/sh", "-> ../lib/none"),
            ("/bin", "-> usr/bin"),
            ("/loop", "-> loop"),
            ("/file", "text"),
        ]);
        let said = |path: &str| {
            let error = trace_in_root(&tree, path.as_bytes(), &mut 0).expect_err("it leads nowhere");
            let link = dead_link(&tree, path.as_bytes(), &mut 0);
            Unresolved { error, link }.to_string()
        };
        assert_eq!(said("/a"), "the link /b points to /usr/gone, which does not exist");
        assert_eq!(said("/bin/sh"), "the link /usr/bin/sh points to ../lib/none, which does not exist");
        assert_eq!(said("/bin/none"), "it does not exist");
        assert_eq!(said("/file/x"), "it leads through a file that is not a directory");
        assert!(said("/loop/x").ends_with(", as a loop does, after the link /loop to loop"));
    }
}
