//! The indices of the modules that are kept of a version.

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Inode, Kind as FileKind, Metadata, Name, Shown, Timestamp, Tree};

use super::indices::{Planned, plan};
use crate::blob::Blob;
use crate::closure::{Closure, Kind, Reason};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report};
use crate::shown::Count;
use crate::threads::Threads;

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The path of the version's directory, without symbolic links.
    pub version: &'a [u8],
    /// The threads that read modules.
    pub threads: &'a Threads,
    /// The interrupt that stops the reading.
    pub interrupt: &'a Interrupt,
    /// The modification time of the indices.
    pub time: Timestamp,
}

/// The indices that were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    planned: Planned,
    version: Vec<u8>,
    /// The paths of the files without symbolic links.
    paths: Vec<Vec<u8>>,
}

impl Report for Written {
    fn log(&self, log: &Log) {
        self.planned.log(log);
        let modules = Count(self.planned.modules, "module", "modules");
        log.detail(format_args!("{}: the indices were written anew for {modules}", Shown(&self.version)));
    }
}

impl Written {
    /// Records the files that the search did not find in the tree.
    pub fn add_to(&self, closure: &mut Closure) {
        for path in &self.paths {
            let reasons = closure.kept.entry(path.clone()).or_default();
            if reasons.is_empty() {
                reasons.insert(Reason { kind: Kind::Configured, by: None, name: path.clone() });
            }
        }
    }
}

/// Writes the indices of the modules that a reduced tree has, and leaves the lines of other modules
/// out of its `modules.order`. Files keep their owners and permissions. Returns `None` if nothing
/// of the version is kept.
///
/// # Errors
/// Those of [`plan`]; [`BadInput`](ErrorKind::BadInput) if a directory is in the place of an index.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Option<Written>> {
    let Options { version, threads, interrupt, time } = *options;
    let Some(directory) = resolve_in_root(tree, version) else { return Ok(None) };
    let mut planned = plan(tree, version, version, threads, interrupt)?;
    let order = planned.order.take().map(|order| ("modules.order", order));
    let mut paths = Vec::new();
    for (name, bytes) in std::mem::take(&mut planned.files).into_iter().chain(order) {
        let path = join(version, name.as_bytes());
        let refuse = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::BadInput, format!("{} cannot be written: {error}", Shown(&path)))
        };
        let before = resolve_in_root(tree, &path).map(|id| tree.get(id));
        if before.is_some_and(|inode| matches!(inode.kind, FileKind::Directory(_))) {
            return Err(refuse(&"it is a directory"));
        }
        let metadata = before.map_or_else(|| Metadata::new(0o644), |inode| inode.metadata.clone());
        let metadata = Metadata { mtime: time, ..metadata };
        tree.remove(directory, name.as_bytes());
        let name = Name::new(name).map_err(|error| refuse(&error))?;
        let inode = Inode { metadata, kind: FileKind::Regular(Blob::from(bytes)) };
        tree.insert(directory, name, inode).map_err(|error| refuse(&error))?;
        paths.push(path);
    }
    Ok(Some(Written { planned, version: version.to_vec(), paths }))
}
