//! The files of systemd that an image has and a tree may lack: the link to the unit that starts at
//! boot, and an empty `/etc/machine-id`.
//!
//! With an empty `machine-id` systemd makes an id at the first boot, and writes it there or, on a
//! read-only filesystem, mounts it over the file. Without the file that boot is taken for the first
//! one of an installation, in which presets enable and disable units.

use image_tree::path::{base_name, components, join, parent};
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Inode, InodeId, Kind as FileKind, LinkTarget, Metadata, Name, Timestamp, Tree};

use crate::blob::Blob;
use crate::closure::config::systemd::DefaultTarget;
use crate::closure::config::unit::SEARCH_PATH;
use crate::closure::{Closure, Kind, Reason};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Report};

const MACHINE_ID: &[u8] = b"/etc/machine-id";
const DEFAULT_TARGET: &[u8] = b"/etc/systemd/system/default.target";

/// The mode of `machine-id` as systemd creates it.
const MACHINE_ID_MODE: u16 = 0o444;

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The unit that starts at boot.
    pub default_target: &'a DefaultTarget,
    /// The modification time of what is added.
    pub time: Timestamp,
}

/// The files that were added: the path without links, and the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added(Vec<(Vec<u8>, &'static [u8])>);

impl Report for Added {
    fn log(&self, log: &Log) {
        for (path, _) in &self.0 {
            log.detail(format_args!("{} was added for systemd", path.escape_ascii()));
        }
    }
}

impl Added {
    /// Records the files as needed by systemd.
    pub fn add_to(&self, closure: &mut Closure) {
        for (path, name) in &self.0 {
            let reason = |kind| Reason { kind, by: None, name: name.to_vec() };
            let mut above = parent(path);
            while above != b"/" {
                let reasons = closure.kept.entry(above.to_vec()).or_default();
                if reasons.is_empty() {
                    reasons.insert(reason(Kind::Parent));
                }
                above = parent(above);
            }
            closure.kept.entry(path.clone()).or_default().insert(reason(Kind::Configured));
        }
    }
}

/// Adds the link to the unit that starts at boot, if one is named, and an empty `/etc/machine-id`
/// if there is none.
///
/// # Errors
/// Returns an error if a directory on the way is another kind of file.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Added> {
    let Options { default_target, time } = *options;
    let mut added = Added::default();
    let metadata = |mode| {
        let mut metadata = Metadata::new(mode);
        metadata.mtime = time;
        metadata
    };
    if let DefaultTarget::Unit(unit) = default_target
        && let Some(path) = unit_file(tree, unit)
    {
        let target = LinkTarget::new(&path).map_err(|error| refuse(DEFAULT_TARGET, &error))?;
        let link = Inode { metadata: metadata(0o777), kind: FileKind::Symlink(target) };
        added.0.push((put(tree, DEFAULT_TARGET, link)?, DEFAULT_TARGET));
    }
    if !has_name(tree, MACHINE_ID) {
        let empty = FileKind::Regular(Blob::from(Vec::new()));
        let inode = Inode { metadata: metadata(MACHINE_ID_MODE), kind: empty };
        added.0.push((put(tree, MACHINE_ID, inode)?, MACHINE_ID));
    }
    Ok(added)
}

/// Returns the path of a unit's file or link, or the path that its file would have in place of a
/// template's.
fn unit_file(tree: &Tree<Blob>, unit: &[u8]) -> Option<Vec<u8>> {
    let at = unit.iter().position(|byte| *byte == b'@');
    let dot = unit.iter().rposition(|byte| *byte == b'.');
    let template = at.zip(dot).map(|(at, dot)| [&unit[..=at], &unit[dot..]].concat());
    [Some(unit.to_vec()), template].into_iter().flatten().find_map(|name| {
        let directory = SEARCH_PATH.iter().find(|directory| has_name(tree, &join(directory, &name)))?;
        Some(join(directory, unit))
    })
}

fn has_name(tree: &Tree<Blob>, path: &[u8]) -> bool {
    let directory = resolve_in_root(tree, parent(path));
    directory.and_then(|directory| tree.lookup(directory, base_name(path))).is_some()
}

fn refuse(path: &[u8], why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::BadInput, format!("{} cannot be written: {why}", path.escape_ascii()))
}

/// Adds an inode, replacing any of its name, with directories of the usual mode above it. Returns
/// its path without links.
fn put(tree: &mut Tree<Blob>, path: &'static [u8], inode: Inode<Blob>) -> Result<Vec<u8>> {
    let refuse = |why: &dyn std::fmt::Display| refuse(path, why);
    let mut directory = InodeId::ROOT;
    let mut walked = Vec::new();
    for name in components(parent(path)) {
        walked = join(&walked, name);
        directory = match resolve_in_root(tree, &walked) {
            Some(found) => found,
            None => {
                let mut above = Metadata::new(0o755);
                above.mtime = inode.metadata.mtime;
                let name = Name::new(name).map_err(|error| refuse(&error))?;
                tree.insert(directory, name, Inode::directory(above)).map_err(|error| refuse(&error))?
            }
        };
    }
    tree.remove(directory, base_name(path));
    let name = Name::new(base_name(path)).map_err(|error| refuse(&error))?;
    tree.insert(directory, name, inode).map_err(|error| refuse(&error))?;
    let real = trace_in_root(tree, parent(path), &mut 0).map_err(|error| refuse(&error))?.path;
    Ok(join(&real, base_name(path)))
}
