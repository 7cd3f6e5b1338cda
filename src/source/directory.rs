//! A directory of the host as a tree.

mod assemble;
mod list;
mod scan;
#[cfg(test)]
mod tests;
mod xattrs;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::{Inode, InodeId, Tree};

use crate::blob::{Blob, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::report::progress::Silent;
use crate::source::ReadOptions;

use scan::Manner;

/// A directory of the host, and what of it is no part of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The tree.
    pub tree: Tree<Blob>,
    /// Which inode of the host each inode of the tree was, by the tree's index. Empty when they were none.
    pub hosts: Vec<HostInode>,
    /// What may not be read, in the order of the tree's walk: once for each name.
    pub unreadable: Vec<Unreadable>,
    /// The directories that [`read_where`] was not to look into, with their paths in the tree, without a leading `/`.
    pub unlisted: Vec<(InodeId, Vec<u8>)>,
    /// The directories on other filesystems whose entries were to be left out, with their paths in the tree, without a
    /// leading `/`.
    pub elsewhere: Vec<Vec<u8>>,
}

impl From<Tree<Blob>> for Scanned {
    /// A tree that comes from no inodes of the host.
    fn from(tree: Tree<Blob>) -> Self {
        Self { tree, hosts: Vec::new(), unreadable: Vec::new(), unlisted: Vec::new(), elsewhere: Vec::new() }
    }
}

/// An inode of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostInode {
    /// `st_dev`, as `makedev(3)` packs it.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// A regular file whose bytes, or a directory whose entries the host does not let us see. In the tree it stands with
/// its metadata but without its xattrs, and a directory without entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its path on the host, for messages.
    pub host_path: PathBuf,
    /// Its path in the tree, without a leading `/`.
    pub path: Vec<u8>,
    /// Whether it is a directory.
    pub directory: bool,
}

/// Reads everything beneath a directory of the host but the bytes of its files, which [`Blob`] reads later.
///
/// The path may be a symbolic link to a directory; none is followed beneath it. What is mounted there is part of the tree.
/// Two names are one file when they have the same inode, whatever kind of file it is. The result depends neither on
/// the order in which the host lists a directory nor on `threads`, of which at least one and at most 32 are used.
///
/// What may not be read is no error here: it is in [`Scanned::unreadable`], so that all of it can be told at once.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io) with the path of a directory that cannot be read for another reason.
/// [`BadInput`](crate::error::ErrorKind::BadInput) with the path of what changed during the scan or has metadata no tree can hold.
pub fn read(path: &Path, threads: usize) -> Result<Scanned> {
    scan(path, &Manner { threads, wanted: &|_| true, found: &Silent, one_file_system: false })
}

/// As [`read`], as the options say. They are told of the bytes of the files with one name, as these are found: of bytes
/// that have blocks, and so of no more than whoever copies all files must write.
///
/// # Errors
/// As [`read`].
pub fn read_as(path: &Path, options: &ReadOptions<'_>) -> Result<Scanned> {
    read_where(path, options, &|_| true)
}

/// As [`read_as`], but looks only into those directories beneath the root that `wanted` is true for, by their paths in the
/// tree without a leading `/`. The others stand without entries and xattrs.
///
/// # Errors
/// As [`read`].
pub fn read_where(
    path: &Path,
    options: &ReadOptions<'_>,
    wanted: &(dyn Fn(&[u8]) -> bool + Sync),
) -> Result<Scanned> {
    let ReadOptions { threads, found, one_file_system, .. } = *options;
    let wanted = |path: &[u8]| path.is_empty() || wanted(path);
    scan(path, &Manner { threads: threads.get(), wanted: &wanted, found, one_file_system })
}

fn scan(path: &Path, manner: &Manner<'_>) -> Result<Scanned> {
    let root = Root::open_at(path).map_err(|errno| Error::io(path, errno))?;
    let root = Arc::new(root);
    assemble::assemble(&root, scan::scan(&root, manner)?)
}

/// Reads one file of the host that is no directory. The path may be a symbolic link, which is followed.
///
/// # Errors
/// As [`read`]; and when the file is a directory or may not be read.
pub fn read_file(path: &Path) -> Result<Inode<Blob>> {
    // Links are followed here and nowhere later.
    let real = std::fs::canonicalize(path).map_err(|error| Error::io(path, error))?;
    let is_directory = || Error::at(ErrorKind::BadInput, path, "is a directory");
    let name = real.file_name().ok_or_else(is_directory)?;
    let parent = real.parent().unwrap_or(Path::new("/"));
    let root = Root::open_at(parent).map_err(|errno| Error::io(parent, errno))?;
    let root = Arc::new(root);
    let name = CString::new(name.as_bytes()).map_err(|error| Error::io(path, error))?;
    let entry = list::Lister::new(&root)?.entry_of_root(&name)?;
    match entry.found {
        list::Found::Directory => Err(is_directory()),
        list::Found::File { unreadable: true, .. } => Err(Error::io(path, rustix::io::Errno::ACCESS)),
        list::Found::File { inode, .. } => Ok(inode),
    }
}
