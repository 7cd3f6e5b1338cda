//! A directory of the host as a tree whose directories are listed when their entries are requested.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use image_tree::{Directories, Inode, InodeId, Name};

use super::arena::Arena;
use super::assemble::assemble;
use super::error::{Location, changed};
use super::list::Lister;
use super::listing::{Found, Listing, Status};
use super::scan::{self, Wanted};
use super::scanned::{HostInode, Scanned};
use super::{open, scan_options};
use crate::blob::{Blob, HostDirectory, Root};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::source::options::ReadOptions;

/// The directories that are listed in advance, and the files that are not shown.
#[derive(Clone, Copy)]
pub struct Selection<'s> {
    /// Returns true for a directory that is listed in advance, by its path in the tree without a
    /// leading `/`. It affects the time, not the result.
    pub usual: Wanted<'s>,
    /// Returns true for an inode whose names are not entries while the tree is searched. They are
    /// in the result of [`OnDemand::into_scanned`].
    pub hidden: &'s dyn Fn(HostInode) -> bool,
}

/// A directory of the host, whose directories are listed when their entries are first requested.
///
/// Inodes are numbered as they are found. Names with the same inode of the host have one id, as far
/// as they are listed. [`OnDemand::into_scanned`] returns everything that was listed, numbered in
/// the order of the walk, which does not depend on the order of requests.
///
/// If a directory cannot be listed, it and those listed after it appear empty, and
/// [`OnDemand::into_scanned`] returns the error.
pub struct OnDemand<'s> {
    root: Arc<Root>,
    hidden: &'s dyn Fn(HostInode) -> bool,
    interrupt: &'s Interrupt,
    nodes: Arena<Node>,
    state: RefCell<State<'s>>,
}

/// The state that a listing changes.
struct State<'s> {
    lister: Lister<'s>,
    /// The listings of directories whose entries were not requested yet. Those of usual directories
    /// are complete.
    pending: HashMap<*const HostDirectory, Listing>,
    /// The ids of inodes with several names.
    linked: HashMap<HostInode, InodeId>,
    /// The first failure.
    error: Option<Error>,
}

/// An inode of the tree.
enum Node {
    Directory(Box<Directory>),
    /// Any other file: an entry of a listed directory.
    File {
        directory: InodeId,
        entry: usize,
    },
}

struct Directory {
    place: Arc<HostDirectory>,
    /// The metadata without xattrs, and no entries.
    inode: Inode<Blob>,
    listed: OnceCell<Listed>,
}

/// A directory whose entries were requested.
struct Listed {
    listing: Listing,
    names: BTreeMap<Name, InodeId>,
}

impl<'s> OnDemand<'s> {
    /// Opens a directory, whose path may be a symbolic link, and lists it and the usual directories
    /// beneath it.
    ///
    /// # Errors
    /// Same as [`read`](super::read).
    pub fn open(path: &Path, options: &ReadOptions<'s>, selection: Selection<'s>) -> Result<Self> {
        let root = open(path)?;
        let usual = |path: &[u8]| path.is_empty() || (selection.usual)(path);
        let listings = scan::scan(&root, &scan_options(options, Some(&usual)))?;
        let lister = scan_options(options, None).lister(&root)?;
        let top = listings.iter().find(|listing| listing.place.depth() == 0);
        let top = top.map(|top| Node::directory(&top.place, top));
        let pending = listings.into_iter().map(|listing| (Arc::as_ptr(&listing.place), listing)).collect();
        let state = State { lister, pending, linked: HashMap::new(), error: None };
        let (hidden, interrupt) = (selection.hidden, options.interrupt);
        let tree = Self { root, hidden, interrupt, nodes: Arena::new(), state: RefCell::new(state) };
        top.and_then(|top| tree.nodes.push(top));
        Ok(tree)
    }

    /// Lists those directories that were found and not listed yet for which `wanted`, called with
    /// their paths in the tree without a leading `/`, returns true.
    pub fn list_where(&self, wanted: impl Fn(&[u8]) -> bool) {
        for index in 0..self.nodes.len() {
            let id = InodeId::from_index(index);
            if let Node::Directory(directory) = self.node(id)
                && directory.listed.get().is_none()
                && wanted(&directory.place.path_of(b""))
            {
                self.list(id, directory);
            }
        }
    }

    /// Returns the tree of everything that was listed. Other directories have neither entries nor
    /// xattrs.
    ///
    /// # Errors
    /// Same as [`read`](super::read), for the directories that were listed.
    pub fn into_scanned(self) -> Result<Scanned> {
        let State { pending, error, .. } = self.state.into_inner();
        if let Some(error) = error {
            return Err(error);
        }
        let listed = self.nodes.into_items().filter_map(|node| match node {
            Node::Directory(directory) => Some(directory.listed.into_inner()?.listing),
            Node::File { .. } => None,
        });
        assemble(&self.root, listed.chain(pending.into_values()).collect())
    }

    fn node(&self, id: InodeId) -> &Node {
        // OK to unwrap: a panic for the id of another tree is documented in the trait, and the root
        // is listed by every scan.
        self.nodes.get(id.index()).expect("an id of this tree")
    }

    fn file(&self, directory: InodeId, entry: usize) -> Option<&Inode<Blob>> {
        let Node::Directory(directory) = self.node(directory) else { return None };
        match &directory.listed.get()?.listing.entries.get(entry)?.found {
            Found::File { inode, .. } => Some(inode),
            Found::Directory(_) => None,
        }
    }

    fn list<'d>(&self, id: InodeId, directory: &'d Directory) -> &'d Listed {
        directory.listed.get_or_init(|| {
            let state = &mut *self.state.borrow_mut();
            let mut listing = self.listing(state, &directory.place);
            listing.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            let names = self.names(state, id, &listing);
            Listed { listing, names }
        })
    }

    /// Returns the listing of a directory, which is made unless there is one already.
    fn listing(&self, state: &mut State<'_>, place: &Arc<HostDirectory>) -> Listing {
        // OK to unwrap: every directory among the names of another has a listing, which is removed
        // only here, once for each node.
        let known = state.pending.remove(&Arc::as_ptr(place)).expect("a listing for each directory");
        if known.status != Status::Unlisted || state.error.is_some() {
            return known;
        }
        let listed =
            self.interrupt.check().and_then(|()| scan::scan_one(&self.root, &mut state.lister, place));
        match listed {
            Ok((listing, _)) if listing.host != known.host => {
                let how = "it is another directory now";
                state.error = Some(changed(Location::directory(place), how));
                known
            }
            Ok((listing, unlisted)) => {
                let unlisted = unlisted.into_iter().map(|listing| (Arc::as_ptr(&listing.place), listing));
                state.pending.extend(unlisted);
                listing
            }
            Err(error) => {
                state.error = Some(error);
                known
            }
        }
    }

    /// Adds the inodes of a directory, and returns their names. Whatever does not fit into a tree
    /// is left to [`assemble`], which returns the error for it.
    fn names(&self, state: &mut State<'_>, id: InodeId, listing: &Listing) -> BTreeMap<Name, InodeId> {
        let mut node = |(index, found): (usize, &Found)| match found {
            Found::Directory(place) => {
                let listing = state.pending.get(&Arc::as_ptr(place))?;
                let node = (!(self.hidden)(listing.host)).then(|| Node::directory(place, listing))?;
                self.nodes.push(node).map(InodeId::from_index)
            }
            Found::File { host, .. } if (self.hidden)(*host) => None,
            Found::File { hard_link, .. } => {
                let first = hard_link.and_then(|link| state.linked.get(&link.inode));
                if let Some(first) = first {
                    return Some(*first);
                }
                let node = Node::File { directory: id, entry: index };
                let id = self.nodes.push(node).map(InodeId::from_index)?;
                if let Some(link) = hard_link {
                    state.linked.insert(link.inode, id);
                }
                Some(id)
            }
        };
        let entries = listing.entries.iter().enumerate();
        entries
            .filter_map(|(index, entry)| Some((entry.name.clone(), node((index, &entry.found))?)))
            .collect()
    }
}

impl Node {
    fn directory(place: &Arc<HostDirectory>, listing: &Listing) -> Self {
        let inode = Inode::directory(listing.metadata.clone());
        Self::Directory(Box::new(Directory { place: Arc::clone(place), inode, listed: OnceCell::new() }))
    }
}

impl Directories for OnDemand<'_> {
    type Content = Blob;

    fn get(&self, id: InodeId) -> &Inode<Blob> {
        match self.node(id) {
            Node::Directory(directory) => &directory.inode,
            // OK to unwrap: the node is created from this entry.
            Node::File { directory, entry } => self.file(*directory, *entry).expect("an entry"),
        }
    }

    fn entries(&self, id: InodeId) -> Option<&BTreeMap<Name, InodeId>> {
        match self.node(id) {
            Node::Directory(directory) => Some(&self.list(id, directory).names),
            Node::File { .. } => None,
        }
    }
}
