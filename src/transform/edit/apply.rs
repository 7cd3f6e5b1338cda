//! Applies one edit.

use image_tree::acl::{self, Acl};
use image_tree::{Content, Inode, Kind, Metadata, Tree, XattrName};

use super::action::{Action, Edit, Files, Group};
use super::options::{Options, Report};
use super::place::{Place, create_directory, find, parent_of};
use super::{add, key_files, write};
use crate::accounts::Accounts;
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::transform::mode::Mode;

const CAPABILITY: &[u8] = b"security.capability";

pub(super) fn apply_edit(
    tree: &mut Tree<Blob>,
    edit: &Edit,
    options: Options<'_>,
    report: &mut Report,
) -> Result<()> {
    let refused = |why: String| Error::new(ErrorKind::BadInput, format!("{}: {why}", edit.text));
    let parents = Metadata { mtime: options.time, ..Metadata::new(0o755) };
    match &edit.action {
        Action::Add { source, path } => add::add(tree, source, path, options, report).map_err(|error| {
            let message = format!("{}: {error}", edit.text);
            Error::new(error.kind(), message)
        }),
        Action::Write { path, mode, text } => {
            write::write(tree, path, *mode, text, &parents).map_err(refused)
        }
        Action::Key { path, edit: change } => {
            let found = key_files::change_file(tree, path, change, options.time).map_err(refused)?;
            if !found {
                report.warnings.push(format!("{}: the section does not have the key", edit.text));
            }
            Ok(())
        }
        Action::Mkdir { path, mode, owner } => {
            mkdir(tree, path, *mode, owner.as_ref(), &parents)?.map_err(refused)
        }
        Action::Symlink { target, path } => {
            let metadata = Metadata { mode: 0o777, ..parents.clone() };
            insert(tree, path, Inode { metadata, kind: Kind::Symlink(target.clone()) }, &parents)
                .map_err(refused)
        }
        Action::Mknod { path, block, device, mode } => {
            let kind = if *block { Kind::BlockDevice(*device) } else { Kind::CharacterDevice(*device) };
            let metadata = Metadata { mode: *mode, ..parents.clone() };
            insert(tree, path, Inode { metadata, kind }, &parents).map_err(refused)
        }
        Action::Chmod { files, mode } => chmod(tree, files, mode).map_err(refused),
        Action::Chown { files, user, group } => {
            let accounts = Accounts::of(tree)?;
            chown(tree, files, user.as_deref(), group, &accounts).map_err(refused)
        }
        Action::Setcap { files, value } => setcap(tree, files, value).map_err(refused),
        Action::Xattr { files, name, value } => match name.as_bytes() {
            acl::ACCESS | acl::DEFAULT => set_acl(tree, files, name, value).map_err(refused),
            _ => set_xattr(tree, files, name.clone(), value, &|_| Ok(())).map_err(refused),
        },
        Action::Remove { files, required } => remove(tree, files, *required).map_err(refused),
    }
}

/// Returns the files, at least one.
fn find_required<C>(tree: &Tree<C>, files: &Files) -> Result<Vec<Place>, String> {
    let found = find(tree, files)?;
    if !found.is_empty() {
        return Ok(found);
    }
    Err(match files {
        Files::Path(path) => format!("{} is not in the tree", path.escape_ascii()),
        Files::Glob(_) => "nothing in the tree matches".to_owned(),
    })
}

fn mkdir<C: Content>(
    tree: &mut Tree<C>,
    path: &[u8],
    mode: Option<u16>,
    owner: Option<&(Vec<u8>, Vec<u8>)>,
    parents: &Metadata,
) -> Result<Result<(), String>> {
    let accounts = if owner.is_some() { Accounts::of(tree)? } else { Accounts::default() };
    let mut create = || {
        let owner = match owner {
            Some((user, group)) => Some((accounts.uid(user)?, accounts.gid(group)?)),
            None => None,
        };
        let id = create_directory(tree, path, parents)?;
        let metadata = tree.metadata_mut(id);
        if let Some(mode) = mode {
            metadata.chmod(mode);
        }
        (metadata.uid, metadata.gid) = owner.unwrap_or((metadata.uid, metadata.gid));
        Ok(())
    };
    Ok(create())
}

fn insert<C>(tree: &mut Tree<C>, path: &[u8], inode: Inode<C>, parents: &Metadata) -> Result<(), String> {
    let (parent, name) = parent_of(tree, path, parents)?;
    let refused = |error: image_tree::InsertError| format!("{error}; --remove it first");
    tree.insert(parent, name, inode).map(|_| ()).map_err(refused)
}

fn chmod<C>(tree: &mut Tree<C>, files: &Files, mode: &Mode) -> Result<(), String> {
    for place in find_required(tree, files)? {
        let inode = tree.get(place.id);
        let is_directory = matches!(inode.kind, Kind::Directory(_));
        if matches!(inode.kind, Kind::Symlink(_)) {
            // A glob may match links, which have no modes to change; a path that names one is a
            // mistake.
            if matches!(files, Files::Glob(_)) {
                continue;
            }
            return Err(format!("{} is a symbolic link, which has no mode", place.path(tree)));
        }
        let metadata = tree.metadata_mut(place.id);
        metadata.chmod(mode.apply(metadata.mode, is_directory));
    }
    Ok(())
}

fn chown<C>(
    tree: &mut Tree<C>,
    files: &Files,
    user: Option<&[u8]>,
    group: &Group,
    accounts: &Accounts,
) -> Result<(), String> {
    let uid = user.map(|user| accounts.uid(user)).transpose()?;
    let gid = match (group, user) {
        (Group::Named(group), _) => Some(accounts.gid(group)?),
        (Group::Login, Some(user)) => Some(accounts.login_group(user)?),
        (Group::Login | Group::Keep, _) => None,
    };
    for place in find_required(tree, files)? {
        let metadata = tree.metadata_mut(place.id);
        metadata.uid = uid.unwrap_or(metadata.uid);
        metadata.gid = gid.unwrap_or(metadata.gid);
    }
    Ok(())
}

fn setcap<C>(tree: &mut Tree<C>, files: &Files, value: &[u8]) -> Result<(), String> {
    let name = XattrName::new(CAPABILITY).map_err(|error| error.to_string())?;
    set_xattr(tree, files, name, value, &|kind| match kind {
        Kind::Regular(_) => Ok(()),
        _ => Err("is not a regular file, and only those have capabilities".to_owned()),
    })
}

fn set_xattr<C>(
    tree: &mut Tree<C>,
    files: &Files,
    name: XattrName,
    value: &[u8],
    check: &dyn Fn(&Kind<C>) -> Result<(), String>,
) -> Result<(), String> {
    for place in find_required(tree, files)? {
        check(&tree.get(place.id).kind).map_err(|why| format!("{} {why}", place.path(tree)))?;
        tree.metadata_mut(place.id).xattrs.insert(name.clone(), value.into());
    }
    Ok(())
}

/// Sets an ACL, or removes it with a value without entries. The mode follows an access ACL.
///
/// As with modes, a glob skips files that cannot have one: symbolic links, and for a default ACL
/// all but directories.
fn set_acl<C>(tree: &mut Tree<C>, files: &Files, name: &XattrName, value: &[u8]) -> Result<(), String> {
    let new = if Acl::is_removal(value) {
        None
    } else {
        Some(
            Acl::from_xattr(value)
                .map_err(|error| format!("the value of {name} is not a POSIX ACL: {error}"))?,
        )
    };
    let is_default = name.as_bytes() == acl::DEFAULT;
    let mut changed = false;
    for place in find_required(tree, files)? {
        let refused = match &tree.get(place.id).kind {
            Kind::Directory(_) => None,
            Kind::Symlink(_) => Some("is a symbolic link, which has no ACL"),
            _ if is_default => Some("is not a directory, and only those have a default ACL"),
            _ => None,
        };
        if let Some(why) = refused {
            if matches!(files, Files::Glob(_)) {
                continue;
            }
            return Err(format!("{} {why}", place.path(tree)));
        }
        changed = true;
        let metadata = tree.metadata_mut(place.id);
        match (&new, is_default) {
            (new, false) => metadata.set_access_acl(new.as_ref()),
            (Some(new), true) => _ = metadata.xattrs.insert(name.clone(), new.to_xattr()),
            (None, true) => _ = metadata.xattrs.remove(name),
        }
    }
    if changed { Ok(()) } else { Err("nothing that matches can have this ACL".to_owned()) }
}

fn remove<C>(tree: &mut Tree<C>, files: &Files, required: bool) -> Result<(), String> {
    let found = if required { find_required(tree, files)? } else { find(tree, files)? };
    for Place { parent, name, .. } in found {
        let name = name.ok_or_else(|| "the root directory cannot be removed".to_owned())?;
        // OK if the parent is already removed: its entries are then not part of the result.
        tree.remove(parent, name.as_bytes());
    }
    Ok(())
}
