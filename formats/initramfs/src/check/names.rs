//! The paths that the kernel would have created so far, with the kinds of their files.

use std::collections::BTreeMap;

/// The kind of file to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    /// A directory.
    Directory,
    /// A symlink with this target.
    Symlink(Box<[u8]>),
    /// Anything else.
    File,
}

/// The result of creating an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is new, or an existing directory.
    New,
    /// It replaced another file.
    Replaced,
    /// It was not created, because a parent directory is missing.
    NoParent,
    /// It was not created, because a directory that is not empty exists at the path.
    FullDirectory,
    /// It was not created, because a component is longer than a name can be.
    LongName,
    /// The result is unknown, because there were too many paths to track.
    Untracked,
}

/// A tree of names.
#[derive(Debug)]
pub(super) struct Names {
    nodes: Vec<Node>,
    /// The remaining memory, in bytes.
    room: usize,
    /// True if a path was not tracked because the memory limit was reached.
    full: bool,
    /// The number of components that may still be looked up.
    steps: u64,
}

#[derive(Debug)]
enum Node {
    Directory(BTreeMap<Box<[u8]>, usize>),
    Symlink(Box<[u8]>),
    File,
}

const ROOT: usize = 0;

/// The maximum number of symlinks in the resolution of a path, and the maximum length of a name in
/// bytes.
const MAX_LINKS: u32 = 40;
const NAME_MAX: usize = 255;

impl Names {
    /// Creates a tree with the directories of the kernel's built-in archive: `/dev` and `/root`.
    ///
    /// `room` is the approximate memory limit in bytes.
    pub(super) fn new(room: usize) -> Self {
        let nodes = vec![Node::Directory(BTreeMap::new())];
        let mut names = Self { nodes, room, full: false, steps: room as u64 };
        names.make(b"dev", NodeKind::Directory);
        names.make(b"root", NodeKind::Directory);
        names
    }

    /// Creates an entry as the kernel does.
    pub(super) fn make(&mut self, path: &[u8], what: NodeKind) -> Outcome {
        let mut components: Vec<&[u8]> = components(path).collect();
        if components.iter().any(|name| name.len() > NAME_MAX) {
            return Outcome::LongName;
        }
        // `.`, `/` and the empty path are the root, which exists.
        let name = match components.pop() {
            None if what == NodeKind::Directory => return Outcome::New,
            None => return Outcome::FullDirectory,
            Some(b"..") => return Outcome::Untracked,
            Some(name) => name,
        };
        match self.directory(&components) {
            Found::Yes(parent) => self.insert(parent, name, what),
            Found::No => Outcome::NoParent,
            Found::Unknown => Outcome::Untracked,
        }
    }

    /// Returns true if the path is that of a file other than a directory, or may be.
    pub(super) fn has_file(&mut self, path: &[u8]) -> bool {
        let components: Vec<&[u8]> = components(path).collect();
        let Some((name, above)) = components.split_last() else { return false };
        match self.directory(above) {
            Found::Yes(parent) => match &self.nodes[parent] {
                Node::Directory(children) => {
                    children.get(*name).is_some_and(|child| !matches!(self.nodes[*child], Node::Directory(_)))
                }
                _ => false,
            },
            Found::No => false,
            Found::Unknown => true,
        }
    }

    fn insert(&mut self, parent: usize, name: &[u8], what: NodeKind) -> Outcome {
        let Node::Directory(children) = &self.nodes[parent] else { return Outcome::NoParent };
        let Some(&old) = children.get(name) else {
            if !self.takes(name.len(), &what) {
                return Outcome::Untracked;
            }
            let new = self.nodes.len();
            self.nodes.push(what.into());
            if let Node::Directory(children) = &mut self.nodes[parent] {
                children.insert(name.into(), new);
            }
            return Outcome::New;
        };
        match (&self.nodes[old], &what) {
            (Node::Directory(_), NodeKind::Directory) => return Outcome::New,
            (Node::Directory(children), _) if !children.is_empty() => return Outcome::FullDirectory,
            _ => {}
        }
        if !self.takes(0, &what) {
            return Outcome::Untracked;
        }
        self.nodes[old] = what.into();
        Outcome::Replaced
    }

    /// Reserves memory for a node and returns true, or returns false if the limit is reached.
    fn takes(&mut self, name_len: usize, what: &NodeKind) -> bool {
        /// The approximate memory of a node, in bytes.
        const NODE: usize = 96;
        let target_len = if let NodeKind::Symlink(target) = what { target.len() } else { 0 };
        match self.room.checked_sub(NODE + name_len + target_len) {
            Some(room) => self.room = room,
            None => self.full = true,
        }
        !self.full
    }

    /// Resolves components to a directory, following symlinks.
    fn directory(&mut self, path: &[&[u8]]) -> Found {
        let mut here = ROOT;
        let mut above = Vec::new();
        let mut pending: Vec<Vec<u8>> = path.iter().rev().map(|name| name.to_vec()).collect();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            let Some(steps) = self.steps.checked_sub(1) else { return Found::Unknown };
            self.steps = steps;
            if name == b".." {
                here = above.pop().unwrap_or(ROOT);
                continue;
            }
            let Node::Directory(children) = &self.nodes[here] else { return Found::No };
            let Some(&next) = children.get(name.as_slice()) else {
                return if self.full { Found::Unknown } else { Found::No };
            };
            match &self.nodes[next] {
                Node::Symlink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Found::No;
                    }
                    if target.starts_with(b"/") {
                        above.clear();
                        here = ROOT;
                    }
                    let names: Vec<Vec<u8>> = components(target).map(<[u8]>::to_vec).collect();
                    pending.extend(names.into_iter().rev());
                }
                _ => {
                    above.push(here);
                    here = next;
                }
            }
        }
        match self.nodes[here] {
            Node::Directory(_) => Found::Yes(here),
            _ => Found::No,
        }
    }
}

enum Found {
    Yes(usize),
    No,
    Unknown,
}

impl From<NodeKind> for Node {
    fn from(what: NodeKind) -> Self {
        match what {
            NodeKind::Directory => Self::Directory(BTreeMap::new()),
            NodeKind::Symlink(target) => Self::Symlink(target),
            NodeKind::File => Self::File,
        }
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symlink(target: &str) -> NodeKind {
        NodeKind::Symlink(target.as_bytes().into())
    }

    #[test]
    fn directories_must_precede_entries_also_through_symlinks() {
        let mut names = Names::new(1 << 16);
        assert_eq!(names.make(b"usr/lib/a", NodeKind::File), Outcome::NoParent);
        assert_eq!(names.make(b".", NodeKind::Directory), Outcome::New);
        assert_eq!(names.make(b"./usr", NodeKind::Directory), Outcome::New);
        assert_eq!(names.make(b"/usr//lib", NodeKind::Directory), Outcome::New);
        assert_eq!(names.make(b"lib", symlink("usr/lib")), Outcome::New);
        assert_eq!(names.make(b"lib/a", NodeKind::File), Outcome::New);
        assert_eq!(names.make(b"usr/lib/a", NodeKind::File), Outcome::Replaced);
        assert_eq!(names.make(b"usr/lib/a/b", NodeKind::File), Outcome::NoParent);
        assert_eq!(names.make(b"usr/up", symlink("/../usr/../usr/lib")), Outcome::New);
        assert_eq!(names.make(b"usr/up/b", NodeKind::File), Outcome::New);
        assert!(names.has_file(b"lib/b") && names.has_file(b"lib") && !names.has_file(b"usr"));
        assert_eq!(names.make(b"usr", symlink("x")), Outcome::FullDirectory);
        assert_eq!(names.make(b"dev/null", NodeKind::File), Outcome::New);
    }

    #[test]
    fn symlink_loops_and_memory_limits_are_handled() {
        let mut names = Names::new(4 * 100 + 9);
        assert_eq!(names.make(b"a", symlink("b")), Outcome::New);
        assert_eq!(names.make(b"b", symlink("a")), Outcome::New);
        assert_eq!(names.make(b"a/c", NodeKind::File), Outcome::NoParent);
        assert_eq!(names.make(b"d", NodeKind::File), Outcome::Untracked);
        assert_eq!(names.make(b"e/f", NodeKind::File), Outcome::Untracked);
        assert_eq!(names.make(&[b'n'; 256], NodeKind::File), Outcome::LongName);
    }
}
