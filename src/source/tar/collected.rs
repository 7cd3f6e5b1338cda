//! Members that are read before the first one is added.

use std::path::PathBuf;
use std::sync::Arc;

use super::add::{Added, Adding, Owner};
use super::budget::Budget;
use super::error::Warning;
use super::members::Entry;
use super::reader::Reader;
use crate::blob::{Archive, Blob};
use crate::error::Result;
use crate::stack::{Stack, Whiteouts};

/// All members of an archive.
pub struct ReadMembers {
    /// The name of the archive in messages.
    name: PathBuf,
    /// The archive that contents are ranges of.
    archive: Arc<Archive>,
    entries: Vec<Entry>,
    budget: Budget,
    warnings: Vec<Warning>,
}

impl Reader<'_> {
    /// Reads all members and adds them to a stack.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::ErrorKind::BadInput) with the offset and path of what is invalid,
    /// cannot be added or exceeds a limit, or if the file changed in the meantime;
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be read.
    pub fn add_to<O: Owner>(mut self, stack: &mut Stack<Blob>, owner: &mut O) -> Result<Added> {
        if stack.rules().whiteouts == Whiteouts::Apply {
            return self.read_members()?.add_to(stack, owner);
        }
        let name = self.name.clone();
        let mut adding = Adding::new(&name);
        let mut addition = stack.members(owner.implied_metadata());
        while let Some(mut entry) = self.next()? {
            let mark = owner.set_owner(&mut entry.member);
            adding.add((entry, mark), &mut addition, owner, &mut self.members.budget)?;
        }
        let report = addition.finish();
        adding.resolve_acls(stack, owner)?;
        Ok(Added { report, warnings: self.members.warnings })
    }

    /// Reads all members.
    ///
    /// # Errors
    /// As [`add_to`](Self::add_to), except for what cannot be added.
    pub fn read_members(mut self) -> Result<ReadMembers> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next()? {
            let (offset, len) = (entry.offset, entry.member.path.len());
            let charged = self.members.budget.metadata(size_of::<Entry>() + len);
            let error = |problem| Adding::new(&self.name).error(offset, &entry.member.path, problem);
            charged.map_err(error)?;
            entries.push(entry);
        }
        Ok(ReadMembers {
            name: self.name,
            archive: Arc::clone(self.members.input.archive()),
            entries,
            budget: self.members.budget,
            warnings: self.members.warnings,
        })
    }
}

impl ReadMembers {
    /// Records the digest of the unpacked archive, by which its contents are identified from now on.
    pub(crate) fn set_verified(&self, digest: &str) {
        self.archive.set_verified(digest);
    }

    /// Takes the unusual facts about the archive.
    pub(crate) fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// Returns the members as they are.
    pub(in crate::source) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// Returns the members as they are, and the budget to charge for directories without one.
    pub(in crate::source) fn into_parts(self) -> (Vec<Entry>, Budget) {
        (self.entries, self.budget)
    }

    /// Removes the members whose path `keeps` returns false for.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&[u8]) -> bool) {
        self.entries.retain(|entry| keeps(&entry.member.path));
    }

    /// Removes the xattrs of members whose name `drops` returns true for.
    pub(crate) fn drop_xattrs(&mut self, drops: impl Fn(&[u8]) -> bool) {
        for entry in &mut self.entries {
            entry.member.metadata.xattrs.retain(|name, _| !drops(name.as_bytes()));
        }
    }

    /// Adds the members to a stack. Whiteouts are applied before members, wherever they are in the
    /// archive.
    ///
    /// # Errors
    /// As [`Reader::add_to`], for what cannot be added or exceeds a limit.
    pub fn add_to<O: Owner>(self, stack: &mut Stack<Blob>, owner: &mut O) -> Result<Added> {
        let Self { name, entries, mut budget, warnings, archive: _ } = self;
        let mut adding = Adding::new(&name);
        let mut addition = stack.members(owner.implied_metadata());
        let mut marked = Vec::with_capacity(entries.len());
        for mut entry in entries {
            let mark = owner.set_owner(&mut entry.member);
            addition.record_replaced_link(&entry.member);
            marked.push((entry, mark));
        }
        for (Entry { offset, member, .. }, _) in &marked {
            addition.hide(member).map_err(|error| adding.error(*offset, &member.path, error))?;
        }
        for entry in marked {
            adding.add(entry, &mut addition, owner, &mut budget)?;
        }
        let report = addition.finish();
        adding.resolve_acls(stack, owner)?;
        Ok(Added { report, warnings })
    }
}
