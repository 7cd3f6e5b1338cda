//! The identity of a file of the host.

use rustix::fs::Stat;

use crate::error::Change;

/// The attributes that must not change between the scan and the read.
///
/// The inode detects a replaced file, the times detect later bytes of the same length. The kernel
/// maintains the change time, so resetting the modification time does not hide a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Seconds and nanoseconds.
    pub(crate) ctime: (i64, u32),
}

impl Identity {
    pub(crate) fn of(stat: &Stat) -> Self {
        let nanoseconds = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            mtime: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            ctime: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
        }
    }

    /// Returns the difference between a file that had this identity and `size`, and its state
    /// `now`.
    pub(crate) fn difference(&self, size: u64, now: &Stat) -> Option<Change> {
        let (size_now, identity) = (file_size(now), Self::of(now));
        if (identity.device, identity.inode) != (self.device, self.inode) {
            Some(Change::Replaced)
        } else if size_now != size {
            Some(Change::Size { scanned: size, now: size_now })
        } else if identity.mtime != self.mtime {
            Some(Change::Modified)
        } else if identity.ctime != self.ctime {
            Some(Change::Inode)
        } else {
            None
        }
    }
}

/// Returns `st_blocks`, which the kernel keeps from being negative.
pub(crate) fn file_blocks(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0)
}

/// Returns `st_size`, which the kernel keeps from being negative.
pub(crate) fn file_size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}
