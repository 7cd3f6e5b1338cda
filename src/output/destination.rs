//! The destination of a product, resolved and opened before any source is read.
//!
//! ```text
//! a/link ─▶ ../b/disk.img      b is opened, once      disk.img is created, linked and renamed in the open b
//! ```
//!
//! Making a product takes a while, and meanwhile a directory of the path may be replaced by a
//! symbolic link. So the directory of a file is opened first, and from then on its path is for
//! messages only.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::acl::{self, Acl, Tag};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::device::Device;
use super::stream;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// The further requirements on an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The permissions of a regular file, 0 to 0777; `None` keeps those of the file that is
    /// replaced, or applies the umask to a new one.
    pub mode: Option<u16>,
    /// True if the contents of a block device may be overwritten.
    pub force: bool,
}

/// An output to write.
#[derive(Debug)]
pub struct Destination {
    /// The path as the user gave it, for messages.
    path: PathBuf,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum Place {
    /// A regular file, existing or new.
    File(Arc<FilePlace>),
    /// A named pipe or character device, opened with O_PATH only, as opening a pipe waits for its
    /// reader.
    Stream(OwnedFd),
    /// Standard output.
    Open(File),
    /// A block device.
    Device(Device),
}

/// Returns the error of an output's directory that cannot be opened.
fn no_directory(directory: &Path, errno: Errno) -> Error {
    if errno == Errno::NOENT {
        let what = "the directory of the output does not exist: make it first, or name a file in another";
        return Error::at(ErrorKind::Io, directory, what);
    }
    Error::io(directory, errno)
}

impl Destination {
    /// Finds the file at `path`, following symbolic links, and opens it or its directory.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage) if it is a directory, a socket, or a block device without
    /// `asked.force`, or if a mode is requested and it is not a regular file; [`Io`](ErrorKind::Io)
    /// if it or its directory cannot be opened.
    pub fn open(path: &Path, asked: Asked) -> Result<Self> {
        let usage = |message: &str| Err(Error::at(ErrorKind::Usage, path, message));
        let failed = |errno: Errno| Error::io(path, errno);
        let place = |place| Ok(Self { path: path.to_owned(), place });
        let found = match rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(found) => found,
            // The target of a link may not exist yet.
            Err(Errno::NOENT) => {
                return match path.as_os_str().as_encoded_bytes() {
                    [] => usage("the name of the output is empty"),
                    [.., b'/'] => {
                        usage("is not a directory that exists, and an image is a file: leave out the last /")
                    }
                    _ => place(Place::File(Arc::new(FilePlace::find(path, None, asked)?))),
                };
            }
            Err(Errno::NOTDIR) => {
                let what = "a part of the path of the output is not a directory: name a file in a directory";
                return Err(Error::at(ErrorKind::Io, path, what));
            }
            Err(errno) => return Err(failed(errno)),
        };
        let mut stat = rustix::fs::fstat(&found).map_err(failed)?;
        let file_type = FileType::from_raw_mode(stat.st_mode);
        if file_type == FileType::RegularFile {
            stat.st_mode = mode_without_acl(&found, stat.st_mode);
            return place(Place::File(Arc::new(FilePlace::find(path, Some(stat), asked)?)));
        }
        match file_type {
            FileType::Directory => usage("is a directory: name a file in it"),
            FileType::Socket => {
                usage("is a socket: write the image to a file, or to standard output with `-o -`")
            }
            _ if asked.mode.is_some() => {
                usage("is not a regular file, so it keeps its mode: leave out --mode")
            }
            FileType::BlockDevice if !asked.force => {
                usage("is a block device: --force overwrites what is on it; or write the image to a file")
            }
            FileType::BlockDevice => place(Place::Device(Device::open(&found, path)?)),
            _ => place(Place::Stream(found)),
        }
    }

    /// Standard output.
    ///
    /// # Errors
    /// If it is closed.
    pub fn standard_output() -> Result<Self> {
        let file = stream::standard_output_for_product()?;
        Ok(Self { path: PathBuf::from("standard output"), place: Place::Open(file) })
    }

    /// Returns a regular file of `len` bytes in place of a block device.
    #[cfg(test)]
    pub(super) fn device_stand_in(file: File, path: &Path, len: u64) -> Self {
        Self { path: path.to_owned(), place: Place::Device(Device::stand_in(file, path, len)) }
    }

    /// The path as the user gave it, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The permissions of the new file, if neither `--mode` nor a previous file determined them.
    #[must_use]
    pub fn mode_by_umask(&self) -> Option<u32> {
        let Place::File(place) = &self.place else { return None };
        let stat = rustix::fs::statat(&place.directory, &place.name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        (!place.decides_mode()).then_some(stat.st_mode & 0o777)
    }

    /// The logical sector size of a block device, in bytes.
    #[must_use]
    pub fn sector_size(&self) -> Option<u32> {
        match &self.place {
            Place::Device(device) => device.sector_size(),
            Place::File(_) | Place::Stream(_) | Place::Open(_) => None,
        }
    }

    /// Returns the message that a device holds an incomplete product, if it is one and the run was
    /// stopped.
    #[must_use]
    pub fn left_in_part(&self) -> Option<String> {
        match &self.place {
            Place::Device(_) => Some(format!("{}: {}", shown::path(&self.path), Device::IN_PART)),
            Place::File(_) | Place::Stream(_) | Place::Open(_) => None,
        }
    }

    /// Opens the output for sequential writing; waits for the reader of a named pipe.
    pub(super) fn open_stream(&self, found: &OwnedFd) -> Result<File> {
        reopen(found, &self.path, File::options().write(true)).map_err(|error| Error::io(&self.path, error))
    }
}

/// Reopens a file that was opened with O_PATH.
pub(super) fn reopen(found: &OwnedFd, path: &Path, options: &std::fs::OpenOptions) -> io::Result<File> {
    match options.open(own_path(found.as_fd())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !Path::new("/proc/self/fd").exists() => {
            let file = options.open(path)?;
            let (before, now) = (rustix::fs::fstat(found)?, rustix::fs::fstat(&file)?);
            if (before.st_dev, before.st_ino) == (now.st_dev, now.st_ino) {
                Ok(file)
            } else {
                Err(io::Error::other("another file has its name now"))
            }
        }
        opened => opened,
    }
}

/// The path that leads to an open file, regardless of its name.
pub(super) fn own_path(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// A name in an open directory, which is not a symbolic link.
#[derive(Debug)]
pub(super) struct FilePlace {
    pub(super) directory: OwnedFd,
    pub(super) name: OsString,
    /// The path of the directory, for messages.
    pub(super) directory_path: PathBuf,
    /// The requested permissions.
    asked: Option<Mode>,
    /// The regular file to be replaced.
    existing: Option<Stat>,
}

impl FilePlace {
    /// Follows the symbolic links at the end of a path, even if the last one is dangling.
    fn find(path: &Path, existing: Option<Stat>, asked: Asked) -> Result<Self> {
        /// The limit of the kernel.
        const MAX_LINKS: usize = 40;
        let asked = asked.mode.map(|mode| Mode::from_raw_mode(mode.into()));
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
                    let place = Self { directory, name, directory_path, asked, existing };
                    return place.still_there().map(|()| place).map_err(|errno| Error::io(path, errno));
                }
                Err(errno) => return Err(Error::io(&shown, errno)),
            }
        }
        Err(Error::io(path, Errno::LOOP))
    }

    /// Fails if the file found at the path no longer has this name: it was replaced, or the path
    /// leads to a deleted file (`/dev/stdout`).
    fn still_there(&self) -> Result<(), Errno> {
        let Some(existing) = &self.existing else { return Ok(()) };
        let now = rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        let same = (existing.st_dev, existing.st_ino) == (now.st_dev, now.st_ino);
        if same { Ok(()) } else { Err(Errno::STALE) }
    }

    /// Returns true if the permissions of a new file do not depend on the umask.
    pub(super) fn decides_mode(&self) -> bool {
        self.asked.is_some() || self.existing.is_some()
    }

    /// Gives a new file the requested permissions, or those of the file that it replaces. Its group
    /// is kept too if the kernel permits that; else the new group gets no more permissions than
    /// others.
    pub(super) fn set_mode(&self, file: &File) -> io::Result<()> {
        let mode = match (self.asked, &self.existing) {
            (Some(asked), _) => asked,
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

/// The mode of a file without its access control list, whose mask is shown in place of the group's
/// permissions. Permissions of named users and groups in the list are not granted to the group.
fn mode_without_acl(found: &OwnedFd, mode: u32) -> u32 {
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

/// The directory part of a path.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
