//! Lists of files, of trees and of directories, to compare them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tar_archive::image_tree::{InodeId, Kind, Tree};

use crate::fixtures::File;

/// Everything that an archive keeps of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, i64),
    pub(crate) device: (u32, u32),
    /// The bytes of a file or the target of a link.
    pub(crate) bytes: Vec<u8>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first name of the same file, in byte order.
    pub(crate) first: Vec<u8>,
}

/// Files by path.
pub(crate) type List = BTreeMap<Vec<u8>, Listed>;

pub(crate) fn of_tree(tree: &Tree<File>) -> List {
    let mut list = List::new();
    let mut firsts: BTreeMap<InodeId, Vec<u8>> = BTreeMap::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let inode = tree.get(step.id);
        let first = firsts.entry(step.id).or_insert_with(|| path.clone()).clone();
        let (bytes, device) = match &inode.kind {
            Kind::Regular(file) => (file.bytes.clone(), (0, 0)),
            Kind::Symlink(target) => (target.as_bytes().to_vec(), (0, 0)),
            Kind::CharacterDevice(device) | Kind::BlockDevice(device) => {
                (Vec::new(), (device.major, device.minor))
            }
            Kind::Directory(_) | Kind::Fifo | Kind::Socket => (Vec::new(), (0, 0)),
        };
        let metadata = &inode.metadata;
        let listed = Listed {
            mode: u32::from(inode.kind.type_bits() | metadata.mode),
            owner: (metadata.uid, metadata.gid),
            mtime: (metadata.mtime.seconds(), metadata.mtime.nanoseconds().into()),
            device,
            bytes,
            xattrs: metadata
                .xattrs
                .iter()
                .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()))
                .collect(),
            first,
        };
        list.insert(path, listed);
    }
    list
}

pub(crate) fn of_directory(root: &Path) -> List {
    let mut list = List::new();
    let mut left = vec![root.to_owned()];
    let mut paths = Vec::new();
    while let Some(path) = left.pop() {
        if path.symlink_metadata().expect("it is there").is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("it is readable")
                    .map(|entry| entry.expect("it is readable").path()),
            );
        }
        let relative = path.strip_prefix(root).expect("it is beneath").as_os_str().as_bytes();
        paths.push(([b"/", relative].concat(), path.clone()));
    }
    paths.sort();
    let mut firsts: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for (name, path) in paths {
        let found = path.symlink_metadata().expect("it is there");
        let first = firsts.entry(found.ino()).or_insert_with(|| name.clone()).clone();
        let bytes = match () {
            () if found.is_file() => fs::read(&path).expect("it is readable"),
            () if found.is_symlink() => {
                fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes()
            }
            () => Vec::new(),
        };
        let has_device = matches!(found.mode() & 0o170_000, 0o020_000 | 0o060_000);
        let number = found.rdev();
        let device = (rustix::fs::major(number), rustix::fs::minor(number));
        let listed = Listed {
            mode: found.mode(),
            owner: (found.uid(), found.gid()),
            mtime: (found.mtime(), found.mtime_nsec()),
            device: if has_device { device } else { (0, 0) },
            bytes,
            xattrs: xattrs(&path),
            first,
        };
        list.insert(name, listed);
    }
    list
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 65_536];
    let len = rustix::fs::llistxattr(path, &mut names[..]).expect("they can be listed");
    let names = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    // A policy of the host labels every file.
    let names = names.filter(|name| *name != b"security.selinux");
    let value = |name: &[u8]| {
        let mut value = vec![0; 65_536];
        let len = rustix::fs::lgetxattr(path, name, &mut value[..]).expect("it is there");
        value.truncate(len);
        value
    };
    names.map(|name| (name.to_vec(), value(name))).collect()
}
