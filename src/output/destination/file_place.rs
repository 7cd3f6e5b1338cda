//! The place of a regular file: its name in an open directory.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use image_tree::acl::{self, Acl, Tag};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::options::DestinationOptions;
use super::reopen::own_path;
use crate::error::{Error, ErrorKind, Result};

/// A name in an open directory, which is not a symbolic link.
#[derive(Debug)]
pub(in crate::output) struct FilePlace {
    pub(in crate::output) directory: OwnedFd,
    pub(in crate::output) name: OsString,
    /// The path of the directory, for messages.
    pub(in crate::output) directory_path: PathBuf,
    /// The requested permissions.
    mode: Option<Mode>,
    /// The regular file to be replaced.
    existing: Option<Stat>,
}

impl FilePlace {
    /// Follows the symbolic links at the end of a path, even if the last one is dangling.
    pub(super) fn find(path: &Path, existing: Option<Stat>, options: DestinationOptions) -> Result<Self> {
        /// The limit of the kernel.
        const MAX_LINKS: usize = 40;
        let mode = options.mode.map(|mode| Mode::from_raw_mode(mode.into()));
        let mut shown = path.to_owned();
        // The directory that the rest of the path is relative to, and the rest.
        let (mut base, mut rest): (Option<OwnedFd>, PathBuf) = (None, path.to_owned());
        for _ in 0..=MAX_LINKS {
            // `file_name` ignores a trailing `/` or `/.`, which requires a directory.
            let bytes = rest.as_os_str().as_bytes();
            let is_directory = bytes.ends_with(b"/") || bytes.ends_with(b"/.");
            let Some(name) = rest.file_name().filter(|_| !is_directory).map(ToOwned::to_owned) else {
                return Err(Error::at(ErrorKind::Usage, path, "does not end in the name of a file"));
            };
            let parent = parent_of(&rest);
            let directory_path = parent_of(&shown).to_owned();
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let from = base.as_ref().map_or(CWD, AsFd::as_fd);
            let directory = rustix::fs::openat(from, parent, flags, Mode::empty())
                .map_err(|errno| no_directory(&directory_path, errno))?;
            match rustix::fs::readlinkat(&directory, &name, Vec::new()) {
                Ok(target) => {
                    rest = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    shown = directory_path.join(&rest);
                    base = Some(directory);
                }
                Err(Errno::INVAL | Errno::NOENT) => {
                    let place = Self { directory, name, directory_path, mode, existing };
                    return place.still_there().map(|()| place).map_err(|errno| Error::io(path, errno));
                }
                Err(errno) => return Err(Error::io(&shown, errno)),
            }
        }
        Err(Error::io(path, Errno::LOOP))
    }

    /// Returns the place of a new file in a directory, whose name is not known yet.
    pub(in crate::output) fn unknown_name(directory: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(CWD, directory, flags, Mode::empty());
        Ok(Self {
            directory: opened.map_err(|errno| Error::io(directory, errno))?,
            name: OsString::new(),
            directory_path: directory.to_owned(),
            mode: None,
            existing: None,
        })
    }

    /// Fails if the file found at the path no longer has this name: it was replaced, or the path
    /// leads to a deleted file (`/dev/stdout`).
    fn still_there(&self) -> Result<(), Errno> {
        let Some(existing) = &self.existing else { return Ok(()) };
        let now = rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        let same = (existing.st_dev, existing.st_ino) == (now.st_dev, now.st_ino);
        if same { Ok(()) } else { Err(Errno::STALE) }
    }

    /// Returns true if both are the same name in the same directory.
    pub(in crate::output) fn is_same(&self, other: &Self) -> bool {
        let directory =
            |place: &Self| rustix::fs::fstat(&place.directory).map(|found| (found.st_dev, found.st_ino));
        self.name == other.name && directory(self).is_ok_and(|found| directory(other) == Ok(found))
    }

    /// Returns true if the permissions of a new file do not depend on the umask.
    pub(in crate::output) fn decides_mode(&self) -> bool {
        self.mode.is_some() || self.existing.is_some()
    }

    /// Gives a new file the requested permissions, or those of the file that it replaces. Its group
    /// is kept too if the kernel permits that; else the new group gets no more permissions than
    /// others.
    pub(in crate::output) fn set_mode(&self, file: &File) -> io::Result<()> {
        let mode = match (self.mode, &self.existing) {
            (Some(mode), _) => mode,
            (None, None) => return Ok(()),
            (None, Some(existing)) => {
                let mut mode = existing.st_mode & 0o777;
                let group = rustix::process::Gid::from_raw(existing.st_gid);
                let differs = rustix::fs::fstat(file)?.st_gid != existing.st_gid;
                if differs && rustix::fs::fchown(file, None, Some(group)).is_err() {
                    mode &= !0o070 | (mode & 0o007) << 3;
                }
                Mode::from_raw_mode(mode)
            }
        };
        // Filesystems without modes reject every change.
        if Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode) == mode {
            return Ok(());
        }
        Ok(rustix::fs::fchmod(file, mode)?)
    }
}

/// The directory part of a path.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The mode of a file without its access control list, whose mask is shown in place of the group's
/// permissions. Permissions of named users and groups in the list are not granted to the group.
pub(super) fn mode_without_acl(found: &OwnedFd, mode: u32) -> u32 {
    /// The kernel's limit on the length of an xattr's value, in bytes.
    const MAX_LEN: usize = 64 << 10;
    let mut value = vec![0; MAX_LEN];
    let name = OsStr::from_bytes(acl::ACCESS);
    // The error may also be that the filesystem has no access control lists.
    let Ok(len) = rustix::fs::getxattr(own_path(found.as_fd()), name, &mut value[..]) else { return mode };
    let list = value.get(..len).and_then(|value| Acl::from_xattr(value).ok());
    let entry =
        list.and_then(|list| list.entries().iter().find(|entry| entry.tag == Tag::ACL_GROUP_OBJ).copied());
    // Without a valid list the group gets no more than others.
    let group = entry.map_or(mode & 0o007, |entry| u32::from(entry.permissions));
    mode & (!0o070 | group << 3)
}

/// Returns the error of an output's directory that cannot be opened.
fn no_directory(directory: &Path, errno: Errno) -> Error {
    if errno == Errno::NOENT {
        let what = "the directory of the output does not exist: make it first, or name a file in another";
        return Error::at(ErrorKind::Io, directory, what);
    }
    Error::io(directory, errno)
}
