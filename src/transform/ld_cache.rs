//! Writing `/etc/ld.so.cache`, for a whole tree or the kept part of one.

use image_tree::path::parent;
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Inode, InodeId, Kind as FileKind, Metadata, Name, Timestamp, Tree};

use crate::blob::{Blob, classify_read_error};
use crate::closure::ld_so::cache::scan::{Library, scan};
use crate::closure::ld_so::cache::{Abi, Cache, PATH};
use crate::closure::{self, Closure, Kind, Reason, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Report};
use crate::shown::Count;
use crate::threads::Threads;

const NAME: &[u8] = b"ld.so.cache";

/// The generator that `ldconfig -p` prints. Without a version, so that the same libraries give the
/// same bytes.
const GENERATOR: &[u8] = b"rootcast";

/// The libraries that the cache is for.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// All libraries of the tree.
    Tree {
        /// The threads that read files.
        threads: &'a Threads,
        /// The modification time of the cache.
        time: Timestamp,
        /// True if there must be libraries. Without, no cache is written otherwise.
        required: bool,
    },
    /// The libraries that were kept of a tree.
    Kept {
        /// The directories that the dynamic linkers know.
        directories: &'a [Vec<u8>],
        /// The [`metadata`] of the cache in the whole tree.
        metadata: &'a Metadata,
        /// True if there must be libraries. Without, no cache is written otherwise.
        required: bool,
    },
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The libraries that the cache is for.
    pub scope: Scope<'a>,
}

/// A newly written cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The number of its entries.
    pub entries: usize,
    /// The path without symbolic links.
    pub path: Vec<u8>,
    /// True if it is for the kept part of a tree.
    pub is_reduced: bool,
}

impl Report for Written {
    fn log(&self, log: &Log) {
        let anew = if self.is_reduced { " anew" } else { "" };
        let libraries = Count(self.entries, "library", "libraries");
        log.detail(format_args!("/etc/ld.so.cache was written{anew} for {libraries}"));
    }
}

/// Adds a cache of the libraries to a tree.
///
/// # Errors
/// Returns an error if a library cannot be read, `/etc` is not a directory, or the tree lacks a
/// library for glibc's dynamic linker although it must have one.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Option<Written>> {
    let written = match options.scope {
        Scope::Tree { threads, time, required } => {
            let options =
                closure::Options { pool: threads.pool_of_several()?, ..closure::Options::default() };
            let all = closure::close(tree, &[Request::Path(b"/".to_vec())], &options)?;
            let metadata = metadata(tree, time);
            match write(tree, &all.library_directories, metadata)? {
                Some(written) => written,
                None if required => return Err(not_written("the tree")),
                None => return Ok(None),
            }
        }
        Scope::Kept { directories, metadata, required } => {
            match write(tree, directories, metadata.clone())? {
                Some(written) => Written { is_reduced: true, ..written },
                None if required => return Err(not_written("what is kept")),
                // It would be empty.
                None => return Ok(None),
            }
        }
    };
    Ok(Some(written))
}

/// Returns the metadata of the new cache: those of the existing one except for its time, or else
/// those that `ldconfig` sets.
#[must_use]
pub fn metadata(tree: &Tree<Blob>, time: Timestamp) -> Metadata {
    let before = resolve_in_root(tree, PATH)
        .map(|id| tree.get(id))
        .filter(|inode| matches!(inode.kind, FileKind::Regular(_)));
    let mut metadata = before.map_or_else(|| Metadata::new(0o644), |inode| inode.metadata.clone());
    metadata.mtime = time;
    metadata
}

/// Writes a cache for the current content of the directories, unless they have no libraries.
///
/// # Errors
/// Returns an error if a library cannot be read, or `/etc` is not a directory.
fn write(tree: &mut Tree<Blob>, directories: &[Vec<u8>], metadata: Metadata) -> Result<Option<Written>> {
    let mut abi: Option<Abi> = None;
    let found = scan(tree, directories, |id| match &tree.get(id).kind {
        FileKind::Regular(content) => {
            let library = Library::read(content)?;
            abi = abi.or(library.as_ref().map(|library| library.abi));
            Ok(library)
        }
        _ => Ok(None),
    });
    let mut found = found.map_err(classify_read_error)?;
    let Some(abi) = abi.filter(|_| !found.entries.is_empty()) else { return Ok(None) };
    // Links missing from the tree are not created: the cache names the file itself.
    for link in &found.links {
        let path = |name: &[u8]| [&link.directory, &b"/"[..], name].concat();
        let (named, target) = (path(&link.name), path(&link.target));
        found
            .entries
            .iter_mut()
            .filter(|entry| entry.path == named)
            .for_each(|entry| entry.path.clone_from(&target));
    }
    let entries = found.entries.len();
    let cache = Cache { big_endian: abi.big_endian, generator: GENERATOR.to_vec(), entries: found.entries };
    let bytes = cache.to_bytes(abi).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
    let path = put(tree, bytes, metadata)?;
    Ok(Some(Written { entries, path, is_reduced: false }))
}

/// Adds the file to the tree, replacing any existing entry of its name, and returns its path.
fn put(tree: &mut Tree<Blob>, bytes: Vec<u8>, metadata: Metadata) -> Result<Vec<u8>> {
    let refuse = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::BadInput, format!("{} cannot be written: {error}", PATH.escape_ascii()))
    };
    let name = |bytes: &[u8]| Name::new(bytes).map_err(|error| refuse(&error));
    let etc = match resolve_in_root(tree, b"/etc") {
        Some(etc) => etc,
        None => {
            let mut above = Metadata::new(0o755);
            above.mtime = metadata.mtime;
            let root = InodeId::ROOT;
            tree.insert(root, name(b"etc")?, Inode::directory(above)).map_err(|error| refuse(&error))?
        }
    };
    tree.remove(etc, NAME);
    let inode = Inode { metadata, kind: FileKind::Regular(Blob::from(bytes)) };
    tree.insert(etc, name(NAME)?, inode).map_err(|error| refuse(&error))?;
    let directory = trace_in_root(tree, b"/etc", &mut 0).map_err(|error| refuse(&error))?.path;
    Ok([&directory, &b"/"[..], NAME].concat())
}

/// Records the cache as needed by the dynamic linkers.
pub fn add_to(closure: &mut Closure, path: &[u8]) {
    let is_dynamic_linker = |reason: &Reason| reason.kind == Kind::Interpreter;
    let linkers = closure.kept.iter().filter(|(_, reasons)| reasons.iter().any(is_dynamic_linker));
    let mut linkers: Vec<Option<Vec<u8>>> = linkers.map(|(path, _)| Some(path.clone())).collect();
    if linkers.is_empty() {
        linkers.push(None);
    }
    for by in linkers {
        let reason = |kind| Reason { kind, by: by.clone(), name: PATH.to_vec() };
        if parent(path) != b"/" {
            let above = closure.kept.entry(parent(path).to_vec()).or_default();
            if above.is_empty() {
                above.insert(reason(Kind::Parent));
            }
        }
        closure.kept.entry(path.to_vec()).or_default().insert(reason(Kind::Configured));
    }
}

/// Returns the error for a requested cache that was not written.
fn not_written(what: &str) -> Error {
    let message = format!(
        "--ld-cache: {what} has no program for glibc's dynamic linker, which alone reads it, or no libraries where it searches"
    );
    Error::new(ErrorKind::BadInput, message)
}
