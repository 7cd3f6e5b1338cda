//! The indices of the modules of a version.

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, Shown, Tree};
use kmod_index::{Sources, Warning, reduced_order};

use super::read::read;
use crate::blob::Blob;
use crate::bounded;
use crate::closure::kernel_modules::{FoundFiles, find};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report};
use crate::threads::Threads;

/// The longest `modules.order`, `modules.builtin` and `modules.builtin.modinfo`, in bytes: 16 MiB.
const MAX_TEXT: u64 = 16 << 20;

/// Names of files with their bytes.
pub type Files = Vec<(&'static str, Vec<u8>)>;

/// The indices of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The number of modules in the indices.
    pub modules: usize,
    /// The files.
    pub files: Files,
    /// The lines of `modules.order` that list one of the modules, if it is there and valid.
    pub order: Option<Vec<u8>>,
    /// The links that lead to no module.
    found: FoundFiles,
    warnings: Vec<Warning>,
}

impl Report for Planned {
    fn log(&self, log: &Log) {
        for path in &self.found.dangling {
            log.warn(format_args!("{} is a link that leads to no module of the tree", Shown(path)));
        }
        self.warnings.iter().for_each(|warning| log.warn(warning));
    }
}

/// Reads the modules in the directory `version` of the tree and plans their indices. `place` is the
/// path of the directory in messages.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if a module is corrupt or the modules have no indices; the
/// error of a file that cannot be read.
pub fn plan(
    tree: &Tree<Blob>,
    version: &[u8],
    place: &[u8],
    threads: &Threads,
    interrupt: &Interrupt,
) -> Result<Planned> {
    let mut found = find(tree, version).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
    let modules = read(tree, place, &found.files, threads, interrupt)?;
    let order = text(tree, version, "modules.order")?;
    let builtin = text(tree, version, "modules.builtin")?;
    let builtin_modinfo = text(tree, version, "modules.builtin.modinfo")?;
    let sources = Sources {
        modules: &modules,
        order: order.as_deref(),
        builtin: builtin.as_deref(),
        builtin_modinfo: builtin_modinfo.as_deref(),
    };
    let indices = kmod_index::plan(&sources)
        .map_err(|error| Error::new(ErrorKind::BadInput, format!("{}: {error}", Shown(place))))?;
    found.files.clear();
    let order = order.and_then(|order| reduced_order(&order, &modules));
    let clashes = indices.warnings.iter().filter(|warning| matches!(warning, Warning::SameName { .. }));
    let modules = modules.len() - clashes.count();
    Ok(Planned { modules, files: indices.files, order, found, warnings: indices.warnings })
}

/// Reads a text of the version, if there is one.
fn text(tree: &Tree<Blob>, version: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let path = join(version, name.as_bytes());
    let Some(id) = resolve_in_root(tree, &path) else { return Ok(None) };
    match &tree.get(id).kind {
        Kind::Regular(content) => bounded::read_content(content, MAX_TEXT, Shown(&path)).map(Some),
        _ => Ok(None),
    }
}
