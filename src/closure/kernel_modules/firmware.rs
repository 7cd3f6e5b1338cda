//! The files of firmware that modules name.

use std::collections::BTreeSet;

use image_tree::glob::{Glob, NameGlob};
use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Directories, Kind};

/// The directory in which the kernel looks for firmware.
const DIRECTORY: &[u8] = b"/lib/firmware";
/// The endings of files, in the order in which the kernel tries them in all directories.
const ENDINGS: [&[u8]; 3] = [b"", b".zst", b".xz"];

/// The firmware that was looked for.
#[derive(Debug, Default)]
pub(super) struct Firmware {
    looked_for: BTreeSet<Vec<u8>>,
    /// The names that the tree does not have, each with a module.
    missing: Vec<(Vec<u8>, Vec<u8>)>,
    seen_missing: BTreeSet<Vec<u8>>,
}

impl Firmware {
    /// Returns the paths of the files for a name or pattern in a module.
    pub(super) fn find<T: Directories>(
        &mut self,
        tree: &T,
        version: &[u8],
        module: &[u8],
        name: &[u8],
    ) -> Vec<Vec<u8>> {
        self.looked_for.insert(name.to_vec());
        let found = find(tree, version, name);
        if found.is_empty() && self.seen_missing.insert(name.to_vec()) {
            self.missing.push((name.to_vec(), module.to_vec()));
        }
        found
    }

    /// Returns a sentence with the number of files that are missing.
    pub(super) fn missing(&self) -> Option<String> {
        let (name, module) = self.missing.first()?;
        let (count, all) = (self.missing.len(), self.looked_for.len());
        let (name, module) = (name.escape_ascii(), module.escape_ascii());
        Some(format!(
            "{count} of {all} files of firmware that kept modules name are not in the tree, such as {name} of {module}"
        ))
    }
}

fn find<T: Directories>(tree: &T, version: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let names: Vec<&[u8]> = name.split(|byte| *byte == b'/').collect();
    if names.iter().any(|name| matches!(name, &b"" | &b"." | &b"..")) {
        return Vec::new();
    }
    let updates = join(DIRECTORY, b"updates");
    let directories = [join(&updates, version), updates, join(DIRECTORY, version), DIRECTORY.to_vec()];
    if Glob::is_pattern(name) {
        let mut found: Vec<Vec<u8>> =
            directories.iter().flat_map(|above| matching(tree, above, &names)).collect();
        found.dedup();
        return found;
    }
    let all = ENDINGS
        .iter()
        .flat_map(|ending| directories.iter().map(move |above| join(above, &[name, *ending].concat())));
    all.into_iter().find(|path| is_file(tree, path)).into_iter().collect()
}

/// Returns the files beneath a directory that match a pattern, with any of the endings.
fn matching<T: Directories>(tree: &T, above: &[u8], names: &[&[u8]]) -> Vec<Vec<u8>> {
    let Some((last, directories)) = names.split_last() else { return Vec::new() };
    let mut paths = vec![above.to_vec()];
    for name in directories {
        paths = paths.iter().flat_map(|path| named(tree, path, name)).collect();
    }
    let ended = ENDINGS.iter().map(|ending| [*last, *ending].concat());
    let ended: Vec<Vec<u8>> = ended.collect();
    let found = paths.iter().flat_map(|path| ended.iter().flat_map(|name| named(tree, path, name)));
    let mut found: Vec<Vec<u8>> = found.filter(|path| is_file(tree, path)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Returns the entries of a directory whose names match.
fn named<T: Directories>(tree: &T, directory: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    if !Glob::is_pattern(name) {
        return vec![join(directory, name)];
    }
    let Ok(glob) = NameGlob::parse(name) else { return Vec::new() };
    let entries = resolve_in_root(tree, directory).and_then(|id| tree.entries(id));
    let names = entries.into_iter().flatten().map(|(name, _)| name.as_bytes());
    names.filter(|name| glob.matches(name)).map(|name| join(directory, name)).collect()
}

fn is_file<T: Directories>(tree: &T, path: &[u8]) -> bool {
    resolve_in_root(tree, path).is_some_and(|id| matches!(tree.get(id).kind, Kind::Regular(_)))
}
