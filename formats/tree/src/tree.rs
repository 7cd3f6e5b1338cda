//! The tree: a table of inodes, and directories with names for them.

mod directories;
mod inode;
mod inode_id;
mod walk;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::path::components;
use crate::shown::shortened;
use crate::{Name, NameError};
pub use directories::Directories;
pub use inode::{Device, Inode, Kind, Metadata, Timestamp, TimestampError, Xattrs};
pub use inode_id::InodeId;
pub use walk::{Step, Walk};

/// The maximum number of components in the path of a name: 4,096.
///
/// The longest path that a Linux system call accepts (`PATH_MAX`) has 2,048 components, so no file
/// that a program can open by its path is rejected. The length of a text with the path of each
/// file, such as a [dump](crate::dump), grows with the square of the depth; this limit bounds it.
pub const MAX_DEPTH: usize = 4096;

/// A file tree with a root directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree<C> {
    inodes: Vec<Inode<C>>,
    /// The number of components in the path of each directory, indexed like `inodes`. 0 for every
    /// other inode, because its names may be at different depths.
    depths: Vec<u16>,
}

/// An error when adding a name to a directory.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError {
    /// The parent is not a directory.
    #[error("{} is not a directory, so it cannot contain \"{name}\"", shortened(.parent))]
    NotADirectory {
        /// The path of the inode that is not a directory.
        parent: Vec<u8>,
        /// The name to be added.
        name: Name,
    },
    /// The directory already contains that name.
    #[error("{} already contains \"{name}\"", shortened(.parent))]
    Exists {
        /// The path of the directory.
        parent: Vec<u8>,
        /// The name to be added.
        name: Name,
    },
    /// The name would be a second name for a directory.
    #[error("\"{name}\" in {} would be a second name for a directory", shortened(.parent))]
    LinkToDirectory {
        /// The path of the directory for the link.
        parent: Vec<u8>,
        /// The name to be added.
        name: Name,
    },
    /// The path of the name would have more components than [`MAX_DEPTH`].
    #[error(
        "the path of \"{name}\" in {} has {} components, the limit is {MAX_DEPTH}; move it up, or leave it out of the source",
        shortened(.parent), MAX_DEPTH + 1
    )]
    TooDeep {
        /// The path of the directory, which has the maximum number of components.
        parent: Vec<u8>,
        /// The name to be added.
        name: Name,
    },
    /// More inodes than the table can number.
    #[error("the tree has more than {} inodes", u32::MAX)]
    TooManyInodes,
}

/// An error when adding an inode at a path.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertPathError {
    /// The path is that of the root directory, which exists in every tree.
    #[error("the root directory already exists")]
    Root,
    /// A component of the path is not a file name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The inode or one of its parents cannot be added.
    #[error(transparent)]
    Insert(#[from] InsertError),
}

impl<C> Tree<C> {
    /// Creates a tree with an empty root directory.
    #[must_use]
    pub fn new(root: Metadata) -> Self {
        Self { inodes: vec![Inode::directory(root)], depths: vec![0] }
    }

    /// Returns the inode with that id.
    ///
    /// # Panics
    /// Panics if the id belongs to another tree.
    #[must_use]
    pub fn get(&self, id: InodeId) -> &Inode<C> {
        &self.inodes[id.index()]
    }

    /// Returns a mutable reference to the metadata of an inode.
    ///
    /// # Panics
    /// Panics if the id belongs to another tree.
    pub fn metadata_mut(&mut self, id: InodeId) -> &mut Metadata {
        &mut self.inodes[id.index()].metadata
    }

    /// Replaces the kind of a file and returns the previous kind.
    ///
    /// A directory cannot be replaced, and a file cannot become one: in these cases the inode is
    /// left unchanged and `kind` is returned as the error.
    ///
    /// # Errors
    /// Returns an error if the inode is a directory or `kind` is one.
    ///
    /// # Panics
    /// Panics if the id belongs to another tree.
    pub fn replace_kind(&mut self, id: InodeId, kind: Kind<C>) -> Result<Kind<C>, Kind<C>> {
        let old = &mut self.inodes[id.index()].kind;
        match (&*old, &kind) {
            (Kind::Directory(_), _) | (_, Kind::Directory(_)) => Err(kind),
            _ => Ok(std::mem::replace(old, kind)),
        }
    }

    /// Returns mutable references to the metadata of every inode, in the order of the table.
    pub fn all_metadata_mut(&mut self) -> impl Iterator<Item = &mut Metadata> {
        self.inodes.iter_mut().map(|inode| &mut inode.metadata)
    }

    /// The number of inodes in the table, including the root.
    #[must_use]
    pub fn inode_count(&self) -> usize {
        self.inodes.len()
    }

    /// The entries of a directory; `None` if the inode is not a directory.
    #[must_use]
    pub fn entries(&self, id: InodeId) -> Option<&BTreeMap<Name, InodeId>> {
        match &self.get(id).kind {
            Kind::Directory(entries) => Some(entries),
            _ => None,
        }
    }

    /// Adds a new inode under a name. A directory must be empty: its entries are added with the
    /// returned id.
    ///
    /// # Errors
    /// Returns an error if the parent is not a directory or already contains the name, or the name
    /// would be deeper than [`MAX_DEPTH`].
    pub fn insert(&mut self, parent: InodeId, name: Name, inode: Inode<C>) -> Result<InodeId, InsertError> {
        debug_assert!(!matches!(&inode.kind, Kind::Directory(entries) if !entries.is_empty()));
        let id = u32::try_from(self.inodes.len()).map(InodeId).map_err(|_| InsertError::TooManyInodes)?;
        self.add_name(parent, name, id)?;
        let is_directory = matches!(inode.kind, Kind::Directory(_));
        self.depths.push(if is_directory { self.depths[parent.index()] + 1 } else { 0 });
        self.inodes.push(inode);
        Ok(id)
    }

    /// Adds a new inode at a path, and its missing parents as directories with the metadata
    /// `parents`. Empty components are skipped; symbolic links are not followed.
    ///
    /// # Errors
    /// Returns an error if a component is not a file name, the path is that of the root, or
    /// [`Tree::insert`] rejects one of the inodes. Parents added until then remain.
    pub fn insert_path(
        &mut self,
        path: &[u8],
        inode: Inode<C>,
        parents: &Metadata,
    ) -> Result<InodeId, InsertPathError> {
        let mut names = components(path);
        let name = Name::new(names.next_back().ok_or(InsertPathError::Root)?)?;
        let mut parent = InodeId::ROOT;
        for directory in names {
            parent = match self.lookup(parent, directory) {
                Some(id) => id,
                None => self.insert(parent, Name::new(directory)?, Inode::directory(parents.clone()))?,
            };
        }
        Ok(self.insert(parent, name, inode)?)
    }

    /// Adds another name for an inode: a hard link.
    ///
    /// # Errors
    /// Returns an error if the parent is not a directory or already contains the name, the name
    /// would be deeper than [`MAX_DEPTH`], or the target is a directory.
    pub fn link(&mut self, parent: InodeId, name: Name, target: InodeId) -> Result<(), InsertError> {
        if matches!(self.get(target).kind, Kind::Directory(_)) {
            return Err(InsertError::LinkToDirectory { parent: self.path_of(parent), name });
        }
        self.add_name(parent, name, target)
    }

    /// Removes a name and returns the inode it referred to, if the name existed.
    ///
    /// The inode stays in the table, so every id remains valid: the file can be given another name
    /// with [`Tree::link`]. An inode that is no longer reachable is skipped by walks and has a name
    /// count of 0, but is still included in [`Tree::inode_count`] and [`Tree::all_metadata_mut`]
    /// until [`Tree::compact`] drops it.
    pub fn remove(&mut self, parent: InodeId, name: &[u8]) -> Option<InodeId> {
        match &mut self.inodes[parent.index()].kind {
            Kind::Directory(entries) => entries.remove(name),
            _ => None,
        }
    }

    /// Drops every inode without a name, and renumbers the others in the order of [`Tree::walk`].
    ///
    /// Trees with equal names, metadata and contents are equal afterwards, regardless of the order
    /// of their creation. The new id of each old id is also returned, indexed by the old id.
    #[must_use]
    pub fn compact(self) -> (Self, Vec<Option<InodeId>>) {
        let mut ids = vec![None; self.inodes.len()];
        let mut order = Vec::with_capacity(self.inodes.len());
        for step in self.walk().filter(|step| step.first) {
            // The number is at most that of the old table, which fits a u32.
            ids[step.id.index()] = u32::try_from(order.len()).ok().map(InodeId);
            order.push(step.id);
        }
        let depths = order.iter().map(|id| self.depths[id.index()]).collect();
        let mut old: Vec<Option<Inode<C>>> = self.inodes.into_iter().map(Some).collect();
        let mut inodes: Vec<Inode<C>> = order.iter().filter_map(|id| old[id.index()].take()).collect();
        for inode in &mut inodes {
            if let Kind::Directory(entries) = &mut inode.kind {
                for id in entries.values_mut() {
                    // The entries of a reachable directory are reachable.
                    *id = ids[id.index()].unwrap_or(*id);
                }
            }
        }
        (Self { inodes, depths }, ids)
    }

    fn add_name(&mut self, parent: InodeId, name: Name, target: InodeId) -> Result<(), InsertError> {
        use std::collections::btree_map::Entry;
        if usize::from(self.depths[parent.index()]) >= MAX_DEPTH {
            return Err(InsertError::TooDeep { parent: self.path_of(parent), name });
        }
        let exists = match &mut self.inodes[parent.index()].kind {
            Kind::Directory(entries) => match entries.entry(name) {
                Entry::Vacant(vacant) => {
                    vacant.insert(target);
                    return Ok(());
                }
                Entry::Occupied(occupied) => occupied.key().clone(),
            },
            _ => return Err(InsertError::NotADirectory { parent: self.path_of(parent), name }),
        };
        Err(InsertError::Exists { parent: self.path_of(parent), name: exists })
    }

    /// Returns the entry with that name in a directory.
    #[must_use]
    pub fn lookup(&self, directory: InodeId, name: &[u8]) -> Option<InodeId> {
        self.entries(directory)?.get(name).copied()
    }

    /// Returns the inode at a path. Empty components are skipped; a path through or to a symbolic
    /// link names the link itself, so there is nothing below it.
    /// [`resolve_in_root`](crate::resolve::resolve_in_root) follows links.
    #[must_use]
    pub fn resolve_no_symlinks(&self, path: &[u8]) -> Option<InodeId> {
        components(path).try_fold(InodeId::ROOT, |directory, name| self.lookup(directory, name))
    }

    /// Converts the contents of the tree.
    ///
    /// # Errors
    /// The first error returned by `change`.
    pub fn try_map_content<D, E>(self, mut change: impl FnMut(C) -> Result<D, E>) -> Result<Tree<D>, E> {
        let inodes = self.inodes.into_iter().map(|inode| {
            let kind = match inode.kind {
                Kind::Directory(entries) => Kind::Directory(entries),
                Kind::Regular(content) => Kind::Regular(change(content)?),
                Kind::Symlink(target) => Kind::Symlink(target),
                Kind::CharacterDevice(device) => Kind::CharacterDevice(device),
                Kind::BlockDevice(device) => Kind::BlockDevice(device),
                Kind::Fifo => Kind::Fifo,
                Kind::Socket => Kind::Socket,
            };
            Ok(Inode { metadata: inode.metadata, kind })
        });
        Ok(Tree { inodes: inodes.collect::<Result<_, E>>()?, depths: self.depths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Bytes = Tree<Vec<u8>>;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a valid name")
    }

    #[test]
    fn a_hard_link_is_two_names_for_one_inode() {
        let mut tree = Bytes::new(Metadata::new(0o755));
        let file = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"x".to_vec()) };
        let id = tree.insert(InodeId::ROOT, name("b"), file).expect("b is new");
        tree.link(InodeId::ROOT, name("a"), id).expect("a is new");
        assert_eq!(tree.name_counts()[id.index()], 2);
        assert_eq!(tree.path_of(id), b"/a");
    }

    #[test]
    fn inodes_without_names_are_skipped_and_dropped() {
        let mut tree = Bytes::new(Metadata::new(0o755));
        let file = |text: &str| Inode {
            metadata: Metadata::new(0o644),
            kind: Kind::Regular(text.as_bytes().to_vec()),
        };
        let dir =
            tree.insert(InodeId::ROOT, name("d"), Inode::directory(Metadata::new(0o755))).expect("d is new");
        let inner = tree.insert(dir, name("inner"), file("inner")).expect("inner is new");
        let both = tree.insert(dir, name("both"), file("both")).expect("both is new");
        tree.link(InodeId::ROOT, name("z"), both).expect("z is new");
        tree.insert(InodeId::ROOT, name("a"), file("a")).expect("a is new");

        assert_eq!(tree.remove(InodeId::ROOT, b"none"), None);
        assert_eq!(tree.remove(both, b"none"), None);
        assert_eq!(tree.remove(InodeId::ROOT, b"d"), Some(dir));
        assert_eq!(tree.name_counts()[inner.index()], 0);
        assert_eq!((tree.name_counts()[both.index()], tree.inode_count()), (1, 5));
        // The name is free again.
        tree.insert(InodeId::ROOT, name("d"), file("d")).expect("d was removed");

        let (compact, ids) = tree.compact();
        let id = |path: &[u8]| compact.resolve_no_symlinks(path);
        assert_eq!(compact.inode_count(), 4);
        assert_eq!(ids, [Some(InodeId::ROOT), None, None, id(b"/z"), id(b"/a"), id(b"/d")]);
        assert_eq!(compact.walk().map(|step| step.id.index()).collect::<Vec<_>>(), [0, 1, 2, 3]);

        let mut same = Bytes::new(Metadata::new(0o755));
        for text in ["a", "d", "z"] {
            same.insert(InodeId::ROOT, name(text), file(if text == "z" { "both" } else { text }))
                .expect("new");
        }
        assert_eq!(compact, same);
    }

    #[test]
    fn a_file_becomes_another_kind_of_file_but_not_a_directory() {
        let mut tree = Bytes::new(Metadata::new(0o755));
        let fifo = Inode { metadata: Metadata::new(0o644), kind: Kind::Fifo };
        let id = tree.insert(InodeId::ROOT, name("p"), fifo).expect("p is new");
        assert_eq!(tree.replace_kind(id, Kind::Socket), Ok(Kind::Fifo));
        assert_eq!(tree.get(id).kind, Kind::Socket);
        let directory = Kind::Directory(BTreeMap::new());
        assert_eq!(tree.replace_kind(id, directory.clone()), Err(directory));
        assert_eq!(tree.replace_kind(InodeId::ROOT, Kind::Fifo), Err(Kind::Fifo));
    }

    /// Returns a tree with a chain of nested directories, and the innermost of them.
    fn chain(depth: usize) -> (Bytes, InodeId) {
        let mut tree = Bytes::new(Metadata::new(0o755));
        let mut last = InodeId::ROOT;
        for _ in 0..depth {
            last =
                tree.insert(last, name("d"), Inode::directory(Metadata::new(0o755))).expect("not too deep");
        }
        (tree, last)
    }

    #[test]
    fn names_deeper_than_the_limit_are_rejected() {
        let (mut tree, last) = chain(MAX_DEPTH);
        let directory = || Inode::directory(Metadata::new(0o755));
        let file =
            tree.insert(InodeId::ROOT, name("f"), Inode { kind: Kind::Fifo, ..directory() }).expect("new");
        let refused = [
            tree.insert(last, name("x"), directory()).expect_err("one level too many"),
            tree.link(last, name("x"), file).expect_err("a name of a file is a component too"),
        ];
        for error in refused {
            let InsertError::TooDeep { parent, .. } = &error else { panic!("{error}") };
            assert_eq!(parent.len(), 2 * MAX_DEPTH);
            let text = error.to_string();
            assert!(text.len() < 400 && text.contains("has 4097 components, the limit is 4096"), "{text}");
        }
        // Names elsewhere can still be added, and renumbered inodes keep their depths.
        let (tree, ids) = tree.compact();
        let last = ids[last.index()].expect("it has a name");
        let mut tree = tree.try_map_content(Ok::<_, ()>).expect("nothing changes");
        tree.insert(InodeId::ROOT, name("x"), directory()).expect("not deep at all");
        assert!(matches!(tree.insert(last, name("x"), directory()), Err(InsertError::TooDeep { .. })));
    }

    #[test]
    fn equality_ignores_the_former_depth_of_a_name() {
        let fifo = || Inode { metadata: Metadata::new(0o644), kind: Kind::Fifo };
        let (mut moved, deep) = chain(3);
        let id = moved.insert(deep, name("p"), fifo()).expect("new");
        moved.remove(deep, b"p");
        moved.link(InodeId::ROOT, name("p"), id).expect("new");
        let (mut made, _) = chain(3);
        made.insert(InodeId::ROOT, name("p"), fifo()).expect("new");
        assert_eq!(moved, made);
    }

    #[test]
    fn paths_are_inserted_with_their_missing_parents() {
        let (parents, mode) = (Metadata::new(0o700), Metadata::new(0o644));
        let fifo = || Inode { metadata: mode.clone(), kind: Kind::Fifo };
        let mut tree = Bytes::new(Metadata::new(0o755));
        let first = tree.insert_path(b"/a//b/c", fifo(), &parents).expect("new");
        let second = tree.insert_path(b"a/b/d", fifo(), &parents).expect("new");
        assert_eq!(tree.resolve_no_symlinks(b"/a/b/c"), Some(first));
        assert_eq!(tree.path_of(second), b"/a/b/d");
        let directory = tree.resolve_no_symlinks(b"/a/b").expect("added");
        assert_eq!(tree.get(directory).metadata, parents);
        let mut error = |path: &[u8]| tree.insert_path(path, fifo(), &parents).expect_err("not valid");
        assert_eq!(error(b"//"), InsertPathError::Root);
        assert!(matches!(error(b"/a/../c"), InsertPathError::Name(NameError::Reserved(_))));
        assert!(matches!(error(b"/a/b"), InsertPathError::Insert(InsertError::Exists { .. })));
        let beneath_file = error(b"/a/b/c/d");
        assert!(matches!(beneath_file, InsertPathError::Insert(InsertError::NotADirectory { .. })));
    }

    #[test]
    fn invalid_names_and_links_are_rejected() {
        let mut tree = Bytes::new(Metadata::new(0o755));
        let dir =
            tree.insert(InodeId::ROOT, name("d"), Inode::directory(Metadata::new(0o755))).expect("d is new");
        let fifo = Inode { metadata: Metadata::new(0o644), kind: Kind::Fifo };
        let pipe = tree.insert(dir, name("p"), fifo.clone()).expect("p is new");
        assert!(matches!(tree.insert(dir, name("p"), fifo.clone()), Err(InsertError::Exists { .. })));
        assert!(
            matches!(tree.insert(pipe, name("q"), fifo), Err(InsertError::NotADirectory { parent, .. }) if parent == b"/d/p")
        );
        assert!(matches!(tree.link(dir, name("r"), dir), Err(InsertError::LinkToDirectory { .. })));
    }
}
