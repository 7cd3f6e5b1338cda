//! The use of one module of each name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::sources::Entry;
use crate::warning::Warning;

/// Returns the modules that are used. `updates/` counts more than everything else, as without
/// configuration of depmod; which of two others depmod uses is an accident of the filesystem.
pub(crate) fn one_of_each_name<'e>(entries: &'e [Entry], warnings: &mut Vec<Warning>) -> Vec<&'e Entry> {
    let mut used: BTreeMap<&[u8], &Entry> = BTreeMap::new();
    for entry in entries {
        match used.entry(&entry.name) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(mut slot) => {
                let before = *slot.get();
                let (used, unused) =
                    if rank(entry) < rank(before) { (entry, before) } else { (before, entry) };
                warnings.push(Warning::SameName { used: used.path.clone(), unused: unused.path.clone() });
                slot.insert(used);
            }
        }
    }
    used.into_values().collect()
}

fn rank(entry: &Entry) -> (bool, &[u8]) {
    (!entry.path.starts_with(b"updates/"), &entry.path)
}
