//! Adds files of the host to the tree.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};

use super::options::{Options, Report};
use super::place::{create_directory, parent_of};
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::source::directory::{self, Scanned};
use crate::transform::ownership::{self, Ownership};
use crate::transform::{normalize, own_files};
use image_tree::resolve::resolve_in_root;

pub(super) fn add(
    tree: &mut Tree<Blob>,
    source: &Path,
    path: &[u8],
    options: Options<'_>,
    report: &mut Report,
) -> Result<()> {
    let found = std::fs::metadata(source).map_err(|error| Error::io(source, error))?;
    let mut added = if found.is_dir() {
        directory::read(source, options.threads, options.interrupt)?
    } else {
        single_file(directory::read_file(source)?)?
    };
    let hosts = &added.hosts;
    let own = own_files::Options { own: options.own, source, hosts };
    let excluded = own_files::apply(&mut added.tree, &own)?;
    report.warnings.extend(excluded.iter().map(ToString::to_string));
    let root = ownership::Options { ownership: &Ownership::Root, default: &Ownership::Root, hosts };
    let given = ownership::apply(&mut added.tree, &root)?;
    report.warnings.extend(given.map(|given| given.to_string()));
    // All times are clamped at the end.
    let times = normalize::Times::default();
    let normal = normalize::Options { times, keep_selinux: false, filter: options.filter };
    let dropped = normalize::apply(&mut added.tree, &normal)?;
    if !dropped.dropped.is_empty() {
        report.warnings.push(dropped.to_string());
    }
    let mut path = path.to_vec();
    if path.ends_with(b"/") && !found.is_dir() {
        let name = source.file_name().map(OsStrExt::as_bytes);
        path.extend_from_slice(name.unwrap_or_default());
    }
    let above = path.as_slice().into();
    let unreadable = std::mem::take(&mut added.unreadable);
    report.unreadable.extend(unreadable.into_iter().map(|found| found.beneath(&above)));
    let parents = Metadata { mtime: options.time, ..Metadata::new(0o755) };
    copy_tree(tree, &added.tree, &path, &parents, found.is_dir())
        .map_err(|why| Error::new(ErrorKind::BadInput, why))
}

/// The name of a single file in a tree of its own, which is not used later.
const SINGLE_FILE: &[u8] = b"file";

fn single_file(inode: Inode<Blob>) -> Result<Scanned> {
    let refused = |error: String| Error::new(ErrorKind::BadInput, error);
    let name = Name::new(SINGLE_FILE).map_err(|error| refused(error.to_string()))?;
    let mut tree = Tree::new(Metadata::new(0o755));
    tree.insert(InodeId::ROOT, name, inode).map_err(|error| refused(error.to_string()))?;
    Ok(Scanned::from(tree))
}

/// Copies a tree, or its only file, to a path of another tree.
pub(in crate::transform) fn copy_tree(
    tree: &mut Tree<Blob>,
    added: &Tree<Blob>,
    path: &[u8],
    parents: &Metadata,
    is_directory: bool,
) -> Result<(), String> {
    let mut ids: BTreeMap<InodeId, InodeId> = BTreeMap::new();
    if is_directory {
        let root = added.get(InodeId::ROOT).metadata.clone();
        let id = merge_directory(tree, path, root, parents)?;
        ids.insert(InodeId::ROOT, id);
    }
    let mut relative = Vec::new();
    let mut walk = added.walk();
    while let Some(step) = walk.next() {
        let Some(name) = step.name else { continue };
        relative.clear();
        walk.write_path(&mut relative);
        let whole = if is_directory { join(path, &relative) } else { path.to_vec() };
        let inode = added.get(step.id);
        if let Kind::Directory(_) = &inode.kind {
            let id = match ids.get(&step.parent) {
                // Following the path from the root takes long for each directory of a deep tree.
                Some(parent) if tree.lookup(*parent, name.as_bytes()).is_none() => tree
                    .insert(*parent, name.clone(), Inode::directory(inode.metadata.clone()))
                    .map_err(|error| error.to_string())?,
                _ => merge_directory(tree, &whole, inode.metadata.clone(), parents)?,
            };
            ids.insert(step.id, id);
            continue;
        }
        let (parent, name) = match ids.get(&step.parent) {
            Some(parent) => (*parent, name.clone()),
            None => parent_of(tree, &whole, parents)?,
        };
        remove_existing(tree, parent, &name, &whole)?;
        let refused = |error: image_tree::InsertError| error.to_string();
        match ids.get(&step.id) {
            Some(id) => tree.link(parent, name, *id).map_err(refused)?,
            None => {
                let id = tree.insert(parent, name, inode.clone()).map_err(refused)?;
                ids.insert(step.id, id);
            }
        }
    }
    Ok(())
}

/// Returns the directory at a path, created if it is missing. An existing one, also through a
/// symbolic link, keeps its metadata.
fn merge_directory(
    tree: &mut Tree<Blob>,
    path: &[u8],
    metadata: Metadata,
    parents: &Metadata,
) -> Result<InodeId, String> {
    let new = resolve_in_root(tree, path).is_none();
    let id = create_directory(tree, path, parents)?;
    if new {
        *tree.metadata_mut(id) = metadata;
    }
    Ok(id)
}

/// Removes the file that will be replaced.
fn remove_existing(tree: &mut Tree<Blob>, parent: InodeId, name: &Name, path: &[u8]) -> Result<(), String> {
    let Some(old) = tree.lookup(parent, name.as_bytes()) else { return Ok(()) };
    if tree.entries(old).is_some() {
        return Err(format!(
            "{} is a directory in the tree, and a file would take its place; --remove it first",
            path.escape_ascii()
        ));
    }
    tree.remove(parent, name.as_bytes());
    Ok(())
}

fn join(directory: &[u8], relative: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(relative.strip_prefix(b"/").unwrap_or(relative));
    path
}
