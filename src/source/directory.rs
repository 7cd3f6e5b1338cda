//! Reads a directory of the host into a tree.

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

use crate::blob::{Blob, HostDirectory, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::progress::Silent;
use crate::source::ReadOptions;
use crate::xattr_filter::Filter;

use scan::{Manner, Wanted};

/// The tree of a directory of the host, and the facts about it that a tree does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The tree.
    pub tree: Tree<Blob>,
    /// The inode on the host of each inode of the tree, by the tree's index. Empty if the source is
    /// not a directory of the host.
    pub hosts: Vec<HostInode>,
    /// The unreadable files and directories, in the order of the tree's walk: one for each name.
    pub unreadable: Vec<Unreadable>,
    /// The directories that [`read_where`] did not list, with their paths in the tree, without a
    /// leading `/`.
    pub unlisted: Vec<(InodeId, Vec<u8>)>,
    /// The directories on other filesystems whose entries were left out, with their paths in the
    /// tree, without a leading `/`.
    pub elsewhere: Vec<Vec<u8>>,
}

impl From<Tree<Blob>> for Scanned {
    /// Returns a tree without inodes on the host.
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

/// A regular file or a directory that the host does not permit us to read. The tree has its
/// metadata but not its xattrs, and a directory has no entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The directory itself, or the one that contains the file.
    place: Arc<HostDirectory>,
    /// Its name in that directory; empty for the directory itself.
    name: Box<[u8]>,
    /// The path in the tree of the directory that was read; empty for the root.
    beneath: Arc<[u8]>,
    /// Its path in the tree, if that is not the one derived from the directory that was read.
    moved: Option<Box<[u8]>>,
    /// True for a directory.
    pub directory: bool,
}

impl Unreadable {
    pub(crate) fn new(place: &Arc<HostDirectory>, name: &[u8], directory: bool) -> Self {
        Self { place: Arc::clone(place), name: name.into(), beneath: Arc::default(), moved: None, directory }
    }

    /// Returns the same with `path` as the path in another tree of the directory that was read.
    #[must_use]
    pub fn beneath(self, path: &Arc<[u8]>) -> Self {
        Self { beneath: Arc::clone(path), ..self }
    }

    /// Returns the same at another path of the tree.
    #[must_use]
    pub fn moved_to(self, path: &[u8]) -> Self {
        Self { moved: Some(path.into()), ..self }
    }

    /// Returns its path on the host, for messages.
    #[must_use]
    pub fn host_path(&self) -> PathBuf {
        self.place.host_path_of(&self.name)
    }

    /// Returns its path in the tree. A path from the root has no leading `/`, and one that ends in
    /// `/` is that of the directory before it.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        if let Some(moved) = &self.moved {
            return moved.to_vec();
        }
        let path = self.place.path_of(&self.name);
        if self.beneath.is_empty() {
            return path;
        }
        let slash: &[u8] = if self.beneath.ends_with(b"/") { b"" } else { b"/" };
        [&self.beneath[..], slash, &path].concat()
    }
}

/// Reads everything beneath a directory of the host except the bytes of its files, which [`Blob`]
/// reads later.
///
/// The path may be a symbolic link to a directory; no link is followed beneath it. Mounted
/// filesystems are part of the tree. Names with the same inode are hard links to one file, whatever
/// its type. The result depends neither on the order in which the host lists a directory nor on
/// `threads`, of which at least one and at most 32 are used.
///
/// An unreadable file or directory is not an error here: it is in [`Scanned::unreadable`], so that
/// all of them can be reported at once.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io) with the path of a directory that cannot be read for another
/// reason. [`BadInput`](crate::error::ErrorKind::BadInput) with the path of a file that changed
/// during the scan or has metadata that a tree cannot hold.
/// [`Interrupted`](crate::error::ErrorKind::Interrupted) after a signal.
pub fn read(path: &Path, threads: usize, interrupt: &Interrupt) -> Result<Scanned> {
    let filter = Filter::NONE;
    scan(path, &Manner { threads, wanted: None, found: &Silent, one_file_system: false, filter, interrupt })
}

/// Reads a directory as [`read`] does, with options. Their `found` receives the sizes of files with
/// one name as they are found: of bytes that have blocks, and so not more than a copy of all files
/// must write.
///
/// # Errors
/// As [`read`].
pub fn read_as(path: &Path, options: &ReadOptions<'_>) -> Result<Scanned> {
    scan(path, &manner(options, None))
}

/// Reads a directory as [`read_as`] does, but lists only the root and those directories beneath it
/// for which `wanted`, called with their paths in the tree without a leading `/`, returns true. The
/// others have neither entries nor xattrs.
///
/// # Errors
/// As [`read`].
pub fn read_where(
    path: &Path,
    options: &ReadOptions<'_>,
    wanted: &(dyn Fn(&[u8]) -> bool + Sync),
) -> Result<Scanned> {
    let wanted = |path: &[u8]| path.is_empty() || wanted(path);
    scan(path, &manner(options, Some(&wanted)))
}

fn manner<'m>(options: &ReadOptions<'m>, wanted: Option<Wanted<'m>>) -> Manner<'m> {
    let ReadOptions { threads, found, one_file_system, filter, interrupt, .. } = *options;
    Manner { threads: threads.get(), wanted, found, one_file_system, filter, interrupt }
}

fn scan(path: &Path, manner: &Manner<'_>) -> Result<Scanned> {
    let root = Root::open_at(path).map_err(|errno| Error::io(path, errno))?;
    let root = Arc::new(root);
    assemble::assemble(&root, scan::scan(&root, manner)?)
}

/// Reads one file of the host that is not a directory. The path may be a symbolic link, which is
/// followed.
///
/// # Errors
/// As [`read`]; also if the file is a directory or unreadable.
pub fn read_file(path: &Path) -> Result<Inode<Blob>> {
    // Links are followed here and never later.
    let real = std::fs::canonicalize(path).map_err(|error| Error::io(path, error))?;
    let is_directory = || Error::at(ErrorKind::BadInput, path, "is a directory");
    let name = real.file_name().ok_or_else(is_directory)?;
    let parent = real.parent().unwrap_or(Path::new("/"));
    let root = Root::open_at(parent).map_err(|errno| Error::io(parent, errno))?;
    let root = Arc::new(root);
    let name = CString::new(name.as_bytes()).map_err(|error| Error::io(path, error))?;
    let entry = list::Lister::new(&root)?.entry_of_root(&name)?;
    match entry.found {
        list::Found::Directory(_) => Err(is_directory()),
        list::Found::File { unreadable: true, .. } => Err(Error::io(path, rustix::io::Errno::ACCESS)),
        list::Found::File { inode, .. } => Ok(inode),
    }
}
