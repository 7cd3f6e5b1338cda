//! Reports the metadata that an initramfs cannot hold, in few lines.

use std::collections::BTreeMap;

use initramfs::{MetadataKind, UnsupportedMetadata};

use crate::log::Log;

/// The number of files that lose one kind of metadata, and the path of the first.
struct Loss<'l> {
    count: u64,
    first: &'l [u8],
}

/// The number of kinds after which further ones are reported as one: xattrs can have any name.
const MAX_KINDS: usize = 20;

/// Reports lost metadata: each kind with its number of files. Losses that nobody notices are not
/// warnings.
pub(super) fn tell(lost: &[UnsupportedMetadata], log: &Log) {
    let mut kinds: BTreeMap<(bool, String), Loss<'_>> = BTreeMap::new();
    for one in lost {
        let is_missed = !matches!(one.kind, MetadataKind::Nanoseconds(_));
        let mut kind = (is_missed, name(&one.kind));
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&kind) {
            kind = (true, "other xattrs".to_owned());
        }
        kinds.entry(kind).or_insert(Loss { count: 0, first: &one.path }).count += 1;
    }
    for ((is_missed, name), Loss { count, first }) in kinds {
        log.exclude(&name, count);
        if is_missed {
            let files = if count == 1 { "file loses" } else { "files lose" };
            log.warn(format_args!(
                "{count} {files} {name}, as an initramfs has no place for that; the first is {}",
                first.escape_ascii()
            ));
        }
    }
}

fn name(what: &MetadataKind) -> String {
    match what {
        MetadataKind::Capabilities => "capabilities".to_owned(),
        MetadataKind::SelinuxLabel => "SELinux labels".to_owned(),
        MetadataKind::Acl(_) => "ACLs".to_owned(),
        MetadataKind::Xattr(name) => format!("xattr {name}"),
        MetadataKind::Nanoseconds(_) => "fractions of seconds of times".to_owned(),
        MetadataKind::SymlinkNames(_) => "that several names are one symlink".to_owned(),
        other => format!("{other}"),
    }
}
