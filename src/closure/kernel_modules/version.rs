//! The directory of a version.

use std::collections::BTreeMap;

use image_tree::Directories;
use image_tree::path::join;
use image_tree::resolve::{resolve_in_root, trace_in_root};

use super::error::{Error, Result};

/// The directories of versions. With a merged `/usr` they are the same.
const DIRECTORIES: [&[u8]; 2] = [b"/lib/modules", b"/usr/lib/modules"];

/// A version of the kernel whose modules are in the tree.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: Vec<u8>,
    /// The path of its directory, by which programs look for it.
    pub(super) named: Vec<u8>,
    /// The path of its directory, without symbolic links.
    pub(super) path: Vec<u8>,
}

impl Version {
    /// Returns all versions of the tree by their names.
    pub(super) fn all<T: Directories>(tree: &T) -> BTreeMap<Vec<u8>, Self> {
        Self::search(tree, None).0
    }

    /// Returns the requested version, or the only one of the tree.
    pub(super) fn of<T: Directories>(tree: &T, wanted: Option<&[u8]>) -> Result<Self> {
        let (mut found, file) = Self::search(tree, wanted);
        let names: Vec<String> = found.keys().map(|name| name.escape_ascii().to_string()).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        match (wanted, file) {
            (Some(version), file) => found.remove(version).ok_or_else(|| {
                let version = version.to_vec();
                match file {
                    Some(path) => Error::NotADirectory { version, path },
                    None => Error::VersionNotFound { version, there },
                }
            }),
            (None, _) if found.len() > 1 => Err(Error::SeveralVersions { there }),
            (None, _) => found.into_values().next().ok_or(Error::NoVersion),
        }
    }

    /// Returns all versions, and the path of the wanted one if that is not a directory.
    fn search<T: Directories>(tree: &T, wanted: Option<&[u8]>) -> (BTreeMap<Vec<u8>, Self>, Option<Vec<u8>>) {
        let mut found: BTreeMap<Vec<u8>, Self> = BTreeMap::new();
        let mut file = None;
        for above in DIRECTORIES {
            let entries = resolve_in_root(tree, above).and_then(|id| tree.entries(id));
            for (name, _) in entries.into_iter().flatten() {
                let (name, path) = (name.as_bytes(), join(above, name.as_bytes()));
                match trace_in_root(tree, &path, &mut 0) {
                    Ok(version) if tree.is_directory(version.id) => {
                        let version = Self { name: name.to_vec(), named: path, path: version.path };
                        found.entry(name.to_vec()).or_insert(version);
                    }
                    _ if wanted == Some(name) => _ = file.get_or_insert(path),
                    _ => {}
                }
            }
        }
        (found, file)
    }
}
