//! The hard links of a tree: kept, broken, or extended to all equal files.

use std::fmt;
use std::num::NonZeroUsize;

use image_tree::{Content, InodeId, InsertError, Kind, Metadata, Name, Timestamp, Tree, Xattrs};
use serde::Serialize;

use super::identical;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{self, Log};

/// The treatment of hard links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Hard links stay unchanged.
    #[default]
    Keep,
    /// Hard links are broken: each name gets an inode of its own, whatever its file type.
    Break,
    /// All regular files with the same bytes, mode, owners, time and xattrs share one inode, or as
    /// few as [`MAX_NAMES`] allows. As with `hardlink(1)`, empty files are left unchanged: they
    /// take no blocks, and many of them exist to be filled individually.
    Content,
}

/// The maximum number of names that [`Policy::Content`] gives one inode: `EXT4_LINK_MAX`.
pub const MAX_NAMES: usize = 65_000;

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The treatment of hard links.
    pub policy: Policy,
    /// The number of threads that read files.
    pub threads: NonZeroUsize,
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
        let Self { linked_names, saved_bytes, parted_names, added_bytes } = self;
        match (linked_names, parted_names) {
            (0, 0) => write!(f, "no hard link was made or broken"),
            (_, 0) => write!(f, "{linked_names} names became hard links, which saved {saved_bytes} bytes"),
            (0, _) => write!(f, "{parted_names} hard links became files, which added {added_bytes} bytes"),
            _ => write!(
                f,
                "{linked_names} names became hard links, which saved {saved_bytes} bytes, and {parted_names} hard links \
                 became files, which added {added_bytes} bytes"
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
/// With [`Policy::Content`] those of [`identical::find`]; with [`Policy::Break`] an error if there
/// are more names than inode numbers.
pub fn apply<C: Content + Clone>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Linked> {
    let Options { policy, threads, interrupt } = *options;
    let linked = match policy {
        Policy::Keep => return Ok(Linked::default()),
        Policy::Break => relink(tree, &every_inode_alone(tree), 1)?,
        Policy::Content => {
            let groups = identical::find(tree, threads, interrupt, |inode| alike(&inode.metadata))?;
            groups.iter().for_each(|group| keep_holes(tree, group));
            relink(tree, &families(tree, &groups), MAX_NAMES)?
        }
    };
    if linked != Linked::default() {
        super::compact(tree);
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
fn alike(metadata: &Metadata) -> (u16, u32, u32, Timestamp, &Xattrs) {
    let Metadata { mode, uid, gid, mtime, xattrs } = metadata;
    (*mode, *uid, *gid, *mtime, xattrs)
}

/// By inode index: the number of the family of names that may share an inode; `None` if its names
/// stay unchanged.
type Families = Vec<Option<usize>>;

fn every_inode_alone<C>(tree: &Tree<C>) -> Families {
    (0..tree.inode_count()).map(Some).collect()
}

/// Makes each group a family, and each other file with content, which may have more names than the
/// limit.
fn families<C: Content>(tree: &Tree<C>, groups: &[Vec<InodeId>]) -> Families {
    let mut families: Families = vec![None; tree.inode_count()];
    for (number, group) in groups.iter().enumerate() {
        for id in group {
            families[id.index()] = Some(number);
        }
    }
    let mut next = groups.len();
    for step in tree.walk().filter(|step| step.first) {
        let family = &mut families[step.id.index()];
        if family.is_none() && identical::length(tree, step.id) > 0 {
            *family = Some(next);
            next += 1;
        }
    }
    families
}

/// The inode for the next names of a family.
#[derive(Clone, Copy)]
struct Leader {
    /// The inode, or the original of a copy.
    id: InodeId,
    /// True for a copy that is still to be created.
    copied: bool,
    /// The number of names assigned so far.
    names: usize,
}

/// A name that moves to another inode.
struct Change {
    parent: InodeId,
    name: Name,
    /// The position in the list of leaders.
    leader: usize,
}

/// Gives each family's names the same inode, in groups of at most `limit`.
fn relink<C: Content + Clone>(tree: &mut Tree<C>, families: &Families, limit: usize) -> Result<Linked> {
    let (leaders, changes, linked) = choose(tree, families, limit);
    let mut made: Vec<Option<InodeId>> =
        leaders.iter().map(|leader| (!leader.copied).then_some(leader.id)).collect();
    for Change { parent, name, leader } in changes {
        tree.remove(parent, name.as_bytes());
        let refused = |error: InsertError| Error::new(ErrorKind::BadInput, error);
        if let Some(id) = made[leader] {
            tree.link(parent, name, id).map_err(refused)?;
        } else {
            let copy = tree.get(leaders[leader].id).clone();
            made[leader] = Some(tree.insert(parent, name, copy).map_err(refused)?);
        }
    }
    Ok(linked)
}

/// Chooses the inode of each name.
fn choose<C: Content>(
    tree: &Tree<C>,
    families: &Families,
    limit: usize,
) -> (Vec<Leader>, Vec<Change>, Linked) {
    let mut linked = Linked::default();
    let mut leaders: Vec<Leader> = Vec::new();
    let mut changes = Vec::new();
    // By family: its current leader. There are at most as many families as inodes.
    let mut current: Vec<Option<usize>> = vec![None; families.len()];
    // By inode: true if it is the leader of a family.
    let mut leads = vec![false; families.len()];
    for step in tree.walk() {
        let Some(family) = families[step.id.index()] else { continue };
        // A directory has only one name, and the root has none.
        let Some(name) = step.name.filter(|_| tree.entries(step.id).is_none()) else { continue };
        let leader = match current[family].filter(|leader| leaders[*leader].names < limit) {
            Some(leader) => leader,
            None => {
                // An inode that is already a leader has reached the limit, so a copy takes the
                // names.
                let copied = std::mem::replace(&mut leads[step.id.index()], true);
                leaders.push(Leader { id: step.id, copied, names: 0 });
                if copied {
                    linked.added_bytes = linked.added_bytes.saturating_add(identical::length(tree, step.id));
                }
                leaders.len() - 1
            }
        };
        current[family] = Some(leader);
        leaders[leader].names += 1;
        let Leader { id, copied, .. } = leaders[leader];
        if id == step.id && !copied {
            continue;
        }
        if id == step.id {
            linked.parted_names += 1;
        } else {
            linked.linked_names += 1;
        }
        changes.push(Change { parent: step.parent, name: name.clone(), leader });
    }
    linked.saved_bytes = tree
        .walk()
        .filter(|step| step.first && families[step.id.index()].is_some() && !leads[step.id.index()])
        .fold(0, |sum: u64, step| sum.saturating_add(identical::length(tree, step.id)));
    (leaders, changes, linked)
}

#[cfg(test)]
mod tests;
