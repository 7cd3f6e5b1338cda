//! The order of modules.

use std::collections::{BTreeMap, BTreeSet};

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
    if !ends(order) {
        warnings.push(Warning::OrderWithoutEnd);
        return;
    }
    // The last of equal lines counts in kmod 30.
    let lines: BTreeMap<&[u8], usize> =
        order.split(|byte| *byte == b'\n').enumerate().map(|(number, line)| (line, number)).collect();
    // Stable: modules without a line stay in the order of the table.
    modules.sort_by_key(|entry| lines.get(uncompressed(&entry.path)).copied().unwrap_or(usize::MAX));
}

/// Returns the lines of `modules.order` that list one of these modules, in their order. `None` if
/// its last line has no end, so that depmod ignores the file.
#[must_use]
pub fn reduced(order: &[u8], modules: &[Entry]) -> Option<Vec<u8>> {
    let listed: BTreeSet<&[u8]> = modules.iter().map(|entry| uncompressed(&entry.path)).collect();
    let lines = order.split_inclusive(|byte| *byte == b'\n');
    let kept = lines.filter(|line| line.strip_suffix(b"\n").is_some_and(|line| listed.contains(line)));
    ends(order).then(|| kept.collect::<Vec<_>>().concat())
}

/// Returns true if the last line has an end.
fn ends(order: &[u8]) -> bool {
    order.last().is_none_or(|last| *last == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;

    #[test]
    fn the_order_of_fewer_modules_has_their_lines_only() {
        let modules = ["kernel/b.ko.xz", "kernel/a.ko"]
            .map(|path| Entry::new(path.as_bytes().to_vec(), Module::default()));
        let order = b"kernel/c.ko\nkernel/b.ko\n\nkernel/a.ko\nkernel/a.ko.x\n";
        assert_eq!(reduced(order, &modules).as_deref(), Some(&b"kernel/b.ko\nkernel/a.ko\n"[..]));
        assert_eq!(reduced(b"", &modules).as_deref(), Some(&b""[..]));
        assert_eq!(reduced(b"kernel/a.ko\nkernel/b.ko", &modules), None);
    }
}
