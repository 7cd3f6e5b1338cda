//! Modes, owners, ACLs and xattrs that a line sets.

use image_tree::acl::{self, Acl};
use image_tree::{InodeId, Kind, Metadata, XattrName};

use super::super::site::Site;
use super::super::specifiers::words;
use super::acl::of_mode;
use super::line::Line;

/// Sets the mode and the owner of a file. `is_new` is true if the line created it.
pub(super) fn set(site: &mut Site<'_>, line: &Line, id: InodeId, is_new: bool) {
    let inode = site.tree.get(id);
    let before = &inode.metadata;
    let is_link = matches!(inode.kind, Kind::Symlink(_));
    let is_directory = matches!(inode.kind, Kind::Directory(_));
    let mut mode = before.mode;
    if let Some(wanted) = line.mode.filter(|wanted| is_new || !wanted.only_new) {
        mode = wanted.bits;
        if wanted.is_masked {
            for bits in [0o111, 0o222, 0o444] {
                if before.mode & bits == 0 {
                    mode &= !bits;
                }
            }
            if !is_directory {
                mode &= 0o777;
            }
        }
    }
    let uid = line.uid.filter(|wanted| is_new || !wanted.only_new).map_or(before.uid, |owner| owner.id);
    let gid = line.gid.filter(|wanted| is_new || !wanted.only_new).map_or(before.gid, |owner| owner.id);
    if (uid, gid, mode) == (before.uid, before.gid, before.mode) {
        return;
    }
    let metadata = site.tree.metadata_mut(id);
    (metadata.uid, metadata.gid) = (uid, gid);
    if !is_link && mode != metadata.mode {
        metadata.chmod(mode);
    }
    let path = line.path.clone();
    site.made(&path);
}

/// Sets the ACLs of a file that is not a link.
pub(super) fn set_acls(site: &mut Site<'_>, line: &Line, id: InodeId) {
    let is_directory = match site.tree.get(id).kind {
        Kind::Symlink(_) => return,
        Kind::Directory(_) => true,
        _ => false,
    };
    let metadata = site.tree.metadata_mut(id);
    let before = metadata.clone();
    let list = |name: &[u8]| before.xattrs.get(name).and_then(|value| Acl::from_xattr(value).ok());
    if let Some(entries) = &line.acls.access {
        let current = match list(acl::ACCESS).filter(|_| line.flags.append) {
            Some(acl) => acl.entries().to_vec(),
            None if line.flags.append => of_mode(before.mode).to_vec(),
            None => Vec::new(),
        };
        if let Some(acl) = entries.over(&current, before.mode) {
            metadata.set_access_acl(Some(&acl));
        }
    }
    if let Some(entries) = line.acls.default.as_ref().filter(|_| is_directory) {
        let current = list(acl::DEFAULT).filter(|_| line.flags.append);
        let current = current.as_ref().map(Acl::entries).unwrap_or_default();
        let list = entries.over(current, metadata.mode);
        if let (Some(acl), Ok(name)) = (list, XattrName::new(acl::DEFAULT)) {
            metadata.xattrs.insert(name, acl.to_xattr());
        }
    }
    if *site.tree.metadata_mut(id) != before {
        let path = line.path.clone();
        site.made(&path);
    }
}

/// Sets the xattrs of a file.
///
/// # Errors
/// Returns the reason if the argument is not `NAME=VALUE …`.
pub(super) fn set_xattrs(site: &mut Site<'_>, line: &Line, id: InodeId) -> Result<(), String> {
    for pair in words(line.argument.as_deref().unwrap_or_default())? {
        let equals = pair.iter().position(|byte| *byte == b'=').ok_or("an xattr has the form NAME=VALUE")?;
        let name = XattrName::new(&pair[..equals]).map_err(|error| error.to_string())?;
        let Metadata { xattrs, .. } = site.tree.metadata_mut(id);
        xattrs.insert(name, pair[equals + 1..].into());
        let path = line.path.clone();
        site.made(&path);
    }
    Ok(())
}
