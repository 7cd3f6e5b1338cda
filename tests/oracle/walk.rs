//! A directory of the host as an expectation.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::expected::{Content, Expected, File, Kind, Time, join};

/// Link counts by path.
pub(crate) type LinkCounts = BTreeMap<Vec<u8>, u64>;

/// Returns every file below `root`, and every file's link count from the host's kernel.
pub(crate) fn directory(root: &Path) -> io::Result<(Expected, LinkCounts)> {
    let mut expected = Expected::default();
    let mut link_counts = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    let mut to_do = vec![b"/".to_vec()];
    while let Some(path) = to_do.pop() {
        let host = host_path(root, &path);
        let metadata = fs::symlink_metadata(&host)?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&host)? {
                to_do.push(join(&path, entry?.file_name().as_bytes()));
            }
        }
        link_counts.insert(path.clone(), metadata.nlink());
        inodes.insert(path.clone(), metadata.ino());
        expected.files.insert(path, file(&host, &metadata)?);
    }
    expected.link(&inodes);
    Ok((expected, link_counts))
}

/// Returns the host's path of a path of the tree.
pub(crate) fn host_path(root: &Path, path: &[u8]) -> PathBuf {
    let relative = path.strip_prefix(b"/").unwrap_or(path);
    if relative.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(relative)) }
}

fn file(host: &Path, metadata: &Metadata) -> io::Result<File> {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).map_err(io::Error::other)?;
    Ok(File {
        kind: kind(host, metadata)?,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: Some(Time { seconds: metadata.mtime(), nanoseconds }),
        xattrs: xattrs(host)?,
        same_as: None,
    })
}

/// Returns the kind of a file of the host, with its content.
pub(crate) fn kind(host: &Path, metadata: &Metadata) -> io::Result<Kind> {
    let file_type = metadata.file_type();
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    Ok(if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::Regular(Content::read(fs::File::open(host)?)?)
    } else if file_type.is_symlink() {
        Kind::Symlink(fs::read_link(host)?.into_os_string().into_vec())
    } else if file_type.is_char_device() {
        Kind::CharacterDevice { major, minor }
    } else if file_type.is_block_device() {
        Kind::BlockDevice { major, minor }
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else {
        Kind::Socket
    })
}

fn xattrs(host: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    /// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX` of the kernel.
    const MAX: usize = 65536;
    let mut names = vec![0; MAX];
    let count = match rustix::fs::llistxattr(host, &mut names[..]) {
        Ok(count) => count,
        Err(Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut xattrs = BTreeMap::new();
    for name in names[..count].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; MAX];
        let count = rustix::fs::lgetxattr(host, name, &mut value[..])?;
        value.truncate(count);
        xattrs.insert(name.to_vec(), value);
    }
    Ok(xattrs)
}
