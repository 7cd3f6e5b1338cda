//! Reads one directory: its metadata, its entries, and the type of each.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use image_tree::{Device, Inode, Kind, LinkTarget, Metadata, Name, Timestamp, Xattrs};
use rustix::fs::{Access, AtFlags, FileType, RawDir, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Errno;

use super::HostInode;
use super::xattrs::XattrReader;
use crate::blob::{Blob, HostDirectory, Identity, Root};
use crate::error::{Error, ErrorKind, Result};
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

/// The fields that are requested for a directory; kernels before 5.8 do not report its mount.
const ASKED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

/// The xattr of a POSIX ACL.
const ACCESS_ACL: &[u8] = b"system.posix_acl_access";

/// Names of a long directory, to be examined by a thread other than the one that lists it.
pub(super) struct Batch {
    directory: Arc<OwnedFd>,
    pub(super) place: Arc<HostDirectory>,
    names: Vec<(CString, FileType)>,
}

/// A directory of the host, or an entry of one.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    place: &'a HostDirectory,
    /// The name of the entry; empty for the directory itself.
    name: &'a [u8],
}

impl<'a> At<'a> {
    pub(super) fn directory(place: &'a HostDirectory) -> Self {
        Self { place, name: b"" }
    }

    pub(super) fn entry(place: &'a HostDirectory, name: &'a [u8]) -> Self {
        Self { place, name }
    }

    /// Returns the path, beginning with the root's as the user gave it. It is built only for
    /// errors: building it for each entry would take time proportional to the entry's depth.
    pub(super) fn host_path(self) -> PathBuf {
        self.place.host_path_of(self.name)
    }
}

/// A directory as listed by the host.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) place: Arc<HostDirectory>,
    pub(super) metadata: Metadata,
    pub(super) host: HostInode,
    /// The entries in the host's order.
    pub(super) entries: Vec<Entry>,
    pub(super) seen: Seen,
}

/// The reason that a directory has or has no entries in its listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its entries were read.
    Listed,
    /// The host does not permit us to read them.
    Unreadable,
    /// They were not requested.
    Unlisted,
    /// They are left out because the directory is on another filesystem.
    Elsewhere,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) found: Found,
}

#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A directory, which has a listing of its own with the same place.
    Directory(Arc<HostDirectory>),
    /// A file of any other type.
    File {
        inode: Inode<Blob>,
        host: HostInode,
        /// True if the host does not permit us to read the bytes.
        unreadable: bool,
        /// The identity that other names of the same inode share, if the inode has several.
        hard_link: Option<HardLink>,
    },
}

/// The mount that a directory of the host is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mount {
    device: u64,
    /// `STATX_MNT_ID`; none if the kernel does not report it.
    id: Option<u64>,
}

impl Mount {
    fn of(stat: &Statx) -> Self {
        let tells = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
        Self { device: identity(stat).device, id: tells.then_some(stat.stx_mnt_id) }
    }

    /// Returns true if it is another filesystem. Subvolumes of btrfs have devices of their own in
    /// one mount, and a directory mounted at a second place is on the same device.
    fn is_other(self, other: Self) -> bool {
        self.device != other.device && (self.id.is_none() || self.id != other.id)
    }
}

/// An inode of the host with several names.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardLink {
    pub(super) inode: HostInode,
    /// Seconds and nanoseconds. The kernel changes the time with any other metadata, so equal times
    /// mean equal metadata.
    pub(super) ctime: (i64, u32),
}

/// Returns the error for a file or directory that changed during the scan.
pub(super) fn changed(at: At<'_>, how: &str) -> Error {
    let message = format!(
        "changed while it was scanned: {how}; make sure that nothing writes to the source, or leave out what is \
         mounted in it with --one-file-system"
    );
    Error::at(ErrorKind::BadInput, at.host_path(), message)
}

/// Lists directories, one after the other, reusing its buffers.
pub(super) struct Lister<'r> {
    root: &'r Arc<Root>,
    xattrs: XattrReader<'r>,
    buffer: Vec<MaybeUninit<u8>>,
    found: &'r dyn Progress,
    /// The number of bytes of files that `found` has not received yet.
    untold: u64,
    /// The mount of the root, if directories on other filesystems are left out.
    home: Option<Mount>,
    interrupt: Option<&'r Interrupt>,
}

impl<'r> Lister<'r> {
    /// Creates a lister for any thread.
    pub(super) fn new(root: &'r Arc<Root>) -> Result<Self> {
        Ok(Self::with(root, XattrReader::new(root)?))
    }

    /// Creates a lister for a thread that does not otherwise use relative paths.
    pub(super) fn of_own_thread(root: &'r Arc<Root>) -> Result<Self> {
        Ok(Self::with(root, XattrReader::of_own_thread(root)?))
    }

    fn with(root: &'r Arc<Root>, xattrs: XattrReader<'r>) -> Self {
        let buffer = vec![MaybeUninit::uninit(); BUFFER];
        Self { root, xattrs, buffer, found: &Silent, untold: 0, home: None, interrupt: None }
    }

    /// Returns the same, reporting the bytes of files to `found`.
    pub(super) fn telling(self, found: &'r dyn Progress) -> Self {
        Self { found, ..self }
    }

    /// Returns the same, ending with an error after a signal.
    pub(super) fn stopping(self, interrupt: &'r Interrupt) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// Returns the same with a filter for xattrs; dropped ones need not be readable.
    pub(super) fn dropping(self, filter: &'r Filter) -> Self {
        Self { xattrs: self.xattrs.dropping(filter), ..self }
    }

    /// Returns the same, leaving out what is mounted beneath the root.
    pub(super) fn staying(self) -> Result<Self> {
        let top = HostDirectory::top(Arc::clone(self.root));
        let home = Mount::of(&stat_itself(self.root.fd(), &top)?);
        Ok(Self { home: Some(home), ..self })
    }

    fn is_elsewhere(&self, stat: &Statx) -> bool {
        self.home.is_some_and(|home| home.is_other(Mount::of(stat)))
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
        if self.is_elsewhere(&before) {
            return self.unseen(directory, place, Seen::Elsewhere);
        }
        if !may(directory.as_fd(), c".", Access::EXEC_OK) {
            return self.unseen(directory, place, Seen::Unreadable);
        }
        let at = At::directory(place);
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
        Ok(Listing { place, metadata, host, entries, seen: Seen::Listed })
    }

    /// Returns the listing of a directory that is not read for the reason `seen`, unless it is left
    /// out as one on another filesystem; `directory` may be opened with `O_PATH`.
    ///
    /// Its xattrs are left out: the kernel returns some of them only to those who may read it.
    pub(super) fn unseen(
        &self,
        directory: &OwnedFd,
        place: &Arc<HostDirectory>,
        seen: Seen,
    ) -> Result<Listing> {
        let stat = stat_itself(directory.as_fd(), place)?;
        let seen = if self.is_elsewhere(&stat) { Seen::Elsewhere } else { seen };
        let metadata = metadata(At::directory(place), &stat, Xattrs::new())?;
        let (place, host) = (Arc::clone(place), host_inode(&stat));
        Ok(Listing { place, metadata, host, entries: Vec::new(), seen })
    }

    fn entries(
        &mut self,
        directory: &Arc<OwnedFd>,
        place: &Arc<HostDirectory>,
        buffer: &mut [MaybeUninit<u8>],
        hand_over: &mut dyn FnMut(Batch) -> Option<Batch>,
    ) -> Result<Vec<Entry>> {
        self.xattrs.enter(directory.as_fd(), At::directory(place))?;
        let mut entries = Vec::new();
        let mut names = Vec::new();
        let mut listed = RawDir::new(directory, buffer);
        while let Some(entry) = listed.next() {
            // ENOENT: the directory was removed after it was opened.
            let entry = entry.map_err(|errno| cannot_examine(At::directory(place), errno))?;
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
        self.xattrs.enter(batch.directory.as_fd(), At::directory(&batch.place))?;
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
        let root = self.root;
        let place = HostDirectory::top(Arc::clone(root));
        self.xattrs.enter(root.fd(), At::directory(&place))?;
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
        let at = At::entry(place, file_name.to_bytes());
        let name = Name::new(file_name.to_bytes()).map_err(|error| bad_input(At::directory(place), error))?;
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
        let asked = regular && !all_may_read;
        let mut unreadable = asked && !may(directory, file_name, Access::READ_OK);
        // The kernel returns some xattrs only to those who may read the file.
        let mut xattrs =
            if unreadable { Xattrs::new() } else { self.xattrs.of_entry(directory, file_name, at)? };
        if regular && !asked && xattrs.keys().any(|name| name.as_bytes() == ACCESS_ACL) {
            unreadable = !may(directory, file_name, Access::READ_OK);
            if unreadable {
                xattrs = Xattrs::new();
            }
        }
        let inode = Inode { metadata: metadata(at, &stat, xattrs)?, kind };
        if regular && !unreadable && stat.stx_nlink == 1 {
            self.tell(stat.stx_size.min(stat.stx_blocks.saturating_mul(512)));
        }
        let host = host_inode(&stat);
        let hard_link = (stat.stx_nlink > 1).then(|| HardLink { inode: host, ctime: identity(&stat).ctime });
        Ok(Entry { name, found: Found::File { inode, host, unreadable, hard_link } })
    }

    /// Reports bytes in portions, not for each file.
    fn tell(&mut self, bytes: u64) {
        self.untold = self.untold.saturating_add(bytes);
        if self.untold >= PORTION {
            self.found.add(std::mem::take(&mut self.untold));
        }
    }
}

fn stat_itself(directory: BorrowedFd<'_>, place: &HostDirectory) -> Result<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    rustix::fs::statx(directory, c"", flags, ASKED).map_err(|errno| Error::io(place.host_path_of(b""), errno))
}

/// Returns the type of an entry; none for a directory.
fn kind(
    directory: BorrowedFd<'_>,
    place: &Arc<HostDirectory>,
    file_name: &CStr,
    stat: &Statx,
) -> Result<Option<Kind<Blob>>> {
    let at = At::entry(place, file_name.to_bytes());
    let device = Device { major: stat.stx_rdev_major, minor: stat.stx_rdev_minor };
    Ok(Some(match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
        FileType::Directory => return Ok(None),
        FileType::RegularFile => {
            let place = Arc::clone(place);
            let (name, identity) = (file_name.to_bytes().into(), identity(stat));
            Kind::Regular(Blob::host(place, name, stat.stx_size, stat.stx_blocks, identity))
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(directory, file_name, Vec::new())
                .map_err(|errno| cannot_examine(at, errno))?;
            let target = LinkTarget::new(target.to_bytes());
            Kind::Symlink(target.map_err(|error| bad_input(at, error))?)
        }
        FileType::CharacterDevice => Kind::CharacterDevice(device),
        FileType::BlockDevice => Kind::BlockDevice(device),
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::Unknown => {
            let error = format!("has mode {:o}, which is no kind of file", stat.stx_mode);
            return Err(Error::at(ErrorKind::BadInput, at.host_path(), error));
        }
    }))
}

/// Returns false only if the host denies access to a file beneath an open directory. Other errors,
/// such as a file that is gone, are reported where the file is used.
fn may(directory: BorrowedFd<'_>, name: &CStr, access: Access) -> bool {
    // Some security modules return EPERM instead.
    !matches!(
        rustix::fs::accessat(directory, name, access, AtFlags::EACCESS),
        Err(Errno::ACCESS | Errno::PERM)
    )
}

fn host_inode(stat: &Statx) -> HostInode {
    let Identity { device, inode, .. } = identity(stat);
    HostInode { device, inode }
}

/// Returns the error of a system call on an entry of a directory.
pub(super) fn cannot_examine(at: At<'_>, errno: Errno) -> Error {
    match errno {
        Errno::NOENT => changed(at, "it was listed and is gone"),
        // readlinkat(2) on what was a symbolic link.
        Errno::INVAL => changed(at, "it is another kind of file now"),
        _ => Error::io(at.host_path(), errno),
    }
}

fn bad_input(at: At<'_>, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::at(ErrorKind::BadInput, at.host_path(), error)
}

fn metadata(at: At<'_>, stat: &Statx, xattrs: Xattrs) -> Result<Metadata> {
    let StatxTimestamp { tv_sec, tv_nsec, .. } = stat.stx_mtime;
    let mtime = Timestamp::new(tv_sec, tv_nsec).map_err(|error| bad_input(at, error))?;
    Ok(Metadata { mode: stat.stx_mode & 0o7777, uid: stat.stx_uid, gid: stat.stx_gid, mtime, xattrs })
}

fn identity(stat: &Statx) -> Identity {
    Identity {
        device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
        inode: stat.stx_ino,
        mtime: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
        ctime: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
    }
}
