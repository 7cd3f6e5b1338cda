//! Adds members to a tree.

use std::path::Path;

use image_tree::{InodeId, Metadata};

use super::acl::{self, AclError, NamedEntry};
use super::budget::Budget;
use super::error::{Problem, TarError, Warning};
use super::members::Entry;
use crate::accounts::Accounts;
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::stack::{Addition, Member, Report, Stack};

/// A change to the members of an archive before they are added.
pub trait Owner {
    /// The state that is kept of a member until it is added.
    type Mark;

    /// The metadata of directories that no member is for.
    fn implied_metadata(&self) -> Metadata;

    /// Changes a member; called for all of them, in their order.
    fn set_owner(&mut self, member: &mut Member<Blob>) -> Self::Mark;

    /// Receives the inode that a member became.
    fn added(&mut self, mark: Self::Mark, id: InodeId);

    /// Returns the user or group of the tree for a number of the archive; none if there is none.
    fn id(&self, is_user: bool, id: u32) -> Option<u32>;
}

/// The owner that leaves members unchanged.
#[derive(Clone, Copy, Debug)]
pub struct Unchanged;

impl Owner for Unchanged {
    type Mark = ();

    fn implied_metadata(&self) -> Metadata {
        Metadata::new(0o755)
    }

    fn set_owner(&mut self, _: &mut Member<Blob>) {}

    fn added(&mut self, (): (), _: InodeId) {}

    fn id(&self, _: bool, id: u32) -> Option<u32> {
        Some(id)
    }
}

/// The effect of adding an archive.
#[derive(Debug)]
pub struct Added {
    /// The effect on the tree.
    pub report: Report,
    /// The unusual facts about the archive.
    pub warnings: Vec<Warning>,
}

/// A file with an access control list that the tree's accounts have to complete.
struct UnresolvedAcl {
    id: InodeId,
    offset: u64,
    path: Vec<u8>,
    names: Vec<NamedEntry>,
}

/// Adds members to a stack.
pub(super) struct Adding<'n> {
    /// The name of the archive in messages.
    name: &'n Path,
    /// The files whose access control lists have to be completed at the end.
    named: Vec<UnresolvedAcl>,
}

impl<'n> Adding<'n> {
    pub(super) fn new(name: &'n Path) -> Self {
        Self { name, named: Vec::new() }
    }

    /// Returns the error for a member that was read.
    pub(super) fn error(&self, offset: u64, path: &[u8], problem: impl Into<Problem>) -> Error {
        let error = TarError { offset, path: Some(path.to_vec()), problem: problem.into() };
        Error::at(ErrorKind::BadInput, self.name, error)
    }

    /// Adds one member.
    pub(super) fn add<O: Owner>(
        &mut self,
        (entry, mark): (Entry, O::Mark),
        addition: &mut Addition<'_, Blob>,
        owner: &mut O,
        budget: &mut Budget,
    ) -> Result<()> {
        let Entry { offset, member: Member { path, metadata, kind }, names, .. } = entry;
        let before = addition.implied_count();
        let added = addition.add(&path, metadata, kind).map_err(Problem::from).and_then(|id| {
            let made = addition.implied_count() - before;
            (0..made).try_for_each(|_| budget.entry())?;
            // Names of created directories are part of the path, or of links that were charged.
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            budget.metadata(if made > 0 { path.len() } else { name.len() })?;
            Ok(id)
        });
        let Some(id) = added.map_err(|problem| self.error(offset, &path, problem))? else { return Ok(()) };
        owner.added(mark, id);
        if !names.is_empty() {
            self.named.push(UnresolvedAcl { id, offset, path, names });
        }
        Ok(())
    }

    /// Completes access control lists with the accounts of the tree: the archive's own, if it has
    /// any.
    pub(super) fn resolve_acls<O: Owner>(&self, stack: &mut Stack<Blob>, owner: &O) -> Result<()> {
        if self.named.is_empty() {
            return Ok(());
        }
        let accounts = Accounts::of(stack.tree())?;
        let mut name_counts = None;
        for UnresolvedAcl { id, offset, path, names } in &self.named {
            let completed = resolve_acl(stack, *id, names, &accounts, owner);
            if let Err((key, source)) = completed {
                // A file that a later member replaced needs no owner.
                let counts = name_counts.get_or_insert_with(|| stack.tree().name_counts());
                if counts.get(id.index()).is_some_and(|count| *count > 0) {
                    return Err(self.error(*offset, path, Problem::Acl { key, source }));
                }
            }
        }
        Ok(())
    }
}

fn resolve_acl<O: Owner>(
    stack: &mut Stack<Blob>,
    id: InodeId,
    names: &[NamedEntry],
    accounts: &Accounts,
    owner: &O,
) -> Result<(), (&'static str, AclError)> {
    for (is_access, xattr) in [(true, "system.posix_acl_access"), (false, "system.posix_acl_default")] {
        let own: Vec<&NamedEntry> = names.iter().filter(|entry| entry.is_access() == is_access).collect();
        let Some(first) = own.first() else { continue };
        // An xattr that another record of the file replaced or removed need not be completed.
        let Some(value) = stack.metadata_mut(id).xattrs.get_mut(xattr.as_bytes()) else { continue };
        let complete = acl::add_names(value, &own, accounts, &|is_user, id| owner.id(is_user, id));
        *value = complete.map_err(|source| (first.key(), source))?.into();
    }
    Ok(())
}
