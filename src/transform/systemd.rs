//! The files of systemd that an image has and a tree may lack: the link to the unit that starts at
//! boot, and an empty `/etc/machine-id`.
//!
//! With an empty `machine-id` systemd makes an id at the first boot, and writes it there or, on a
//! read-only filesystem, mounts it over the file. Without the file that boot is taken for the first
//! one of an installation, in which presets enable and disable units.

use image_tree::path::{base_name, components, join, parent};
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Inode, InodeId, Kind as FileKind, LinkTarget, Metadata, Name, Timestamp, Tree};

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
pub fn apply<C: From<Vec<u8>>>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Added> {
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
        let empty = FileKind::Regular(C::from(Vec::new()));
        let inode = Inode { metadata: metadata(MACHINE_ID_MODE), kind: empty };
        added.0.push((put(tree, MACHINE_ID, inode)?, MACHINE_ID));
    }
    Ok(added)
}

/// Returns the path of a unit's file or link, or the path that its file would have in place of a
/// template's.
fn unit_file<C>(tree: &Tree<C>, unit: &[u8]) -> Option<Vec<u8>> {
    let at = unit.iter().position(|byte| *byte == b'@');
    let dot = unit.iter().rposition(|byte| *byte == b'.');
    let template = at.zip(dot).map(|(at, dot)| [&unit[..=at], &unit[dot..]].concat());
    [Some(unit.to_vec()), template].into_iter().flatten().find_map(|name| {
        let directory = SEARCH_PATH.iter().find(|directory| has_name(tree, &join(directory, &name)))?;
        Some(join(directory, unit))
    })
}

fn has_name<C>(tree: &Tree<C>, path: &[u8]) -> bool {
    let directory = resolve_in_root(tree, parent(path));
    directory.and_then(|directory| tree.lookup(directory, base_name(path))).is_some()
}

fn refuse(path: &[u8], why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::BadInput, format!("{} cannot be written: {why}", path.escape_ascii()))
}

/// Adds an inode, replacing any of its name, with directories of the usual mode above it. Returns
/// its path without links.
fn put<C>(tree: &mut Tree<C>, path: &'static [u8], inode: Inode<C>) -> Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::testing::tree;

    /// Returns the added paths, or the error, and the tree.
    fn added(files: &[(&str, &str)], target: &DefaultTarget) -> (Tree<Vec<u8>>, Result<Vec<String>>) {
        let mut tree = tree(files);
        let options = Options { default_target: target, time: Timestamp::from_seconds(7) };
        let result = apply(&mut tree, &options);
        let paths = |added: Added| {
            added.0.iter().map(|(path, _)| path.escape_ascii().to_string()).collect::<Vec<_>>()
        };
        (tree, result.map(paths))
    }

    fn unit(name: &str) -> DefaultTarget {
        DefaultTarget::Unit(name.as_bytes().to_vec())
    }

    fn inode<'t>(tree: &'t Tree<Vec<u8>>, path: &str) -> &'t Inode<Vec<u8>> {
        tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect(path))
    }

    #[test]
    fn the_default_target_is_a_link_to_the_file_of_the_unit() {
        const LINK: &str = "/etc/systemd/system/default.target";
        for (name, files, target) in [
            ("a.target", &["/usr/lib/systemd/system/a.target"][..], "/usr/lib/systemd/system/a.target"),
            (
                "a.target",
                &["/usr/lib/systemd/system/a.target", "/etc/systemd/system/a.target"],
                "/etc/systemd/system/a.target",
            ),
            ("a@b.target", &["/usr/lib/systemd/system/a@.target"], "/usr/lib/systemd/system/a@b.target"),
            (
                "a.target",
                &["/usr/lib/systemd/system/a.target", "/etc/systemd/system/default.target"],
                "/usr/lib/systemd/system/a.target",
            ),
        ] {
            let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "text")).collect();
            let (tree, added) = added(&files, &unit(name));
            assert_eq!(added.expect("there is room"), [LINK, "/etc/machine-id"], "{files:?}");
            let link = inode(&tree, LINK);
            let FileKind::Symlink(found) = &link.kind else { panic!("{files:?}") };
            assert_eq!((found.as_bytes(), link.metadata.mode), (target.as_bytes(), 0o777), "{files:?}");
            let above = &inode(&tree, "/etc/systemd").metadata;
            assert_eq!((link.metadata.mtime.seconds(), above.mode), (7, 0o755));
        }
    }

    #[test]
    fn a_machine_id_is_added_unless_there_is_one() {
        let (tree, paths) = added(&[("/private/etc/x", ""), ("/etc", "-> private/etc")], &DefaultTarget::Own);
        assert_eq!(paths.expect("there is room"), ["/private/etc/machine-id"]);
        let added_inode = inode(&tree, "/private/etc/machine-id");
        assert!(matches!(&added_inode.kind, FileKind::Regular(bytes) if bytes.is_empty()));
        assert_eq!((added_inode.metadata.mode, added_inode.metadata.mtime.seconds()), (0o444, 7));
        for own in ["an id", "-> /run/machine-id"] {
            let (_, paths) = added(&[("/etc/machine-id", own)], &DefaultTarget::None);
            assert_eq!(paths.expect("nothing is added"), [""; 0]);
        }
        let error =
            added(&[("/etc", "a file")], &DefaultTarget::Own).1.expect_err("it is a file").to_string();
        assert!(error.starts_with("/etc/machine-id cannot be written: "), "{error}");
    }

    #[test]
    fn what_is_added_is_kept_with_its_directories() {
        let mut closure = Closure::default();
        let (path, name) = (b"/private/etc/machine-id".to_vec(), MACHINE_ID);
        Added(vec![(path, name)]).add_to(&mut closure);
        let kinds = closure.kept.iter().map(|(path, reasons)| {
            let [reason] = &reasons.iter().collect::<Vec<_>>()[..] else { panic!("{reasons:?}") };
            (path.escape_ascii().to_string(), reason.kind, reason.name.clone())
        });
        let name = MACHINE_ID.to_vec();
        let expected = [
            ("/private".to_owned(), Kind::Parent, name.clone()),
            ("/private/etc".to_owned(), Kind::Parent, name.clone()),
            ("/private/etc/machine-id".to_owned(), Kind::Configured, name),
        ];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
    }
}
