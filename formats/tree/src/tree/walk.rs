//! The canonical order of a tree's names.

use std::collections::btree_map;

use crate::{InodeId, Kind, Name, Tree};

/// One name of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Step<'t> {
    /// The inode that the name refers to.
    pub id: InodeId,
    /// The directory that contains the name; the root is its own parent.
    pub parent: InodeId,
    /// The name; `None` for the root.
    pub name: Option<&'t Name>,
    /// True if no earlier step was for this inode.
    pub first: bool,
}

/// An iterator over every name: parents before children, siblings in byte order.
///
/// It keeps its own stack, so the depth of the tree is limited only by memory.
#[derive(Debug)]
pub struct Walk<'t, C> {
    tree: &'t Tree<C>,
    started: bool,
    seen: Vec<bool>,
    open: Vec<Level<'t>>,
    /// The path of the last step; empty for the root.
    path: Vec<u8>,
    /// The length of the path before each of its components, in bytes.
    starts: Vec<usize>,
}

#[derive(Debug)]
struct Level<'t> {
    directory: InodeId,
    entries: btree_map::Iter<'t, Name, InodeId>,
}

impl<C> Tree<C> {
    /// Iterates over every name of the tree: parents before children, siblings in byte order.
    #[must_use]
    pub fn walk(&self) -> Walk<'_, C> {
        Walk::new(self)
    }

    /// Returns the first path of an inode in the order of [`Tree::walk`], for messages: it searches
    /// the whole tree.
    #[must_use]
    pub fn path_of(&self, id: InodeId) -> Vec<u8> {
        let mut path = Vec::new();
        let mut walk = self.walk();
        while let Some(step) = walk.next() {
            if step.id == id {
                walk.write_path(&mut path);
                break;
            }
        }
        path
    }

    /// Returns the number of names of each inode, by its index. The root has a count of one.
    #[must_use]
    pub fn name_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.inode_count()];
        for step in self.walk() {
            counts[step.id.index()] += 1;
        }
        counts
    }
}

impl<'t, C> Walk<'t, C> {
    fn new(tree: &'t Tree<C>) -> Self {
        let seen = vec![false; tree.inode_count()];
        Self { tree, started: false, seen, open: Vec::new(), path: Vec::new(), starts: Vec::new() }
    }

    /// Appends the absolute path of the last step: `/` for the root.
    pub fn write_path(&self, out: &mut Vec<u8>) {
        if self.path.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(&self.path);
    }

    /// The number of directories above the last step: 0 for the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.starts.len()
    }

    /// Sets the path to that of a name in the open directory at level `depth`; the root is at level
    /// 1.
    fn enter(&mut self, depth: usize, name: &Name) {
        if let Some(len) = self.starts.get(depth - 1) {
            self.path.truncate(*len);
            self.starts.truncate(depth - 1);
        }
        self.starts.push(self.path.len());
        self.path.push(b'/');
        self.path.extend_from_slice(name.as_bytes());
    }

    fn visit(&mut self, id: InodeId, parent: InodeId, name: Option<&'t Name>) -> Step<'t> {
        let first = !std::mem::replace(&mut self.seen[id.index()], true);
        if let Kind::Directory(entries) = &self.tree.get(id).kind {
            self.open.push(Level { directory: id, entries: entries.iter() });
        }
        Step { id, parent, name, first }
    }
}

impl<'t, C> Iterator for Walk<'t, C> {
    type Item = Step<'t>;

    fn next(&mut self) -> Option<Step<'t>> {
        if !self.started {
            self.started = true;
            return Some(self.visit(InodeId::ROOT, InodeId::ROOT, None));
        }
        loop {
            let depth = self.open.len();
            let level = self.open.last_mut()?;
            let parent = level.directory;
            if let Some((name, id)) = level.entries.next() {
                self.enter(depth, name);
                return Some(self.visit(*id, parent, Some(name)));
            }
            self.open.pop();
        }
    }
}
