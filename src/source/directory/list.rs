//! Reads one directory: its metadata, its entries, and the type of each.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use image_tree::{Inode, Kind, Name, Xattrs};
use rustix::fs::{Access, AtFlags, FileType, RawDir, Statx, StatxFlags};

use super::error::{Location, bad_input, cannot_examine, changed};
use super::listing::{Entry, Found, HardLink, Listing, Status};
use super::stat::{Mount, host_inode, identity, kind, may, metadata, stat_itself};
use super::xattrs::{Home, XattrReader};
use crate::blob::{HostDirectory, Root};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Silent};
use crate::xattr_filter::Filter;

/// The size of the buffer for one getdents64(2), in bytes.
const BUFFER: usize = 64 * 1024;

/// The number of entries beyond which a directory is shared by several threads, and the number of
/// entries that each of them takes at a time.
const BATCH: usize = 512;

/// The least number of bytes of files that is reported at once.
const PORTION: u64 = 1 << 20;

/// The xattr of a POSIX ACL.
const ACCESS_ACL: &[u8] = b"system.posix_acl_access";

/// Names of a long directory, to be examined by a thread other than the one that lists it.
pub(super) struct Batch {
    directory: Arc<OwnedFd>,
    pub(super) place: Arc<HostDirectory>,
    names: Vec<(CString, FileType)>,
}

/// Lists directories, one after the other, reusing its buffers.
pub(super) struct Lister<'r> {
    root: Arc<Root>,
    xattrs: XattrReader<'r>,
    buffer: Vec<MaybeUninit<u8>>,
    found: &'r dyn Progress,
    /// The number of bytes of files that `found` has not received yet.
    pending: u64,
    /// The mount of the root, if directories on other filesystems are left out.
    root_mount: Option<Mount>,
    interrupt: Option<&'r Interrupt>,
}

impl<'r> Lister<'r> {
    /// Creates a lister for any thread.
    pub(super) fn new(root: &Arc<Root>) -> Result<Self> {
        Ok(Self::with(root, XattrReader::new(root)?))
    }

    /// Creates a lister for a thread that does not otherwise use relative paths before it returns
    /// to `home`.
    pub(super) fn for_own_thread(root: &Arc<Root>, home: &Home) -> Result<Self> {
        Ok(Self::with(root, XattrReader::for_own_thread(root, home)?))
    }

    fn with(root: &Arc<Root>, xattrs: XattrReader<'r>) -> Self {
        let (root, buffer) = (Arc::clone(root), vec![MaybeUninit::uninit(); BUFFER]);
        Self { root, xattrs, buffer, found: &Silent, pending: 0, root_mount: None, interrupt: None }
    }

    /// Returns the same, reporting the bytes of files to `found`.
    pub(super) fn with_progress(self, found: &'r dyn Progress) -> Self {
        Self { found, ..self }
    }

    /// Returns the same, ending with an error after a signal.
    pub(super) fn with_interrupt(self, interrupt: &'r Interrupt) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// Returns the same with a filter for xattrs, of which dropped ones need not be readable, or
    /// without reading any.
    pub(super) fn with_xattrs(self, filter: &'r Filter, are_wanted: bool) -> Self {
        Self { xattrs: self.xattrs.with_filter(filter).if_wanted(are_wanted), ..self }
    }

    /// Returns the same, leaving out what is mounted beneath the root.
    pub(super) fn on_one_filesystem(self) -> Result<Self> {
        let top = HostDirectory::top(Arc::clone(&self.root));
        let root_mount = Mount::of(&stat_itself(self.root.fd(), &top)?);
        Ok(Self { root_mount: Some(root_mount), ..self })
    }

    fn is_other_filesystem(&self, stat: &Statx) -> bool {
        self.root_mount.is_some_and(|root_mount| root_mount.is_other(Mount::of(stat)))
    }

    /// Lists the open directory at `place`. If it is long, `hand_over` may take names for another
    /// thread to examine; it returns those for which no thread is idle.
    pub(super) fn list(
        &mut self,
        directory: &Arc<OwnedFd>,
        place: &Arc<HostDirectory>,
        hand_over: &mut dyn FnMut(Batch) -> Option<Batch>,
    ) -> Result<Listing> {
        let before = stat_itself(directory.as_fd(), place)?;
        if self.is_other_filesystem(&before) {
            return self.without_entries(directory, place, Status::OtherFilesystem);
        }
        if !may(directory.as_fd(), c".", Access::EXEC_OK) {
            return self.without_entries(directory, place, Status::Unreadable);
        }
        let at = Location::directory(place);
        let xattrs = self.xattrs.of_directory(directory.as_fd(), at)?;
        let metadata = metadata(at, &before, xattrs)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let entries = self.entries(directory, place, &mut buffer, hand_over);
        self.buffer = buffer;
        let entries = entries?;
        let after = stat_itself(directory.as_fd(), place)?;
        if identity(&before) != identity(&after) {
            return Err(changed(at, "its entries or metadata are not what they were"));
        }
        let (place, host) = (Arc::clone(place), host_inode(&before));
        Ok(Listing { place, metadata, host, entries, status: Status::Listed })
    }

    /// Returns the listing of a directory that is not read for the reason `status`, unless it is
    /// left out as one on another filesystem; `directory` may be opened with `O_PATH`.
    ///
    /// Its xattrs are left out: the kernel returns some of them only to those who may read it.
    pub(super) fn without_entries(
        &self,
        directory: &OwnedFd,
        place: &Arc<HostDirectory>,
        status: Status,
    ) -> Result<Listing> {
        let stat = stat_itself(directory.as_fd(), place)?;
        let status = if self.is_other_filesystem(&stat) { Status::OtherFilesystem } else { status };
        let metadata = metadata(Location::directory(place), &stat, Xattrs::new())?;
        let (place, host) = (Arc::clone(place), host_inode(&stat));
        Ok(Listing { place, metadata, host, entries: Vec::new(), status })
    }

    fn entries(
        &mut self,
        directory: &Arc<OwnedFd>,
        place: &Arc<HostDirectory>,
        buffer: &mut [MaybeUninit<u8>],
        hand_over: &mut dyn FnMut(Batch) -> Option<Batch>,
    ) -> Result<Vec<Entry>> {
        self.xattrs.enter(directory.as_fd(), Location::directory(place))?;
        let mut entries = Vec::new();
        let mut names = Vec::new();
        let mut listed = RawDir::new(directory, buffer);
        while let Some(entry) = listed.next() {
            // ENOENT: the directory was removed after it was opened.
            let entry = entry.map_err(|errno| cannot_examine(Location::directory(place), errno))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entries.len() < BATCH {
                entries.push(self.entry(directory.as_fd(), place, name, entry.file_type())?);
                continue;
            }
            names.push((name.to_owned(), entry.file_type()));
            if names.len() == BATCH {
                let names = std::mem::replace(&mut names, Vec::with_capacity(BATCH));
                let batch = Batch { directory: Arc::clone(directory), place: Arc::clone(place), names };
                if let Some(batch) = hand_over(batch) {
                    self.examine(&batch, &mut entries)?;
                }
            }
        }
        for (name, file_type) in names {
            entries.push(self.entry(directory.as_fd(), place, &name, file_type)?);
        }
        Ok(entries)
    }

    /// Examines names that another thread listed.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<Vec<Entry>> {
        self.xattrs.enter(batch.directory.as_fd(), Location::directory(&batch.place))?;
        let mut entries = Vec::with_capacity(batch.names.len());
        self.examine(batch, &mut entries)?;
        Ok(entries)
    }

    fn examine(&mut self, batch: &Batch, entries: &mut Vec<Entry>) -> Result<()> {
        for (name, file_type) in &batch.names {
            entries.push(self.entry(batch.directory.as_fd(), &batch.place, name, *file_type)?);
        }
        Ok(())
    }

    /// Examines one entry of the root.
    pub(super) fn entry_of_root(&mut self, name: &CStr) -> Result<Entry> {
        let root = Arc::clone(&self.root);
        let place = HostDirectory::top(Arc::clone(&root));
        self.xattrs.enter(root.fd(), Location::directory(&place))?;
        self.entry(root.fd(), &place, name, FileType::Unknown)
    }

    /// Examines an entry of an open directory, which is the one entered last.
    fn entry(
        &mut self,
        directory: BorrowedFd<'_>,
        place: &Arc<HostDirectory>,
        file_name: &CStr,
        file_type: FileType,
    ) -> Result<Entry> {
        if let Some(interrupt) = self.interrupt {
            interrupt.check()?;
        }
        let at = Location::entry(place, file_name.to_bytes());
        let name =
            Name::new(file_name.to_bytes()).map_err(|error| bad_input(Location::directory(place), error))?;
        let subdirectory = || Found::Directory(place.child(file_name.to_bytes()));
        // The type of a directory is examined when it is listed itself.
        if file_type == FileType::Directory {
            return Ok(Entry { name, found: subdirectory() });
        }
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        let stat = rustix::fs::statx(directory, file_name, flags, StatxFlags::BASIC_STATS)
            .map_err(|errno| cannot_examine(at, errno))?;
        let Some(kind) = kind(directory, place, file_name, &stat)? else {
            return Ok(Entry { name, found: subdirectory() });
        };
        let regular = matches!(kind, Kind::Regular(_));
        // Only an ACL can deny one user what the mode permits to all, so accessat(2) is rarely
        // called.
        let all_may_read = stat.stx_mode & 0o444 == 0o444;
        let checked = regular && !all_may_read;
        let mut unreadable = checked && !may(directory, file_name, Access::READ_OK);
        // The kernel returns some xattrs only to those who may read the file.
        let mut xattrs =
            if unreadable { Xattrs::new() } else { self.xattrs.of_entry(directory, file_name, at)? };
        if regular && !checked && xattrs.keys().any(|name| name.as_bytes() == ACCESS_ACL) {
            unreadable = !may(directory, file_name, Access::READ_OK);
            if unreadable {
                xattrs = Xattrs::new();
            }
        }
        let inode = Inode { metadata: metadata(at, &stat, xattrs)?, kind };
        if regular && !unreadable && stat.stx_nlink == 1 {
            self.report(stat.stx_size.min(stat.stx_blocks.saturating_mul(512)));
        }
        let host = host_inode(&stat);
        let hard_link = (stat.stx_nlink > 1).then(|| HardLink { inode: host, ctime: identity(&stat).ctime });
        Ok(Entry { name, found: Found::File { inode, host, unreadable, hard_link } })
    }

    /// Reports bytes in portions, not for each file.
    fn report(&mut self, bytes: u64) {
        self.pending = self.pending.saturating_add(bytes);
        if self.pending >= PORTION {
            self.found.add(std::mem::take(&mut self.pending));
        }
    }
}
