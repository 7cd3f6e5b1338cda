//! Collection of the metadata that an archive cannot represent.

use image_tree::{Content, Kind, Metadata, Tree};

use crate::layout::{MetadataKind, UnsupportedMetadata};
use crate::plan::entries::Entries;

/// Lists the metadata that the archive cannot represent, in the order of the walk.
pub(crate) fn list<C: Content>(tree: &Tree<C>, entries: &Entries) -> Vec<UnsupportedMetadata> {
    let mut unsupported = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        if !step.first {
            continue;
        }
        let inode = tree.get(step.id);
        let count = entries.name_count(step.id);
        let symlink = matches!(inode.kind, Kind::Symlink(_)) && count > 1;
        let kinds = of_metadata(&inode.metadata).chain(symlink.then_some(MetadataKind::SymlinkNames(count)));
        for kind in kinds {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            unsupported.push(UnsupportedMetadata { path, kind });
        }
    }
    unsupported
}

fn of_metadata(metadata: &Metadata) -> impl Iterator<Item = MetadataKind> + '_ {
    let xattrs = metadata.xattrs.keys().map(|name| match name.as_bytes() {
        b"security.capability" => MetadataKind::Capabilities,
        b"security.selinux" => MetadataKind::SelinuxLabel,
        b"system.posix_acl_access" | b"system.posix_acl_default" => MetadataKind::Acl(name.clone()),
        _ => MetadataKind::Xattr(name.clone()),
    });
    let nanoseconds = metadata.mtime.nanoseconds();
    xattrs.chain((nanoseconds > 0).then_some(MetadataKind::Nanoseconds(nanoseconds)))
}
