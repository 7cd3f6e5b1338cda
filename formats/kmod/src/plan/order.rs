//! The order of modules.

use std::collections::BTreeMap;

use super::sources::Entry;
use crate::hash::hash;
use crate::name::uncompressed;
use crate::warning::Warning;

/// The number of buckets of depmod's table of modules.
const BUCKETS: u32 = 512;

/// Sorts modules as depmod does: first those that `modules.order` lists, in its order, then all
/// others, in the order of a hash table. The position of a module is its priority.
pub(super) fn sort(modules: &mut [&Entry], order: Option<&[u8]>, warnings: &mut Vec<Warning>) {
    modules.sort_by_cached_key(|entry| (hash(&entry.name) % BUCKETS, entry.name.clone()));
    let Some(order) = order else {
        warnings.push(Warning::NoOrder);
        return;
    };
    if order.last().is_some_and(|last| *last != b'\n') {
        warnings.push(Warning::OrderWithoutEnd);
        return;
    }
    // The last of equal lines counts in kmod 30.
    let lines: BTreeMap<&[u8], usize> =
        order.split(|byte| *byte == b'\n').enumerate().map(|(number, line)| (line, number)).collect();
    // Stable: modules without a line stay in the order of the table.
    modules.sort_by_key(|entry| lines.get(uncompressed(&entry.path)).copied().unwrap_or(usize::MAX));
}
