//! The destination of an image, resolved and opened before any source is read.
//!
//! ```text
//! a/link ─▶ ../b/disk.img      b is opened, once      disk.img is created, linked and renamed in the open b
//! ```
//!
//! Making an image takes a while, and meanwhile a directory of the path may be replaced by a
//! symbolic link. So the directory of a file is opened first, and from then on its path is for
//! messages only.

mod device;
mod file_place;
mod options;
mod reopen;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::stdout;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;
use file_place::mode_without_acl;
use reopen::reopen;

pub(super) use device::{Device, zero};
pub(super) use file_place::FilePlace;
pub use options::DestinationOptions;
pub(super) use reopen::own_path;

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

impl Destination {
    /// Finds the file at `path`, following symbolic links, and opens it or its directory.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage) if it is a directory, a socket, or a block device without
    /// `options.force`, or if a mode is requested and it is not a regular file;
    /// [`Io`](ErrorKind::Io) if it or its directory cannot be opened.
    pub fn open(path: &Path, options: DestinationOptions) -> Result<Self> {
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
                    _ => place(Place::File(Arc::new(FilePlace::find(path, None, options)?))),
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
            return place(Place::File(Arc::new(FilePlace::find(path, Some(stat), options)?)));
        }
        match file_type {
            FileType::Directory => usage("is a directory: name a file in it"),
            FileType::Socket => {
                usage("is a socket: write the image to a file, or to standard output with `-o -`")
            }
            _ if options.mode.is_some() => {
                usage("is not a regular file, so it keeps its mode: leave out --mode")
            }
            FileType::BlockDevice if !options.force => {
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
        let file = stdout::open_for_image()?;
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

    /// Returns true if it was named by a path, and is not standard output.
    #[must_use]
    pub fn has_path(&self) -> bool {
        !matches!(self.place, Place::Open(_))
    }

    /// Returns true if it is a regular file, existing or new.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// Returns true if both are the same name of a regular file.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::File(one), Place::File(other)) => one.is_same(other),
            _ => false,
        }
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
    pub fn incomplete_message(&self) -> Option<String> {
        match &self.place {
            Place::Device(_) => Some(format!("{}: {}", shown::path(&self.path), Device::INCOMPLETE)),
            Place::File(_) | Place::Stream(_) | Place::Open(_) => None,
        }
    }

    /// Opens the output for sequential writing; waits for the reader of a named pipe.
    pub(super) fn open_stream(&self, found: &OwnedFd) -> Result<File> {
        reopen(found, &self.path, File::options().write(true)).map_err(|error| Error::io(&self.path, error))
    }
}
