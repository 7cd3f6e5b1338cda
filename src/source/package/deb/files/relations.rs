//! Relations between the files of packages: `Replaces`, and equality.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content as _, Inode, InodeId, Kind};

use super::control::Control;
use super::owners::Named;
use crate::blob::Blob;
use crate::error::{Result, classify_read_error};
use crate::source::package::deb::relation;
use crate::source::tar::OwnerNames;
use crate::stack::packages::{PackageNumber, Relations};

/// The size of a read, in bytes.
const CHUNK: u64 = 1 << 16;

/// The relations of a set of packages.
pub(super) struct PackageRelations {
    /// For each package, those whose files it replaces.
    replaces: Vec<BTreeSet<PackageNumber>>,
    /// The names of owners of the files so far.
    pub(super) named: RefCell<BTreeMap<InodeId, Named>>,
    /// The names of owners of the file that is being added.
    pub(super) current: RefCell<OwnerNames>,
}

impl PackageRelations {
    pub(super) fn of(packages: &[Control]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<PackageNumber>> = BTreeMap::new();
        for (number, package) in packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(number);
        }
        let replaces = packages.iter().map(|package| {
            let field = package.stanza.get("Replaces").unwrap_or_default();
            let relations = relation::groups(field).flat_map(|group| group.alternatives.to_vec());
            let named = relations.flat_map(|one| {
                let found = str::from_utf8(one.name).ok().and_then(|name| by_name.get(name));
                let accepts = move |other: &&PackageNumber| {
                    let version = packages.get(**other).map_or(&b""[..], |other| other.version.as_bytes());
                    one.version.is_none_or(|(operator, limit)| operator.accepts(version, limit))
                };
                found.into_iter().flatten().filter(accepts).copied().collect::<Vec<_>>()
            });
            named.collect()
        });
        let replaces = replaces.collect();
        Self { replaces, named: RefCell::default(), current: RefCell::default() }
    }
}

impl Relations<Blob> for PackageRelations {
    fn replaces(&self, one: PackageNumber, other: PackageNumber) -> bool {
        self.replaces.get(one).is_some_and(|replaced| replaced.contains(&other))
    }

    fn is_equal(&self, (id, present): (InodeId, &Inode<Blob>), new: &Inode<Blob>) -> Result<bool> {
        let named = self.named.borrow();
        let names = named.get(&id).map(|named| &*named.names);
        let (of_present, of_new) = (&present.metadata, &new.metadata);
        let none = OwnerNames::default();
        if names.unwrap_or(&none) != &*self.current.borrow()
            || (of_present.mode, of_present.uid, of_present.gid) != (of_new.mode, of_new.uid, of_new.gid)
            || of_present.xattrs != of_new.xattrs
        {
            return Ok(false);
        }
        match (&present.kind, &new.kind) {
            (Kind::Regular(one), Kind::Regular(other)) => has_equal_bytes(one, other),
            (one, other) => Ok(one == other),
        }
    }
}

fn has_equal_bytes(one: &Blob, other: &Blob) -> Result<bool> {
    if one.len() != other.len() {
        return Ok(false);
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < one.len() {
        let count = usize::try_from(CHUNK.min(one.len() - at)).unwrap_or(0);
        first.resize(count, 0);
        second.resize(count, 0);
        one.read_at(&mut first, at).map_err(classify_read_error)?;
        other.read_at(&mut second, at).map_err(classify_read_error)?;
        if first != second {
            return Ok(false);
        }
        at += count as u64;
    }
    Ok(true)
}
