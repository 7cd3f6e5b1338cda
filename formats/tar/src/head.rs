//! The bytes of an entry before its data.

use image_tree::{Content, Kind, Metadata};

use crate::header::{Header, TypeFlag};
use crate::options::Options;
use crate::records::Records;
use crate::sparse;

/// The head of an entry: records if needed, the header, and the map of a sparse file.
///
/// `path` is that in the archive; `target` is the path of the file's first name if this is another
/// one.
pub(crate) fn head<C: Content>(
    path: &[u8],
    metadata: &Metadata,
    kind: &Kind<C>,
    target: Option<&[u8]>,
    options: &Options,
) -> Vec<u8> {
    let mut records = Records::default();
    records.set_owner_and_time(metadata);
    let (mut name, mut size, mut map) = (path.to_vec(), 0, Vec::new());
    let (mut link_name, mut device): (&[u8], _) = (b"", (0, 0));
    let type_flag = match (target, kind) {
        (Some(target), _) => {
            link_name = target;
            TypeFlag::HardLink
        }
        (None, Kind::Directory(_)) => TypeFlag::Directory,
        (None, Kind::Regular(content)) => {
            size = content.len();
            if let Some(extents) = sparse::extents(content, options.holes) {
                map = sparse::map(extents, content.len());
                size = map.len() as u64 + sparse::stored(extents);
                records.set("GNU.sparse.major", "1");
                records.set("GNU.sparse.minor", "0");
                records.set_any_path("GNU.sparse.name", path);
                records.set("GNU.sparse.realsize", content.len().to_string());
                name = sparse_name(path);
            }
            TypeFlag::Regular
        }
        (None, Kind::Symlink(target)) => {
            link_name = target.as_bytes();
            TypeFlag::Symlink
        }
        (None, Kind::CharacterDevice(number) | Kind::BlockDevice(number)) => {
            device = (number.major, number.minor);
            match kind {
                Kind::BlockDevice(_) => TypeFlag::BlockDevice,
                _ => TypeFlag::CharacterDevice,
            }
        }
        // Planning refuses sockets.
        (None, Kind::Fifo | Kind::Socket) => TypeFlag::Fifo,
    };
    if target.is_none() {
        records.set_xattrs(metadata);
    }
    if map.is_empty() {
        records.set_path("path", path);
    }
    records.set_path("linkpath", link_name);
    records.set_size(size);
    records.set_device(device);
    let Metadata { mode, uid, gid, mtime, .. } = *metadata;
    let header =
        Header { name: &name, mode, uid, gid, size, mtime: mtime.seconds(), type_flag, link_name, device };
    let mut out = Vec::new();
    records.write(&mut out);
    header.write(&mut out);
    out.extend(map);
    out
}

/// Returns the name that readers which do not know maps give the stored bytes.
fn sparse_name(path: &[u8]) -> Vec<u8> {
    let (directory, name) = image_tree::path::split_last(path);
    [directory, b"GNUSparseFile.0/", name].concat()
}
