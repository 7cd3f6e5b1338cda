//! Listings of directories become one tree.

use std::collections::HashMap;

use image_tree::{Inode, InodeId, Tree};

use super::list::{Entry, Found, HardLink, Listing, Seen, changed};
use super::scan::join;
use super::{HostInode, Scanned, Unreadable};
use crate::blob::{Blob, Root};
use crate::error::{Error, ErrorKind, Result};

/// Builds the tree of a complete set of listings: that of the root, and one for each directory that is an entry.
///
/// The order of the listings and of the entries in them changes nothing: inodes are numbered in the order of
/// [`Tree::walk`], and a file with several names is read through the first of them in that order.
pub(super) fn assemble(root: &Root, mut listings: Vec<Listing>) -> Result<Scanned> {
    listings.sort_by_cached_key(|listing| walk_order(&listing.path));
    // A walk comes to the directories in just this order.
    let mut listings = listings.into_iter();
    let top = listings.next().ok_or_else(|| changed(root, b"", "it has no listing"))?;
    let mut tree = Tree::new(top.metadata);
    // Beside the tree's table, whose rows are in the order of insertion.
    let mut hosts = vec![top.host];
    let (mut unreadable, mut unlisted, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
    let mut note = |path: Vec<u8>, directory| {
        unreadable.push(Unreadable { host_path: root.join(&path), path, directory });
    };
    if top.seen == Seen::Unreadable {
        note(Vec::new(), true);
    }
    let mut first_names: HashMap<HostInode, (InodeId, HardLink)> = HashMap::new();
    let mut open = vec![(Tree::<Blob>::ROOT, top.path, sorted(top.entries).into_iter())];
    while let Some((directory, path, entries)) = open.last_mut() {
        let directory = *directory;
        let Some(Entry { name, found }) = entries.next() else {
            open.pop();
            continue;
        };
        let refused = |error| Error::at(ErrorKind::BadInput, root.join(&[]), error);
        match found {
            Found::Directory => {
                let path = join(path, name.as_bytes());
                let listing = listings.next().filter(|listing| listing.path == path);
                let listing = listing.ok_or_else(|| changed(root, &path, "it has no listing"))?;
                let id = tree.insert(directory, name, Inode::directory(listing.metadata)).map_err(refused)?;
                hosts.push(listing.host);
                match listing.seen {
                    Seen::Listed => {}
                    Seen::Unreadable => note(path.clone(), true),
                    Seen::Unlisted => unlisted.push((id, path.clone())),
                    Seen::Elsewhere => elsewhere.push(path.clone()),
                }
                open.push((id, path, sorted(listing.entries).into_iter()));
            }
            Found::File { inode, host, unreadable, hard_link } => {
                if unreadable {
                    note(join(path, name.as_bytes()), false);
                }
                let Some(link) = hard_link else {
                    tree.insert(directory, name, inode).map_err(refused)?;
                    hosts.push(host);
                    continue;
                };
                if let Some((id, first)) = first_names.get(&link.inode) {
                    if first.ctime != link.ctime {
                        let path = join(path, name.as_bytes());
                        return Err(changed(root, &path, "its inode is not what it was at another name"));
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
    Ok(Scanned { tree, hosts, unreadable, unlisted, elsewhere })
}

fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// A key that sorts paths as a walk meets them. `/` must sort below every byte of a name, and NUL, which no name
/// holds, does.
fn walk_order(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}
