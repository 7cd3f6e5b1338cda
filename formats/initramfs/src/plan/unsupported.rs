//! Collection of the metadata that an archive cannot represent.

use image_tree::{Content, Kind, Metadata, Tree};

use crate::lost::{Lost, LostMetadata};
use crate::plan::entries::Entries;

/// Lists the metadata that the archive cannot represent, in the order of the walk.
pub(crate) fn list<C: Content>(tree: &Tree<C>, entries: &Entries) -> Vec<Lost> {
    let mut lost = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        if !step.first {
            continue;
        }
        let inode = tree.get(step.id);
        let count = entries.name_count(step.id);
        let symlink = matches!(inode.kind, Kind::Symlink(_)) && count > 1;
        let whats = of_metadata(&inode.metadata).chain(symlink.then_some(LostMetadata::SymlinkNames(count)));
        for what in whats {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            lost.push(Lost { path, what });
        }
    }
    lost
}

fn of_metadata(metadata: &Metadata) -> impl Iterator<Item = LostMetadata> + '_ {
    let xattrs = metadata.xattrs.keys().map(|name| match name.as_bytes() {
        b"security.capability" => LostMetadata::Capabilities,
        b"security.selinux" => LostMetadata::SelinuxLabel,
        b"system.posix_acl_access" | b"system.posix_acl_default" => LostMetadata::Acl(name.clone()),
        _ => LostMetadata::Xattr(name.clone()),
    });
    let nanoseconds = metadata.mtime.nanoseconds();
    xattrs.chain((nanoseconds > 0).then_some(LostMetadata::Nanoseconds(nanoseconds)))
}
