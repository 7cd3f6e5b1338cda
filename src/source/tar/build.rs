//! Members become a tree.

use std::collections::BTreeSet;

use image_tree::{Inode, InodeId, Kind, MAX_DEPTH, Metadata, Name, Tree};

use super::budget::Budget;
use super::error::Problem;
use super::members::{Member, MemberKind};
use crate::blob::Blob;
use crate::source::Layer;

pub(super) struct Builder {
    tree: Tree<Blob>,
    /// Directories no member was for yet.
    implied: BTreeSet<InodeId>,
    /// The path of the last member up to its name, as it was written, and the directory it leads to. Most members lie
    /// beside the one before.
    last: Option<(Vec<u8>, InodeId)>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let implied = BTreeSet::from([Tree::<Blob>::ROOT]);
        Self { tree: Tree::new(Metadata::new(0o755)), implied, last: None }
    }

    pub(super) fn finish(self) -> Layer {
        let (tree, ids) = self.tree.compact();
        let implied = self.implied.iter().filter_map(|id| ids[id.index()]).collect();
        Layer { scanned: tree.into(), implied }
    }

    /// Adds a member, or replaces what was there.
    pub(super) fn add(&mut self, member: Member, budget: &mut Budget) -> Result<(), Problem> {
        let names = components(&member.path)?;
        let Some((name, parents)) = names.split_last() else { return self.set_root(member) };
        let name = Name::new(name)?;
        budget.metadata(name.as_bytes().len())?;
        let parent = self.parent(&member.path, parents, budget)?;
        let existing = self.tree.lookup(parent, name.as_bytes());
        match member.kind {
            MemberKind::Inode(Kind::Directory(_)) if self.is_directory(existing) => {
                if let Some(id) = existing {
                    *self.tree.metadata_mut(id) = member.metadata;
                    self.implied.remove(&id);
                }
            }
            MemberKind::Inode(kind) => {
                self.remove(parent, &name);
                let inode = Inode { metadata: member.metadata, kind };
                self.tree.insert(parent, name, inode).map_err(|_| too_many())?;
            }
            MemberKind::HardLink(target) => {
                let target = self.hard_link_target(target)?;
                if existing != Some(target) {
                    self.remove(parent, &name);
                    self.tree.link(parent, name, target).map_err(|_| too_many())?;
                }
            }
        }
        Ok(())
    }

    fn set_root(&mut self, member: Member) -> Result<(), Problem> {
        match member.kind {
            MemberKind::Inode(Kind::Directory(_)) => {
                *self.tree.metadata_mut(Tree::<Blob>::ROOT) = member.metadata;
                self.implied.remove(&Tree::<Blob>::ROOT);
                Ok(())
            }
            MemberKind::Inode(kind) => Err(Problem::Root(name_of(&kind))),
            MemberKind::HardLink(_) => Err(Problem::Root("a hard link")),
        }
    }

    /// The directory a member lies in, made where no member made it before.
    fn parent(&mut self, path: &[u8], parents: &[&[u8]], budget: &mut Budget) -> Result<InodeId, Problem> {
        let slash = path.iter().rposition(|byte| *byte == b'/');
        let (written, name) = slash.map_or((&b""[..], path), |slash| (&path[..slash], &path[slash + 1..]));
        // Otherwise the name is part of what is written before the last slash.
        let is_key = !matches!(name, b"" | b".");
        if let Some((_, id)) = self.last.as_ref().filter(|(last, _)| is_key && last == written) {
            return Ok(*id);
        }
        let mut directory = Tree::<Blob>::ROOT;
        for (depth, name) in parents.iter().enumerate() {
            directory = match self.tree.lookup(directory, name) {
                Some(id) => match &self.tree.get(id).kind {
                    Kind::Directory(_) => id,
                    kind => {
                        return Err(Problem::NotADirectory {
                            parent: parents[..=depth].join(&b'/'),
                            is: name_of(kind),
                        });
                    }
                },
                None => {
                    let name = Name::new(name)?;
                    budget.entry()?;
                    budget.metadata(name.as_bytes().len())?;
                    let inode = Inode::directory(Metadata::new(0o755));
                    let id = self.tree.insert(directory, name, inode).map_err(|_| too_many())?;
                    self.implied.insert(id);
                    id
                }
            };
        }
        if is_key {
            self.last = Some((written.to_vec(), directory));
        }
        Ok(directory)
    }

    fn hard_link_target(&self, path: Vec<u8>) -> Result<InodeId, Problem> {
        let names = match components(&path) {
            Ok(names) => names,
            Err(source) => return Err(Problem::HardLinkPath { target: path, source: Box::new(source) }),
        };
        let target =
            names.iter().try_fold(Tree::<Blob>::ROOT, |directory, name| self.tree.lookup(directory, name));
        match target {
            None => Err(Problem::HardLinkToNothing(path)),
            target if self.is_directory(target) => Err(Problem::HardLinkToDirectory(path)),
            Some(target) => Ok(target),
        }
    }

    fn is_directory(&self, id: Option<InodeId>) -> bool {
        id.is_some_and(|id| matches!(self.tree.get(id).kind, Kind::Directory(_)))
    }

    fn remove(&mut self, parent: InodeId, name: &Name) {
        let removed = self.tree.remove(parent, name.as_bytes());
        if self.is_directory(removed) {
            // What was beneath it is no place for further members.
            self.last = None;
        }
    }
}

/// The names a path consists of: none for the root, whatever it is written as.
fn components(path: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    if path.is_empty() {
        return Err(Problem::NoPath);
    }
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    let count = names.clone().count();
    if count > MAX_DEPTH {
        return Err(Problem::TooDeep(count));
    }
    let names: Vec<&[u8]> = names.collect();
    for name in &names {
        if *name == b".." {
            return Err(Problem::Upwards);
        }
        Name::new(name)?;
    }
    Ok(names)
}

/// Only the number of inodes is left to go wrong, which is below that of entries unless somebody asks for billions.
fn too_many() -> Problem {
    Problem::MaxEntries(u64::from(u32::MAX))
}

/// What a message calls a kind of file.
fn name_of(kind: &Kind<Blob>) -> &'static str {
    match kind {
        Kind::Directory(_) => "a directory",
        Kind::Regular(_) => "a file",
        Kind::Symlink(_) => "a symbolic link",
        Kind::CharacterDevice(_) => "a character device",
        Kind::BlockDevice(_) => "a block device",
        Kind::Fifo => "a fifo",
        Kind::Socket => "a socket",
    }
}
