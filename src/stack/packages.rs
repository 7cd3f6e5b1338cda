//! The rules for packages of a distribution, which are added to one another.
//!
//! They are those of dpkg(1) for packages that are unpacked into an empty root directory, but do not
//! depend on the order:
//!
//! * A directory over a directory, or over a symbolic link that leads to one, leaves what is there
//!   with its metadata.
//! * Every other file belongs to the package that brought it. Another package may have a file at
//!   the same path if one of both replaces the other's files, whose own file is left out, or if both
//!   files are equal.
//! * Everything else is a [`Conflict`], which names both packages.

use std::collections::BTreeMap;

use image_tree::{Inode, InodeId, Kind, Metadata, Name};
use thiserror::Error;

use super::add_member::absolute;
use super::descend::{Missing, components};
use super::{AddError, Addition, MemberKind};

/// The number of a package, in the order in which packages are added.
pub type PackageNumber = usize;

/// The relations between the packages, and between their files.
pub trait Relations<C> {
    /// Returns true if the files of the package `one` replace those of `other`.
    fn replaces(&self, one: PackageNumber, other: PackageNumber) -> bool;

    /// Returns true if a file of the tree is equal to one that is being added.
    ///
    /// # Errors
    /// The error of reading the contents.
    fn is_equal(&self, present: (InodeId, &Inode<C>), new: &Inode<C>) -> Result<bool, crate::error::Error>;
}

/// The result of adding one member of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is a file of the tree now; those packages have lost theirs at its path.
    New {
        /// The inode, none for a hard link to one that was added before.
        inode: Option<InodeId>,
        /// The packages whose file it replaced.
        replaced: Vec<PackageNumber>,
    },
    /// A directory that was there, or a link to one, is unchanged.
    Present,
    /// An equal file of another package is unchanged.
    Shared,
    /// The file of this other package, which replaces it, is unchanged.
    Lost(PackageNumber),
}

/// A file that two packages have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("is {new} here, and {present} in the package before")]
pub struct Conflict {
    /// The package with the file that is there.
    pub package: PackageNumber,
    /// The type of the file that is there.
    pub present: &'static str,
    /// The type of the file that is being added.
    pub new: &'static str,
}

/// A reason that a member of a package cannot be added.
#[derive(Debug, Error)]
pub enum PackageError {
    /// It cannot be added to any tree.
    #[error(transparent)]
    Add(#[from] AddError),
    /// Two packages have it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The contents of one of two files cannot be read.
    #[error(transparent)]
    Read(#[from] crate::error::Error),
}

/// The packages that brought the files of a tree.
#[derive(Debug)]
pub struct Packages<C> {
    /// By directory and name; the first of several is the first that was added.
    owners: BTreeMap<(InodeId, Name), Vec<PackageNumber>>,
    /// The files of the current package that the file of another one hides, by their path.
    lost: BTreeMap<Vec<u8>, Inode<C>>,
    current: PackageNumber,
}

impl<C> Default for Packages<C> {
    fn default() -> Self {
        Self { owners: BTreeMap::new(), lost: BTreeMap::new(), current: 0 }
    }
}

impl<C> Packages<C> {
    /// Begins the next package.
    pub fn begin(&mut self, package: PackageNumber) {
        self.current = package;
        self.lost.clear();
    }
}

impl<C: Clone> Addition<'_, C> {
    /// Adds a member of the current package by the rules for packages.
    ///
    /// # Errors
    /// If the member's path or target is invalid or leads through something other than a directory,
    /// or if another package has another file there.
    pub fn put(
        &mut self,
        packages: &mut Packages<C>,
        relations: &impl Relations<C>,
        path: &[u8],
        metadata: Metadata,
        kind: MemberKind<C>,
    ) -> Result<Put, PackageError> {
        let names = components(path)?;
        let Some((name, parents)) = names.split_last() else { return self.put_root(metadata, &kind) };
        let name = Name::new(name).map_err(AddError::from)?;
        let parent = self.parent(path, parents)?;
        let (new, target) = match kind {
            MemberKind::Inode(kind) => (Inode { metadata, kind }, None),
            MemberKind::HardLink(target) => match self.package_target(packages, &target)? {
                Target::Inode(id) => (self.stack.tree.get(id).clone(), Some(id)),
                Target::Lost(inode) => (inode, None),
            },
        };
        let mut replaced = Vec::new();
        if let Some(present) = self.stack.tree.lookup(parent, name.as_bytes()) {
            if target == Some(present) {
                // A link to itself has no effect.
                return Ok(Put::Shared);
            }
            if matches!(new.kind, Kind::Directory(_)) && self.is_directory(present, &names) {
                return Ok(self.put_directory(present, new.metadata));
            }
            match self.meeting(packages, relations, (parent, &name, present), &new)? {
                Meeting::Replace(owners) => replaced = owners,
                Meeting::Share => {
                    let owners = packages.owners.entry((parent, name)).or_default();
                    if !owners.contains(&packages.current) {
                        owners.push(packages.current);
                    }
                    return Ok(Put::Shared);
                }
                Meeting::Lose(package) => {
                    packages.lost.insert(absolute(&names), new);
                    return Ok(Put::Lost(package));
                }
            }
            self.stack.tree.remove(parent, name.as_bytes());
            // The path of the last member may have led through it.
            self.last = None;
        }
        packages.owners.insert((parent, name.clone()), vec![packages.current]);
        let inode = match target {
            Some(target) => {
                self.stack.tree.link(parent, name, target).map_err(AddError::from)?;
                None
            }
            None => Some(self.stack.tree.insert(parent, name, new).map_err(AddError::from)?),
        };
        Ok(Put::New { inode, replaced })
    }

    /// Sets the metadata of the root directory, once.
    fn put_root(&mut self, metadata: Metadata, kind: &MemberKind<C>) -> Result<Put, PackageError> {
        match kind {
            MemberKind::Inode(Kind::Directory(_)) => Ok(self.put_directory(InodeId::ROOT, metadata)),
            MemberKind::Inode(kind) => Err(AddError::Root(kind.file_type().name()).into()),
            MemberKind::HardLink(_) => Err(AddError::Root("a hard link").into()),
        }
    }

    /// Sets the metadata of a directory that had no member before.
    fn put_directory(&mut self, present: InodeId, metadata: Metadata) -> Put {
        if !self.report.implied.remove(&present) {
            return Put::Present;
        }
        *self.stack.tree.metadata_mut(present) = metadata;
        Put::New { inode: Some(present), replaced: Vec::new() }
    }

    /// Returns true for a directory, and for a symbolic link that leads to one.
    fn is_directory(&mut self, id: InodeId, names: &[&[u8]]) -> bool {
        match self.stack.tree.get(id).kind {
            Kind::Directory(_) => true,
            Kind::Symlink(_) => self.leads_to_directory(names),
            _ => false,
        }
    }

    /// Decides between a file of the tree and a new one at its path.
    fn meeting(
        &mut self,
        packages: &Packages<C>,
        relations: &impl Relations<C>,
        (parent, name, present): (InodeId, &Name, InodeId),
        new: &Inode<C>,
    ) -> Result<Meeting, PackageError> {
        let current = packages.current;
        let inode = self.stack.tree.get(present);
        let conflict = |package| {
            let (present, new) = (inode.kind.file_type().name(), new.kind.file_type().name());
            PackageError::from(Conflict { package, present, new })
        };
        let owners = packages.owners.get(&(parent, name.clone())).map_or(&[][..], Vec::as_slice);
        if matches!(inode.kind, Kind::Directory(_)) {
            return Err(conflict(packages.of_directory(present, owners)));
        }
        let others = || owners.iter().copied().filter(|owner| *owner != current);
        let wins = |one, other| relations.replaces(one, other);
        if let Some(winner) = others().find(|other| wins(*other, current) && !wins(current, *other)) {
            return Ok(Meeting::Lose(winner));
        }
        match others().find(|other| !wins(current, *other)) {
            None => Ok(Meeting::Replace(others().collect())),
            Some(_) if relations.is_equal((present, inode), new)? => Ok(Meeting::Share),
            Some(other) => Err(conflict(other)),
        }
    }

    /// Returns the file that a hard link of the current package leads to.
    fn package_target(&mut self, packages: &Packages<C>, path: &[u8]) -> Result<Target<C>, AddError> {
        let names = match components(path) {
            Ok(names) => names,
            Err(source) => {
                return Err(AddError::HardLinkPath { target: path.to_vec(), source: Box::new(source) });
            }
        };
        if let Some(lost) = packages.lost.get(&absolute(&names)) {
            return Ok(Target::Lost(lost.clone()));
        }
        let Some((name, parents)) = names.split_last() else {
            return Err(AddError::HardLinkToDirectory(path.to_vec()));
        };
        let parent = match self.descend(parents, Missing::Stop) {
            Err(error @ AddError::TooManySteps) => return Err(error),
            Ok(parent) => parent,
            Err(_) => None,
        };
        match parent.and_then(|parent| self.stack.tree.lookup(parent, name)) {
            None => Err(AddError::HardLinkToNothing(path.to_vec())),
            Some(id) if self.stack.tree.entries(id).is_some() => {
                Err(AddError::HardLinkToDirectory(path.to_vec()))
            }
            Some(id) => Ok(Target::Inode(id)),
        }
    }
}

/// The file that a hard link leads to.
enum Target<C> {
    Inode(InodeId),
    /// A file that the file of another package hides.
    Lost(Inode<C>),
}

/// The decision between a file of the tree and a new one.
enum Meeting {
    /// The new one takes the place of those of these packages.
    Replace(Vec<PackageNumber>),
    /// They are equal.
    Share,
    /// The file of this package stays.
    Lose(PackageNumber),
}

impl<C> Packages<C> {
    /// Returns a package that needs a directory: the first that has it, or one with a file in it.
    fn of_directory(&self, directory: InodeId, owners: &[PackageNumber]) -> PackageNumber {
        let beneath = || {
            let entry = self.owners.iter().find(|((parent, _), _)| *parent == directory);
            entry.and_then(|(_, owners)| owners.first())
        };
        owners.first().or_else(beneath).copied().unwrap_or(self.current)
    }
}
