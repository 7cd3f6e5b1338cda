//! The modules that each needs, in the order in which they are unloaded.

use std::collections::BTreeSet;

use super::sources::Entry;
use super::symbols::SymbolTable;
use crate::error::Error;
use crate::limits::MAX_LINES;

/// For each module the positions of all that it needs, also by way of others. They are loaded from
/// the end.
///
/// # Errors
/// If some need each other in a circle, or the lines of all are longer than a binary index can hold.
pub(super) fn of(modules: &[&Entry], symbols: &SymbolTable<'_>) -> Result<Vec<Vec<usize>>, Error> {
    let direct: Vec<Vec<usize>> = modules.iter().map(|entry| direct(entry, symbols)).collect();
    let numbers = topological(&direct).ok_or_else(|| cycle(modules, &direct))?;
    let mut seen = vec![usize::MAX; modules.len()];
    let (mut all, mut len) = (Vec::with_capacity(modules.len()), 0);
    for position in 0..modules.len() {
        let mut reached = reached(position, &direct, &mut seen);
        // Each path is followed by a colon, a blank or the end of the line.
        len += reached.iter().chain([&position]).map(|module| modules[*module].path.len() + 1).sum::<usize>();
        if len > MAX_LINES {
            return Err(Error::TooLong { file: "modules.dep" });
        }
        reached.sort_unstable_by_key(|other| numbers[*other]);
        all.push(reached);
    }
    Ok(all)
}

/// Returns the modules that export what one needs, in the order in which it needs them.
fn direct(entry: &Entry, symbols: &SymbolTable<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut before = BTreeSet::new();
    for owner in entry.module.needs.iter().filter_map(|name| symbols.owner(name)) {
        if before.insert(owner) {
            found.push(owner);
        }
    }
    found
}

/// Numbers the modules so that each has a lower number than those that it needs; `None` if some
/// need each other in a circle.
fn topological(direct: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut users = vec![0_usize; direct.len()];
    direct.iter().flatten().for_each(|needed| users[*needed] += 1);
    let mut stack: Vec<usize> = (0..direct.len()).filter(|position| users[*position] == 0).collect();
    let mut numbers = vec![0; direct.len()];
    let mut number = 0;
    while let Some(position) = stack.pop() {
        numbers[position] = number;
        number += 1;
        for needed in &direct[position] {
            users[*needed] -= 1;
            if users[*needed] == 0 {
                stack.push(*needed);
            }
        }
    }
    (number == direct.len()).then_some(numbers)
}

/// Returns all that a module needs, in any order. `seen` holds the module that reached each last.
fn reached(position: usize, direct: &[Vec<usize>], seen: &mut [usize]) -> Vec<usize> {
    let (mut found, mut next) = (Vec::new(), 0);
    let mut from = position;
    loop {
        for needed in &direct[from] {
            if seen[*needed] != position {
                seen[*needed] = position;
                found.push(*needed);
            }
        }
        let Some(other) = found.get(next) else { return found };
        from = *other;
        next += 1;
    }
}

/// Returns the error for modules of which some need each other in a circle.
fn cycle(modules: &[&Entry], direct: &[Vec<usize>]) -> Error {
    // Of those that are left when all modules that need none are taken away, again and again, each
    // needs another one that is left.
    let mut left: Vec<usize> = direct.iter().map(Vec::len).collect();
    let mut users = vec![Vec::new(); direct.len()];
    for (position, needed) in direct.iter().enumerate() {
        needed.iter().for_each(|needed| users[*needed].push(position));
    }
    let mut free: Vec<usize> = (0..direct.len()).filter(|position| left[*position] == 0).collect();
    while let Some(position) = free.pop() {
        for user in &users[position] {
            left[*user] -= 1;
            if left[*user] == 0 {
                free.push(*user);
            }
        }
    }
    let mut path: Vec<usize> = Vec::new();
    let mut next = left.iter().position(|count| *count > 0);
    while let Some(position) = next {
        if let Some(start) = path.iter().position(|before| *before == position) {
            path.drain(..start);
            break;
        }
        path.push(position);
        next = direct[position].iter().copied().find(|needed| left[*needed] > 0);
    }
    Error::Cycle { names: path.iter().map(|position| modules[*position].name.clone()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;

    fn entry(name: &str, exports: &[&str], needs: &[&str]) -> Entry {
        let names = |names: &[&str]| names.iter().map(|name| name.as_bytes()).collect();
        let module = Module { exports: names(exports), needs: names(needs), ..Module::default() };
        Entry::new(format!("kernel/{name}.ko").into_bytes(), module)
    }

    fn all(entries: &[Entry]) -> Result<Vec<Vec<usize>>, Error> {
        let modules: Vec<&Entry> = entries.iter().collect();
        of(&modules, &SymbolTable::new(&modules))
    }

    #[test]
    fn dependencies_are_transitive_and_unloaded_from_the_front() {
        let entries = [
            entry("a", &["of_a"], &[]),
            entry("b", &["of_b"], &["of_a", "of_the_kernel"]),
            entry("c", &[], &["of_b", "of_b", "of_a"]),
            // On ppc64 the symbol of a function's code has a dot.
            entry("d", &[], &[".of_a"]),
        ];
        assert_eq!(all(&entries), Ok(vec![vec![], vec![0], vec![1, 0], vec![0]]));
    }

    #[test]
    fn a_symbol_belongs_to_the_last_module_that_exports_it() {
        let entries = [entry("a", &["x"], &[]), entry("b", &["x"], &[]), entry("c", &[], &["x"])];
        assert_eq!(all(&entries), Ok(vec![vec![], vec![], vec![1]]));
    }

    /// Each module needs the one before it, so that the paths of all would have 300 MB.
    #[test]
    fn dependencies_are_limited_by_the_length_of_their_lines() {
        let chain = |len: usize| -> Vec<Entry> {
            let name = |number: usize| format!("{number:04000}");
            (0..len).map(|number| entry(&name(number), &[&name(number)], &[&name(number + 1)])).collect()
        };
        assert_eq!(all(&chain(390)), Err(Error::TooLong { file: "modules.dep" }));
        assert!(all(&chain(300)).is_ok());
    }

    #[test]
    fn a_circle_is_named() {
        let entries = [
            entry("leaf", &["l"], &[]),
            entry("user", &[], &["a"]),
            entry("a", &["a"], &["l", "b"]),
            entry("b", &["b"], &["c"]),
            entry("c", &["c"], &["a"]),
        ];
        let error = all(&entries).expect_err("a circle");
        assert_eq!(error.to_string(), "modules need each other in a circle: a -> b -> c -> a");
        let itself = all(&[entry("a", &["a"], &["a"])]).expect_err("a circle");
        assert_eq!(itself.to_string(), "modules need each other in a circle: a -> a");
    }
}
