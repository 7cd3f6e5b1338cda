//! The options for reading a source.

use std::path::Path;

use super::container::Platform;
use super::tar::Limits;
use crate::blob::SpoolMemory;
use crate::cache::Cache;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Silent};
use crate::threads::Threads;
use crate::xattr_filter::Filter;

/// The options for reading a source; none of them affects the tree, except
/// [`one_file_system`](Self::one_file_system).
#[derive(Clone, Copy)]
pub struct ReadOptions<'a> {
    /// The threads that read a directory.
    pub threads: &'a Threads,
    /// The limits on an archive.
    pub limits: Limits,
    /// Checked regularly; a signal ends the reading.
    pub interrupt: &'a Interrupt,
    /// True if the entries of directories that are mount points beneath the source are left out.
    pub one_file_system: bool,
    /// The filter for xattrs; dropped ones need not be readable.
    pub filter: &'a Filter,
    /// False if the xattrs of directories' files are not read, for a tree whose files are only named.
    pub xattrs: bool,
    /// The platform of an image for several; none for that of this machine.
    pub platform: Option<&'a Platform>,
    /// The directory of the files that layers of images are decompressed into; none for that of
    /// temporary files.
    pub spool: Option<&'a Path>,
    /// The memory for what archives unpack to, before files are used; none for 64 MiB for each
    /// source.
    pub memory: Option<&'a SpoolMemory>,
    /// The cache of decoded layers of images.
    pub cache: Option<&'a Cache>,
    /// The directory for temporary files; none for that of the environment.
    pub temporary: Option<&'a Path>,
    /// Keeps a symbolic link to a directory where a later layer of an image has a directory.
    pub keep_directory_symlink: bool,
    /// Receives the number of bytes in files of a directory as they are found: of most files, and
    /// never more than there are. Other sources report nothing.
    pub found: &'a dyn Progress,
}

impl<'a> ReadOptions<'a> {
    /// The default limits, all mounted filesystems, and no report of found bytes.
    #[must_use]
    pub fn new(threads: &'a Threads, interrupt: &'a Interrupt) -> Self {
        Self {
            threads,
            limits: Limits::DEFAULT,
            interrupt,
            one_file_system: false,
            filter: Filter::NONE,
            xattrs: true,
            platform: None,
            spool: None,
            temporary: None,
            memory: None,
            cache: None,
            keep_directory_symlink: false,
            found: &Silent,
        }
    }
}
