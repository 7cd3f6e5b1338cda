//! The report on metadata that an initramfs does not support.

use std::collections::BTreeMap;

use initramfs::{MetadataKind, UnsupportedMetadata};

use crate::log::Log;
use crate::shown::Count;

/// The number of files with one kind of unsupported metadata, and the path of the first.
struct Unsupported<'l> {
    count: u64,
    first: &'l [u8],
}

/// The number of kinds after which further ones are reported as one: xattrs can have any name.
const MAX_KINDS: usize = 20;

/// Logs unsupported metadata: each kind with its number of files. The loss of fractions of seconds
/// is not a warning.
pub(super) fn log(unsupported: &[UnsupportedMetadata], log: &Log) {
    let mut kinds: BTreeMap<(bool, String), Unsupported<'_>> = BTreeMap::new();
    for one in unsupported {
        let is_missed = !matches!(one.kind, MetadataKind::Nanoseconds(_));
        let mut kind = (is_missed, name(&one.kind));
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&kind) {
            kind = (true, "other xattrs".to_owned());
        }
        kinds.entry(kind).or_insert(Unsupported { count: 0, first: &one.path }).count += 1;
    }
    for ((is_missed, name), Unsupported { count, first }) in kinds {
        log.exclude(&name, count);
        if is_missed {
            let files = Count(count, "file loses", "files lose");
            log.warn(format_args!(
                "{files} {name}, which an initramfs cannot store; the first is {}",
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
