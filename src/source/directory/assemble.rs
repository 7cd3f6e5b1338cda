//! Assembles the listings of directories into one tree.

use std::collections::HashMap;

use std::sync::Arc;

use image_tree::{Inode, InodeId, InsertError, MAX_DEPTH, Tree};

use super::error::{Location, changed};
use super::listing::{Entry, Found, HardLink, Listing, Status};
use super::scanned::{HostInode, Scanned, Unreadable};
use crate::blob::{HostDirectory, Root};
use crate::error::{Error, ErrorKind, Result};

/// Builds the tree of a complete set of listings: that of the root, and one for each directory
/// among the entries.
///
/// The order of the listings and of the entries in them does not matter: inodes are numbered in the
/// order of [`Tree::walk`], and a file with several names is read through the first of them in that
/// order.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if something changed in the meantime, or is deeper than
/// [`MAX_DEPTH`]: then with the first such path in the order of the walk.
pub(super) fn assemble(root: &Arc<Root>, listings: Vec<Listing>) -> Result<Scanned> {
    let mut listings: HashMap<*const HostDirectory, Listing> =
        listings.into_iter().map(|listing| (Arc::as_ptr(&listing.place), listing)).collect();
    let top = listings.iter().find(|(_, listing)| listing.place.depth() == 0).map(|(place, _)| *place);
    let top = top.and_then(|top| listings.remove(&top));
    let unlisted = |place: &HostDirectory| changed(Location::directory(place), "it has no listing");
    let top = top.ok_or_else(|| unlisted(&HostDirectory::top(Arc::clone(root))))?;
    let mut tree = Tree::new(top.metadata);
    // Parallel to the tree's table, whose rows are in the order of insertion.
    let mut hosts = vec![top.host];
    let mut notes = Notes::default();
    notes.note(&top.place, top.status);
    let mut first_names: HashMap<HostInode, (InodeId, HardLink)> = HashMap::new();
    let mut open = vec![(InodeId::ROOT, top.place, sorted(top.entries).into_iter())];
    while let Some((directory, place, entries)) = open.last_mut() {
        let directory = *directory;
        let Some(Entry { name, found }) = entries.next() else {
            open.pop();
            continue;
        };
        let refused = |error| Error::at(ErrorKind::BadInput, root.join(&[]), error);
        if place.depth() >= MAX_DEPTH {
            let parent = [b"/", &place.path_of(b"")[..]].concat();
            return Err(refused(InsertError::TooDeep { parent, name }));
        }
        match found {
            Found::Directory(place) => {
                let listing = listings.remove(&Arc::as_ptr(&place)).ok_or_else(|| unlisted(&place))?;
                let id = tree.insert(directory, name, Inode::directory(listing.metadata)).map_err(refused)?;
                hosts.push(listing.host);
                notes.note(&place, listing.status);
                open.push((id, place, sorted(listing.entries).into_iter()));
            }
            Found::File { inode, host, unreadable, hard_link } => {
                if unreadable {
                    notes.unreadable.push(Unreadable::new(place, name.as_bytes(), false));
                }
                let Some(link) = hard_link else {
                    tree.insert(directory, name, inode).map_err(refused)?;
                    hosts.push(host);
                    continue;
                };
                if let Some((id, first)) = first_names.get(&link.inode) {
                    if first.ctime != link.ctime {
                        let at = Location::entry(place, name.as_bytes());
                        return Err(changed(at, "its inode is not what it was at another name"));
                    }
                    tree.link(directory, name, *id).map_err(refused)?;
                } else {
                    let id = tree.insert(directory, name, inode).map_err(refused)?;
                    hosts.push(host);
                    first_names.insert(link.inode, (id, link));
                }
            }
        }
    }
    let Notes { unreadable, other_filesystem } = notes;
    Ok(Scanned { tree, hosts, unreadable, other_filesystem })
}

/// The directories that could not or must not be listed, and the unreadable files.
#[derive(Default)]
struct Notes {
    unreadable: Vec<Unreadable>,
    other_filesystem: Vec<Vec<u8>>,
}

impl Notes {
    fn note(&mut self, place: &Arc<HostDirectory>, status: Status) {
        match status {
            Status::Listed | Status::Unlisted => {}
            Status::Unreadable => self.unreadable.push(Unreadable::new(place, b"", true)),
            Status::OtherFilesystem => self.other_filesystem.push(place.path_of(b"")),
        }
    }
}

fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    entries
}
