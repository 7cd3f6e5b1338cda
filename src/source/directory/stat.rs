//! The metadata of files of the host, in the terms of a tree.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use image_tree::{Device, Kind, LinkTarget, Metadata, Timestamp, Xattrs};
use rustix::fs::{Access, AtFlags, FileType, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Errno;

use super::error::{Location, bad_input, cannot_examine};
use super::scanned::HostInode;
use crate::blob::{Blob, HostDirectory, Identity};
use crate::error::{Error, ErrorKind, Result};

/// The fields that are requested for a directory; kernels before 5.8 do not report its mount.
const STATX_FIELDS: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

/// The mount that a directory of the host is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mount {
    device: u64,
    /// `STATX_MNT_ID`; none if the kernel does not report it.
    id: Option<u64>,
}

impl Mount {
    pub(super) fn of(stat: &Statx) -> Self {
        let has_mount = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
        Self { device: identity(stat).device, id: has_mount.then_some(stat.stx_mnt_id) }
    }

    /// Returns true if it is another filesystem. Subvolumes of btrfs have devices of their own in
    /// one mount, and a directory mounted at a second place is on the same device.
    pub(super) fn is_other(self, other: Self) -> bool {
        self.device != other.device && (self.id.is_none() || self.id != other.id)
    }
}

pub(super) fn stat_itself(directory: BorrowedFd<'_>, place: &HostDirectory) -> Result<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    rustix::fs::statx(directory, c"", flags, STATX_FIELDS)
        .map_err(|errno| Error::io(place.host_path_of(b""), errno))
}

/// Returns the type of an entry; none for a directory.
pub(super) fn kind(
    directory: BorrowedFd<'_>,
    place: &Arc<HostDirectory>,
    file_name: &CStr,
    stat: &Statx,
) -> Result<Option<Kind<Blob>>> {
    let at = Location::entry(place, file_name.to_bytes());
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
            let error = format!("has mode {:o}, which is not a known file type", stat.stx_mode);
            return Err(Error::at(ErrorKind::BadInput, at.host_path(), error));
        }
    }))
}

/// Returns false only if the host denies access to a file beneath an open directory. Other errors,
/// such as a file that is gone, are reported where the file is used.
pub(super) fn may(directory: BorrowedFd<'_>, name: &CStr, access: Access) -> bool {
    // Some security modules return EPERM instead.
    !matches!(
        rustix::fs::accessat(directory, name, access, AtFlags::EACCESS),
        Err(Errno::ACCESS | Errno::PERM)
    )
}

pub(super) fn host_inode(stat: &Statx) -> HostInode {
    let Identity { device, inode, .. } = identity(stat);
    HostInode { device, inode }
}

pub(super) fn metadata(at: Location<'_>, stat: &Statx, xattrs: Xattrs) -> Result<Metadata> {
    let StatxTimestamp { tv_sec, tv_nsec, .. } = stat.stx_mtime;
    let mtime = Timestamp::new(tv_sec, tv_nsec).map_err(|error| bad_input(at, error))?;
    Ok(Metadata { mode: stat.stx_mode & 0o7777, uid: stat.stx_uid, gid: stat.stx_gid, mtime, xattrs })
}

pub(super) fn identity(stat: &Statx) -> Identity {
    Identity {
        device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
        inode: stat.stx_ino,
        mtime: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
        ctime: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
    }
}
