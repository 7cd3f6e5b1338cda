//! One directory: its metadata, its entries, and what each of them is.

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
use crate::report::progress::{Progress, Silent};
use crate::transform::xattrs::filter::Filter;

/// How much of a directory one system call gives.
const BUFFER: usize = 64 * 1024;

/// A directory with more entries than this is a matter for several threads, which take as many at a time.
const BATCH: usize = 512;

/// How many bytes of files are found, at least, before anybody hears of them.
const PORTION: u64 = 1 << 20;

/// What the kernel is asked about a directory; one older than 5.8 does not tell its mount.
const ASKED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

/// The xattr of a POSIX ACL.
const ACCESS_ACL: &[u8] = b"system.posix_acl_access";

/// Names of a long directory, to be examined by another thread than the one that lists it.
pub(super) struct Batch {
    directory: Arc<OwnedFd>,
    pub(super) place: Arc<HostDirectory>,
    names: Vec<(CString, FileType)>,
}

/// A directory of the host, or an entry of one.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    place: &'a HostDirectory,
    /// Empty for the directory itself.
    name: &'a [u8],
}

impl<'a> At<'a> {
    pub(super) fn directory(place: &'a HostDirectory) -> Self {
        Self { place, name: b"" }
    }

    pub(super) fn entry(place: &'a HostDirectory, name: &'a [u8]) -> Self {
        Self { place, name }
    }

    /// The path, beginning with the root's as the user gave it. It is made only for errors: that of each entry would be
    /// as much work as the entry is deep.
    pub(super) fn host_path(self) -> PathBuf {
        self.place.host_path_of(self.name)
    }
}

/// One directory as the host lists it.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) place: Arc<HostDirectory>,
    pub(super) metadata: Metadata,
    pub(super) host: HostInode,
    /// In the host's order.
    pub(super) entries: Vec<Entry>,
    pub(super) seen: Seen,
}

/// Whether a directory's entries were looked at. If not, there seem to be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// They were.
    Listed,
    /// The host does not let us see them.
    Unreadable,
    /// Nobody wants to see them.
    Unlisted,
    /// They are left out because they are on another filesystem.
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
    /// Anything else.
    File {
        inode: Inode<Blob>,
        host: HostInode,
        /// Whether the host does not let us read the bytes.
        unreadable: bool,
        /// What tells whether another name is for the same inode of the host, when that has further names.
        hard_link: Option<HardLink>,
    },
}

/// Where a directory of the host is mounted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mount {
    device: u64,
    /// None if the kernel does not tell.
    id: Option<u64>,
}

impl Mount {
    fn of(stat: &Statx) -> Self {
        let tells = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
        Self { device: identity(stat).device, id: tells.then_some(stat.stx_mnt_id) }
    }

    /// Whether it is another filesystem. Subvolumes of btrfs have devices of their own in one mount, and a directory
    /// mounted at a second place is on the same device.
    fn is_other(self, other: Self) -> bool {
        self.device != other.device && (self.id.is_none() || self.id != other.id)
    }
}

/// An inode of the host with several names.
#[derive(Clone, Copy, Debug)]
pub(super) struct HardLink {
    pub(super) inode: HostInode,
    /// Seconds and nanoseconds. The kernel changes it with everything else, so equal times mean equal metadata.
    pub(super) ctime: (i64, u32),
}

/// Something is not what it was a moment ago.
pub(super) fn changed(at: At<'_>, how: &str) -> Error {
    let message = format!(
        "changed while it was scanned: {how}; make sure that nothing writes to the source, or leave out what is \
         mounted in it with --one-file-system"
    );
    Error::at(ErrorKind::BadInput, at.host_path(), message)
}

/// Lists directories, one after the other, with the same buffers.
pub(super) struct Lister<'r> {
    root: &'r Arc<Root>,
    xattrs: XattrReader<'r>,
    buffer: Vec<MaybeUninit<u8>>,
    found: &'r dyn Progress,
    /// How many bytes of files `found` has not heard of yet.
    untold: u64,
    /// Where the root is, if what is elsewhere is left out.
    home: Option<Mount>,
    interrupt: Option<&'r Interrupt>,
}

impl<'r> Lister<'r> {
    /// A lister for any thread.
    pub(super) fn new(root: &'r Arc<Root>) -> Result<Self> {
        Ok(Self::with(root, XattrReader::new(root)?))
    }

    /// A lister for a thread that does nothing else with relative paths.
    pub(super) fn of_own_thread(root: &'r Arc<Root>) -> Result<Self> {
        Ok(Self::with(root, XattrReader::of_own_thread(root)?))
    }

    fn with(root: &'r Arc<Root>, xattrs: XattrReader<'r>) -> Self {
        let buffer = vec![MaybeUninit::uninit(); BUFFER];
        Self { root, xattrs, buffer, found: &Silent, untold: 0, home: None, interrupt: None }
    }

    /// The same, telling of the bytes that files hold.
    pub(super) fn telling(self, found: &'r dyn Progress) -> Self {
        Self { found, ..self }
    }

    /// The same, stopping when a signal came.
    pub(super) fn stopping(self, interrupt: &'r Interrupt) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// The same, for a caller that drops xattrs later, which need not be readable then.
    pub(super) fn dropping(self, filter: &'r Filter) -> Self {
        Self { xattrs: self.xattrs.dropping(filter), ..self }
    }

    /// The same, leaving out what is mounted beneath the root.
    pub(super) fn staying(self) -> Result<Self> {
        let top = HostDirectory::top(Arc::clone(self.root));
        let home = Mount::of(&stat_itself(self.root.fd(), &top)?);
        Ok(Self { home: Some(home), ..self })
    }

    fn is_elsewhere(&self, stat: &Statx) -> bool {
        self.home.is_some_and(|home| home.is_other(Mount::of(stat)))
    }

    /// Lists the open directory at `place`. Where it is long, `hand_over` may take names
    /// for another thread to examine; it gives back those that nobody is free for.
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

    /// What there is to say of a directory without looking into it, for the reason `seen`, unless it is elsewhere and left
    /// out for that; `directory` may be open as a path only.
    ///
    /// Its xattrs are left out: the kernel gives some of them only to who may read it.
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

    /// Examines an entry of an open directory, the one entered last.
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
        // A directory says what it is when it is listed itself.
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
        // Only an ACL can take from one user what the mode gives to all, so the kernel is seldom asked.
        let all_may_read = stat.stx_mode & 0o444 == 0o444;
        let asked = regular && !all_may_read;
        let mut unreadable = asked && !may(directory, file_name, Access::READ_OK);
        // The kernel gives some xattrs only to who may read the file.
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

    /// Tells of bytes, not of each file.
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

/// What an entry is; none for a directory.
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

/// Whether the host lets us do that with a file beneath an open directory. Only a clear no counts: what else is wrong,
/// such as a file that is gone, shows where the file is used.
fn may(directory: BorrowedFd<'_>, name: &CStr, access: Access) -> bool {
    // EPERM is how some security modules say it.
    !matches!(
        rustix::fs::accessat(directory, name, access, AtFlags::EACCESS),
        Err(Errno::ACCESS | Errno::PERM)
    )
}

fn host_inode(stat: &Statx) -> HostInode {
    let Identity { device, inode, .. } = identity(stat);
    HostInode { device, inode }
}

/// A system call on an entry of a directory failed.
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
