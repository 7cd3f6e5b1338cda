//! The hard links of a tree: kept, broken, or extended to all equal files.

use std::fmt;

use image_tree::{Content, InodeId, InsertError, Kind, Metadata, Name, Timestamp, Tree, Xattrs};
use serde::Serialize;

use super::duplicates;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{self, Log};
use crate::named::named;
use crate::shown::Count;
use crate::threads::Threads;

/// The treatment of hard links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Hard links stay unchanged.
    #[default]
    Keep,
    /// Hard links are broken: each name gets an inode of its own, whatever its file type.
    Break,
    /// All regular files with the same bytes, mode, owners, time and xattrs share one inode, or as
    /// few as [`Options::max_names`] allows. As with `hardlink(1)`, empty files are left unchanged:
    /// they take no blocks, and many of them exist to be filled individually.
    Content,
}

named!(Policy, "a policy for hard links", [Keep => "keep", Break => "break", Content => "content"]);

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The treatment of hard links.
    pub policy: Policy,
    /// The maximum number of names that [`Policy::Content`] gives one inode.
    pub max_names: u64,
    /// The threads that read files.
    pub threads: &'a Threads,
    /// Checked regularly; a signal ends the comparison of files.
    pub interrupt: &'a Interrupt,
}

/// The changes made by a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Linked {
    /// The number of names that were linked to another name's inode.
    pub linked_names: u64,
    /// The total length in bytes of the inodes that lost all their names by that.
    pub saved_bytes: u64,
    /// The number of names that got an inode of their own instead of a shared one.
    pub parted_names: u64,
    /// The total length in bytes of the new inodes.
    pub added_bytes: u64,
}

impl fmt::Display for Linked {
    /// Formats the changes, or states that there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { linked_names, saved_bytes, parted_names, added_bytes } = *self;
        let names = Count(linked_names, "name became a hard link", "names became hard links");
        let links = Count(parted_names, "hard link became a file", "hard links became files");
        let bytes = |number| Count(number, "byte", "bytes");
        match (linked_names, parted_names) {
            (0, 0) => write!(f, "no hard link was made or broken"),
            (_, 0) => write!(f, "{names}, which saved {}", bytes(saved_bytes)),
            (0, _) => write!(f, "{links}, which added {}", bytes(added_bytes)),
            _ => write!(
                f,
                "{names}, which saved {}, and {links}, which added {}",
                bytes(saved_bytes),
                bytes(added_bytes)
            ),
        }
    }
}

impl log::Report for Linked {
    fn log(&self, log: &Log) {
        log.detail(self);
    }
}

/// Applies a policy to the tree's hard links.
///
/// The inode whose name comes first in the order of the tree's walk is kept. If anything changed,
/// the tree is [compacted](Tree::compact), so that it does not depend on the links of its source;
/// earlier ids are then invalid.
///
/// # Errors
/// With [`Policy::Content`] those of [`duplicates::find`]; with [`Policy::Break`] an error if there
/// are more names than inode numbers.
pub fn apply<C: Content + Clone>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Linked> {
    let Options { policy, max_names, threads, interrupt } = *options;
    let linked = match policy {
        Policy::Keep => return Ok(Linked::default()),
        Policy::Break => relink(tree, &one_group_per_inode(tree), 1)?,
        Policy::Content => {
            let options = duplicates::Options { threads, interrupt };
            let duplicates = duplicates::find(tree, &options, |inode| key(&inode.metadata))?;
            duplicates.iter().for_each(|group| keep_holes(tree, group));
            relink(tree, &link_groups(tree, &duplicates), max_names)?
        }
    };
    if linked != Linked::default() {
        crate::transform::compact(tree);
    }
    Ok(linked)
}

/// Gives the first of several files with the same bytes the holes of another, if it has none.
fn keep_holes<C: Content + Clone>(tree: &mut Tree<C>, group: &[InodeId]) {
    let content = |id: InodeId| match &tree.get(id).kind {
        Kind::Regular(content) => Some(content),
        _ => None,
    };
    let Some(first) = group.first().copied() else { return };
    let mut sparse =
        group.iter().filter_map(|id| content(*id)).filter(|content| content.data_ranges().is_some());
    if content(first).is_some_and(|content| content.data_ranges().is_none())
        && let Some(content) = sparse.next().cloned()
    {
        // OK to ignore: a regular file can be replaced by another one.
        let _ = tree.replace_kind(first, Kind::Regular(content));
    }
}

/// The metadata in which two files must agree to be linked. Every field of the metadata is
/// included.
fn key(metadata: &Metadata) -> (u16, u32, u32, Timestamp, &Xattrs) {
    let Metadata { mode, uid, gid, mtime, xattrs } = metadata;
    (*mode, *uid, *gid, *mtime, xattrs)
}

/// By inode index: the number of the group of names that may share an inode; `None` if its names
/// stay unchanged.
type LinkGroups = Vec<Option<usize>>;

fn one_group_per_inode<C>(tree: &Tree<C>) -> LinkGroups {
    (0..tree.inode_count()).map(Some).collect()
}

/// Makes a group of each set of duplicates, and of each other file with content, which may have
/// more names than the limit.
fn link_groups<C: Content>(tree: &Tree<C>, duplicates: &[Vec<InodeId>]) -> LinkGroups {
    let mut groups: LinkGroups = vec![None; tree.inode_count()];
    for (number, group) in duplicates.iter().enumerate() {
        for id in group {
            groups[id.index()] = Some(number);
        }
    }
    let mut next = duplicates.len();
    for step in tree.walk().filter(|step| step.first) {
        let group = &mut groups[step.id.index()];
        if group.is_none() && duplicates::length(tree, step.id) > 0 {
            *group = Some(next);
            next += 1;
        }
    }
    groups
}

/// The inode for the next names of a group.
#[derive(Clone, Copy)]
struct Representative {
    /// The inode, or the original of a copy.
    id: InodeId,
    /// True for a copy that is still to be created.
    copied: bool,
    /// The number of names assigned so far.
    names: u64,
}

/// A name that moves to another inode.
struct Change {
    parent: InodeId,
    name: Name,
    /// The position in the list of representatives.
    representative: usize,
}

/// Gives each group's names the same inode, in groups of at most `limit`.
fn relink<C: Content + Clone>(tree: &mut Tree<C>, groups: &LinkGroups, limit: u64) -> Result<Linked> {
    let (representatives, changes, linked) = choose(tree, groups, limit);
    let mut inodes: Vec<Option<InodeId>> =
        representatives.iter().map(|chosen| (!chosen.copied).then_some(chosen.id)).collect();
    for Change { parent, name, representative } in changes {
        tree.remove(parent, name.as_bytes());
        let refused = |error: InsertError| Error::new(ErrorKind::BadInput, error);
        if let Some(id) = inodes[representative] {
            tree.link(parent, name, id).map_err(refused)?;
        } else {
            let copy = tree.get(representatives[representative].id).clone();
            inodes[representative] = Some(tree.insert(parent, name, copy).map_err(refused)?);
        }
    }
    Ok(linked)
}

/// Chooses the inode of each name.
fn choose<C: Content>(
    tree: &Tree<C>,
    groups: &LinkGroups,
    limit: u64,
) -> (Vec<Representative>, Vec<Change>, Linked) {
    let mut linked = Linked::default();
    let mut representatives: Vec<Representative> = Vec::new();
    let mut changes = Vec::new();
    // By group: its current representative. There are at most as many groups as inodes.
    let mut current: Vec<Option<usize>> = vec![None; groups.len()];
    // By inode: true if it is the representative of a group.
    let mut represents = vec![false; groups.len()];
    for step in tree.walk() {
        let Some(group) = groups[step.id.index()] else { continue };
        // A directory has only one name, and the root has none.
        let Some(name) = step.name.filter(|_| tree.entries(step.id).is_none()) else { continue };
        let chosen = match current[group].filter(|chosen| representatives[*chosen].names < limit) {
            Some(chosen) => chosen,
            None => {
                // An inode that is already a representative has reached the limit, so a copy takes
                // the names.
                let copied = std::mem::replace(&mut represents[step.id.index()], true);
                representatives.push(Representative { id: step.id, copied, names: 0 });
                if copied {
                    linked.added_bytes = linked.added_bytes.saturating_add(duplicates::length(tree, step.id));
                }
                representatives.len() - 1
            }
        };
        current[group] = Some(chosen);
        representatives[chosen].names += 1;
        let Representative { id, copied, .. } = representatives[chosen];
        if id == step.id && !copied {
            continue;
        }
        if id == step.id {
            linked.parted_names += 1;
        } else {
            linked.linked_names += 1;
        }
        changes.push(Change { parent: step.parent, name: name.clone(), representative: chosen });
    }
    linked.saved_bytes = tree
        .walk()
        .filter(|step| step.first && groups[step.id.index()].is_some() && !represents[step.id.index()])
        .fold(0, |sum: u64, step| sum.saturating_add(duplicates::length(tree, step.id)));
    (representatives, changes, linked)
}

#[cfg(test)]
mod tests;
