//! The files that a line creates or changes.

use std::collections::BTreeMap;

use image_tree::path::{base_name, join, parent};
use image_tree::{Content as _, Device, Inode, InodeId, Kind, LinkTarget, Metadata, Shown};

use super::super::site::Site;
use super::line::Line;
use super::{pattern, permissions};
use crate::accounts::parse_number;
use crate::blob::Blob;
use crate::error::Result;

/// The directory whose files are copied and linked without an argument.
const FACTORY: &[u8] = b"/usr/share/factory";

/// The result for one path: a problem if it is not done.
type Done = Result<Result<(), String>>;

/// Applies a line.
///
/// # Errors
/// If a file of the tree cannot be read, or cannot be added.
pub(super) fn apply(site: &mut Site<'_>, line: &Line) -> Result<()> {
    let paths = if line.is_pattern() { pattern::find(site, &line.path) } else { vec![line.path.clone()] };
    for path in paths {
        let here = Line { path, ..line.clone() };
        if let Err(why) = one(site, &here)? {
            site.problem(format!("{}: {why}", Shown(&here.path)));
        }
    }
    Ok(())
}

fn one(site: &mut Site<'_>, line: &Line) -> Done {
    match line.kind {
        b'f' | b'F' => file(site, line),
        b'w' => write(site, line),
        b'd' | b'D' | b'v' | b'q' | b'Q' => directory(site, line),
        b'e' => Ok(existing_directory(site, line)),
        b'p' => node(site, line, Kind::Fifo),
        b'c' | b'b' => match device(line) {
            Ok(kind) => node(site, line, kind),
            Err(why) => Ok(Err(why)),
        },
        b'L' => link(site, line),
        b'C' => copy(site, line),
        _ => Ok(change(site, line)),
    }
}

/// Returns the inode of the name, if the directory above can be reached.
fn existing(site: &Site<'_>, line: &Line) -> Option<InodeId> {
    site.find_link(&line.path)
}

/// Adds a file with what it inherits from its directory.
fn add(site: &mut Site<'_>, line: &Line, kind: Kind<Blob>, mode: u16) -> Result<Result<InodeId, String>> {
    let above = parent(&line.path);
    if !site.is_directory(above) {
        // A link to nothing, or another file on the way.
        let mut first = above;
        while site.find_link(first).is_none() && first.len() > 1 {
            first = parent(first);
        }
        if !site.is_directory(first) {
            return Ok(Err(format!("{} does not lead to a directory", Shown(first))));
        }
        site.directory(above, 0o755)?;
    }
    let mut metadata = site.metadata(mode);
    if let Some(above) = site.find(above).map(|id| &site.tree.get(id).metadata)
        && above.mode & 0o2000 != 0
    {
        metadata.gid = above.gid;
        if matches!(kind, Kind::Directory(_)) {
            metadata.mode |= 0o2000;
        }
    }
    let id = site.put(&line.path, Inode { metadata, kind })?;
    permissions::set(site, line, id, true);
    Ok(Ok(id))
}

/// Removes what is in the way of another kind of file, if the line replaces it.
fn make_room(site: &mut Site<'_>, line: &Line, is_fitting: impl Fn(&Kind<Blob>) -> bool) -> Option<InodeId> {
    let id = existing(site, line)?;
    if line.flags.replace && !is_fitting(&site.tree.get(id).kind) {
        site.remove_all(&line.path);
        return None;
    }
    Some(id)
}

fn file(site: &mut Site<'_>, line: &Line) -> Done {
    let text = line.argument.clone().unwrap_or_default();
    let Some(id) = make_room(site, line, |kind| matches!(kind, Kind::Regular(_))) else {
        let mode = line.mode.map_or(0o644, |mode| mode.bits);
        return Ok(add(site, line, Kind::Regular(Blob::from(text)), mode)?.map(|_| ()));
    };
    let Kind::Regular(content) = &site.tree.get(id).kind else {
        return Ok(Err("it is not a file".to_owned()));
    };
    if line.kind == b'F' && (content.len() > 0 || !text.is_empty()) {
        replace(site, line, id, text);
    }
    permissions::set(site, line, id, false);
    Ok(Ok(()))
}

fn write(site: &mut Site<'_>, line: &Line) -> Done {
    let text = line.argument.clone().unwrap_or_default();
    let Some(id) = site.find(&line.path) else { return Ok(Ok(())) };
    if !matches!(site.tree.get(id).kind, Kind::Regular(_)) {
        return Ok(Err("it is not a file".to_owned()));
    }
    let mut before = site.text(&line.path)?.unwrap_or_default();
    let after = if line.flags.append {
        before.extend(text);
        before
    } else {
        // It is overwritten and not shortened.
        let rest = before.split_off(text.len().min(before.len()));
        [text, rest].concat()
    };
    replace(site, line, id, after);
    permissions::set(site, line, id, false);
    Ok(Ok(()))
}

fn replace(site: &mut Site<'_>, line: &Line, id: InodeId, text: Vec<u8>) {
    let replaced = site.tree.replace_kind(id, Kind::Regular(Blob::from(text)));
    debug_assert!(replaced.is_ok(), "a regular file stays one");
    site.tree.metadata_mut(id).mtime = site.time;
    site.made(&line.path);
}

fn directory(site: &mut Site<'_>, line: &Line) -> Done {
    let is_directory = |kind: &Kind<Blob>| matches!(kind, Kind::Directory(_));
    if line.path == b"/" {
        permissions::set(site, line, InodeId::ROOT, false);
        return Ok(Ok(()));
    }
    match make_room(site, line, is_directory) {
        None => {
            let mode = line.mode.map_or(0o755, |mode| mode.bits);
            Ok(add(site, line, Kind::Directory(BTreeMap::new()), mode)?.map(|_| ()))
        }
        Some(id) if is_directory(&site.tree.get(id).kind) => {
            permissions::set(site, line, id, false);
            Ok(Ok(()))
        }
        Some(_) => Ok(Err("it is not a directory".to_owned())),
    }
}

fn existing_directory(site: &mut Site<'_>, line: &Line) -> Result<(), String> {
    let Some(id) = existing(site, line) else { return Ok(()) };
    if site.tree.entries(id).is_none() {
        return Err("it is not a directory".to_owned());
    }
    permissions::set(site, line, id, false);
    Ok(())
}

/// Creates a pipe or a device.
fn node(site: &mut Site<'_>, line: &Line, kind: Kind<Blob>) -> Done {
    let mode = line.mode.map_or(0o644, |mode| mode.bits);
    if line.flags.append && existing(site, line).is_some_and(|id| site.tree.get(id).kind != kind) {
        site.remove_all(&line.path);
    }
    match make_room(site, line, |other| *other == kind) {
        None => Ok(add(site, line, kind, mode)?.map(|_| ())),
        Some(id) if site.tree.get(id).kind == kind => {
            permissions::set(site, line, id, false);
            Ok(Ok(()))
        }
        Some(_) => Ok(Err("there is another file".to_owned())),
    }
}

fn device(line: &Line) -> Result<Kind<Blob>, String> {
    let text = line.argument.as_deref().unwrap_or_default();
    let numbers: Vec<u32> = text.split(|byte| *byte == b':').filter_map(parse_number).collect();
    let [major, minor] = numbers[..] else {
        return Err(format!("\"{}\" is not MAJOR:MINOR", Shown(text)));
    };
    let device = Device { major, minor };
    Ok(if line.kind == b'c' { Kind::CharacterDevice(device) } else { Kind::BlockDevice(device) })
}

fn link(site: &mut Site<'_>, line: &Line) -> Done {
    let target = line.argument.clone().unwrap_or_else(|| [FACTORY, &line.path].concat());
    let above = parent(&line.path);
    let absolute = if target.starts_with(b"/") { target.clone() } else { join(above, &target) };
    if line.flags.if_target && site.find(&absolute).is_none() {
        return Ok(Ok(()));
    }
    let kind = match LinkTarget::new(&target) {
        Ok(target) => Kind::Symlink(target),
        Err(error) => return Ok(Err(error.to_string())),
    };
    match existing(site, line) {
        Some(id) if site.tree.get(id).kind == kind => permissions::set(site, line, id, false),
        Some(id)
            if line.flags.append
                || line.flags.replace && !matches!(site.tree.get(id).kind, Kind::Symlink(_)) =>
        {
            site.remove_all(&line.path);
            return Ok(add(site, line, kind, 0o777)?.map(|_| ()));
        }
        Some(_) => {}
        None => return Ok(add(site, line, kind, 0o777)?.map(|_| ())),
    }
    Ok(Ok(()))
}

/// Copies a file or a directory with its content, if there is none or an empty one.
fn copy(site: &mut Site<'_>, line: &Line) -> Done {
    let from = line.argument.clone().unwrap_or_else(|| [FACTORY, &line.path].concat());
    let Some(source) = site.find_link(&from) else { return Ok(Ok(())) };
    if let Some(id) = existing(site, line) {
        let is_empty = site.tree.entries(id).is_some_and(BTreeMap::is_empty);
        if !is_empty || site.tree.entries(source).is_none() {
            if is_empty || site.tree.entries(id).is_some() == site.tree.entries(source).is_some() {
                permissions::set(site, line, id, false);
            }
            return Ok(Ok(()));
        }
    }
    if line.path.starts_with(&[&from[..], b"/"].concat()) {
        return Ok(Err("it would be copied into itself".to_owned()));
    }
    let owner = |before: &Metadata| {
        let mut metadata = before.clone();
        metadata.uid = line.uid.map_or(metadata.uid, |owner| owner.id);
        metadata.gid = line.gid.map_or(metadata.gid, |owner| owner.id);
        metadata
    };
    let mut left = vec![(source, line.path.clone())];
    let mut is_first = true;
    while let Some((source, path)) = left.pop() {
        let inode = site.tree.get(source);
        let metadata = owner(&inode.metadata);
        let kind = match &inode.kind {
            Kind::Directory(entries) => {
                left.extend(entries.iter().map(|(name, id)| (*id, join(&path, name.as_bytes()))));
                Kind::Directory(BTreeMap::new())
            }
            other => other.clone(),
        };
        if is_first && let Some(id) = existing(site, line) {
            *site.tree.metadata_mut(id) = metadata;
        } else if is_first {
            if let Err(why) = add(site, line, kind, metadata.mode)? {
                return Ok(Err(why));
            }
            if let Some(id) = existing(site, line) {
                *site.tree.metadata_mut(id) = metadata;
            }
        } else {
            debug_assert!(!base_name(&path).is_empty(), "it is beneath the first one");
            site.put(&path, Inode { metadata, kind })?;
        }
        is_first = false;
    }
    if let Some(id) = existing(site, line) {
        permissions::set(site, line, id, true);
    }
    Ok(Ok(()))
}

/// Changes modes, owners, ACLs or xattrs of what exists.
fn change(site: &mut Site<'_>, line: &Line) -> Result<(), String> {
    let Some(id) = existing(site, line) else { return Ok(()) };
    let mut all = vec![(id, line.path.clone())];
    let mut at = 0;
    while line.kind.is_ascii_uppercase() && at < all.len() {
        let (id, path) = all[at].clone();
        let entries = site.tree.entries(id).into_iter().flatten();
        all.extend(entries.map(|(name, id)| (*id, join(&path, name.as_bytes()))));
        at += 1;
    }
    for (id, path) in all {
        let here = Line { path, ..line.clone() };
        match line.kind {
            b'a' | b'A' => permissions::set_acls(site, &here, id),
            b't' | b'T' => permissions::set_xattrs(site, &here, id)?,
            _ => permissions::set(site, &here, id, false),
        }
    }
    Ok(())
}
