//! Reads a directory of the host into a tree.

mod arena;
mod assemble;
mod error;
mod list;
mod listing;
mod on_demand;
mod scan;
mod scanned;
mod stat;
#[cfg(test)]
mod tests;
mod xattrs;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use image_tree::Inode;

use super::options::ReadOptions;
use crate::blob::{Blob, Root};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::progress::Silent;
use crate::threads::Threads;
use crate::xattr_filter::Filter;

use listing::Found;
use scan::{ScanOptions, Wanted};

pub use on_demand::{OnDemand, Selection};
pub use scanned::{HostInode, Scanned, Unreadable};

/// Reads everything beneath a directory of the host except the bytes of its files, which [`Blob`]
/// reads later.
///
/// The path may be a symbolic link to a directory; no link is followed beneath it. Mounted
/// filesystems are part of the tree. Names with the same inode are hard links to one file, whatever
/// its type. The result depends neither on the order in which the host lists a directory nor on
/// the number of threads.
///
/// An unreadable file or directory is not an error here: it is in [`Scanned::unreadable`], so that
/// all of them can be reported at once.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io) with the path of a directory that cannot be read for another
/// reason. [`BadInput`](crate::error::ErrorKind::BadInput) with the path of a file that changed
/// during the scan or has metadata that a tree cannot represent.
/// [`Interrupted`](crate::error::ErrorKind::Interrupted) after a signal.
pub fn read(path: &Path, threads: &Threads, interrupt: &Interrupt) -> Result<Scanned> {
    let filter = Filter::NONE;
    scan(
        path,
        &ScanOptions {
            threads,
            wanted: None,
            found: &Silent,
            one_file_system: false,
            filter,
            xattrs: true,
            interrupt,
        },
    )
}

/// Reads a directory as [`read`] does, with options. Their `found` receives the sizes of files with
/// one name as they are found: of bytes that have blocks, and so not more than a copy of all files
/// must write.
///
/// # Errors
/// Same as [`read`].
pub fn read_with(path: &Path, options: &ReadOptions<'_>) -> Result<Scanned> {
    scan(path, &scan_options(options, None))
}

fn scan_options<'m>(options: &ReadOptions<'m>, wanted: Option<Wanted<'m>>) -> ScanOptions<'m> {
    let ReadOptions { threads, found, one_file_system, filter, xattrs, interrupt, .. } = *options;
    ScanOptions { threads, wanted, found, one_file_system, filter, xattrs, interrupt }
}

fn scan(path: &Path, options: &ScanOptions<'_>) -> Result<Scanned> {
    let root = open(path)?;
    assemble::assemble(&root, scan::scan(&root, options)?)
}

fn open(path: &Path) -> Result<Arc<Root>> {
    Root::open_at(path).map(Arc::new).map_err(|errno| Error::io(path, errno))
}

/// Reads one file of the host that is not a directory. The path may be a symbolic link, which is
/// followed.
///
/// # Errors
/// Same as [`read`]; also if the file is a directory or unreadable.
pub fn read_file(path: &Path) -> Result<Inode<Blob>> {
    // Links are followed here and never later.
    let real = std::fs::canonicalize(path).map_err(|error| Error::io(path, error))?;
    let is_directory = || Error::at(ErrorKind::BadInput, path, "is a directory");
    let name = real.file_name().ok_or_else(is_directory)?;
    let parent = real.parent().unwrap_or(Path::new("/"));
    let root = open(parent)?;
    let name = CString::new(name.as_bytes()).map_err(|error| Error::io(path, error))?;
    let entry = list::Lister::new(&root)?.entry_of_root(&name)?;
    match entry.found {
        Found::Directory(_) => Err(is_directory()),
        Found::File { unreadable: true, .. } => Err(Error::io(path, rustix::io::Errno::ACCESS)),
        Found::File { inode, .. } => Ok(inode),
    }
}
