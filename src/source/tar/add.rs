//! Adds members to a tree.

use image_tree::{InodeId, Metadata};

use super::acl::{self, AclError, NamedEntry};
use super::error::{Problem, Warning};
use super::members::Entry;
use super::reader::Reader;
use crate::accounts::Accounts;
use crate::blob::Blob;
use crate::error::Result;
use crate::stack::{Addition, Member, Report, Stack, Whiteouts};

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

impl Reader<'_> {
    /// Reads all members and adds them to a stack.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::ErrorKind::BadInput) with the offset and path of what is invalid,
    /// cannot be added or exceeds a limit, or if the file changed in the meantime;
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be read.
    pub fn add_to<O: Owner>(mut self, stack: &mut Stack<Blob>, owner: &mut O) -> Result<Added> {
        let applies = stack.rules().whiteouts == Whiteouts::Apply;
        let mut addition = stack.members(owner.implied_metadata());
        let mut named = Vec::new();
        if applies {
            // Whiteouts are applied before members, wherever they are in the archive.
            let mut entries = Vec::new();
            while let Some(mut entry) = self.next()? {
                let (offset, len) = (entry.offset, entry.member.path.len());
                let charged = self.members.budget.metadata(size_of::<Entry>() + len);
                charged.map_err(|problem| self.error(offset, &entry.member.path, problem))?;
                let mark = owner.set_owner(&mut entry.member);
                addition.record_replaced_link(&entry.member);
                entries.push((entry, mark));
            }
            for (Entry { offset, member, .. }, _) in &entries {
                addition.hide(member).map_err(|error| self.error(*offset, &member.path, error))?;
            }
            for (entry, mark) in entries {
                self.add(entry, mark, &mut addition, owner, &mut named)?;
            }
        } else {
            while let Some(mut entry) = self.next()? {
                let mark = owner.set_owner(&mut entry.member);
                self.add(entry, mark, &mut addition, owner, &mut named)?;
            }
        }
        let report = addition.finish();
        self.resolve_acls(stack, owner, &named)?;
        Ok(Added { report, warnings: self.members.warnings })
    }

    fn add<O: Owner>(
        &mut self,
        entry: Entry,
        mark: O::Mark,
        addition: &mut Addition<'_, Blob>,
        owner: &mut O,
        named: &mut Vec<UnresolvedAcl>,
    ) -> Result<()> {
        let Entry { offset, member: Member { path, metadata, kind }, names } = entry;
        let before = addition.implied_count();
        let added = addition.add(&path, metadata, kind).map_err(Problem::from).and_then(|id| {
            let made = addition.implied_count() - before;
            (0..made).try_for_each(|_| self.members.budget.entry())?;
            // Names of created directories are part of the path, or of links that were charged.
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            self.members.budget.metadata(if made > 0 { path.len() } else { name.len() })?;
            Ok(id)
        });
        let Some(id) = added.map_err(|problem| self.error(offset, &path, problem))? else { return Ok(()) };
        owner.added(mark, id);
        if !names.is_empty() {
            named.push(UnresolvedAcl { id, offset, path, names });
        }
        Ok(())
    }

    /// Completes access control lists with the accounts of the tree: the archive's own, if it has
    /// any.
    fn resolve_acls<O: Owner>(
        &self,
        stack: &mut Stack<Blob>,
        owner: &O,
        named: &[UnresolvedAcl],
    ) -> Result<()> {
        if named.is_empty() {
            return Ok(());
        }
        let accounts = Accounts::of(stack.tree())?;
        let mut name_counts = None;
        for UnresolvedAcl { id, offset, path, names } in named {
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
