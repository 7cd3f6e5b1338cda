//! Reads the extended attributes of a file, for which no system call takes a path relative to a
//! directory.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use image_tree::{XattrName, Xattrs};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::UnshareFlags;

use super::error::{Location, cannot_examine};
use crate::blob::Root;
use crate::error::{Error, ErrorKind, Result};
use crate::xattr_filter::{Decision, Filter, pattern_of};

/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`: the kernel returns nothing longer, in bytes.
const MAX_LEN: usize = 65_536;

/// The initial size of the buffers, in bytes: most files have not more than a label or a
/// capability.
const USUAL_LEN: usize = 1024;

/// Reads the xattrs of one file after the other, reusing its buffers.
pub(super) struct XattrReader<'r> {
    route: Route,
    /// The filter for xattrs; values of dropped ones need not be readable.
    filter: &'r Filter,
    /// False for a reader that finds none.
    is_wanted: bool,
    path: Vec<u8>,
    names: Vec<u8>,
    value: Vec<u8>,
}

/// The start of a path that leads to an open directory, the cheapest first (`docs/performance.md`
/// has figures).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    /// The working directory, which this thread has for itself.
    WorkingDirectory,
    /// `/proc/self/fd`, which shows our descriptors.
    Proc,
    /// The root's path as the user gave it, which resolves to whatever is there now.
    Path,
}

/// The working directory of the program, which the threads of a scan leave and return to.
pub(super) struct Home(Option<OwnedFd>);

impl Home {
    /// Holds the current working directory, if it can be opened.
    pub(super) fn hold() -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self(rustix::fs::openat(CWD, c".", flags, Mode::empty()).ok())
    }

    /// Returns the calling thread to it.
    pub(super) fn enter(&self) {
        if let Some(home) = &self.0 {
            // OK to ignore: no thread of a pool uses relative paths.
            let _ = rustix::process::fchdir(home);
        }
    }
}

/// The file whose xattrs are read.
#[derive(Clone, Copy)]
enum Target<'a> {
    Open(BorrowedFd<'a>),
    /// A path whose last component is not followed.
    Path(&'a [u8]),
}

impl<'r> XattrReader<'r> {
    /// Creates a reader for any thread.
    pub(super) fn new(root: &Root) -> Result<Self> {
        let examine = |errno| Error::io(root.join(b""), errno);
        let held = rustix::fs::fstat(root.fd()).map_err(examine)?;
        let through_proc = rustix::fs::stat(format!("/proc/self/fd/{}", root.fd().as_raw_fd()));
        let proc = through_proc.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (held.st_dev, held.st_ino));
        let route = if proc { Route::Proc } else { Route::Path };
        let (names, value) = (vec![0; USUAL_LEN], vec![0; USUAL_LEN]);
        Ok(Self { route, filter: Filter::NONE, is_wanted: true, path: Vec::new(), names, value })
    }

    /// Returns the same with a filter for xattrs; dropped ones need not be readable.
    pub(super) fn with_filter(self, filter: &'r Filter) -> Self {
        Self { filter, ..self }
    }

    /// Returns the same, or a reader that finds no xattrs without looking for them.
    pub(super) fn if_wanted(self, is_wanted: bool) -> Self {
        Self { is_wanted, ..self }
    }

    /// Creates a reader for a thread that does not otherwise use relative paths before it returns
    /// to `home`: it gets a working directory of its own, which takes no privilege. If a filter of
    /// system calls forbids it, the reader is as that of [`XattrReader::new`].
    pub(super) fn for_own_thread(root: &Root, home: &Home) -> Result<Self> {
        let reader = Self::new(root)?;
        if home.0.is_none() {
            return Ok(reader);
        }
        #[expect(deprecated, reason = "it became unsafe because of UnshareFlags::FILES, which this is not")]
        let unshared = rustix::thread::unshare(UnshareFlags::FS);
        Ok(if unshared.is_ok() { Self { route: Route::WorkingDirectory, ..reader } } else { reader })
    }

    /// Prepares for entries of an open directory, which is at `at`.
    pub(super) fn enter(&self, directory: BorrowedFd<'_>, at: Location<'_>) -> Result<()> {
        match self.route {
            Route::WorkingDirectory => {
                rustix::process::fchdir(directory).map_err(|errno| cannot_examine(at, errno))
            }
            Route::Proc | Route::Path => Ok(()),
        }
    }

    /// Returns the xattrs of an open directory.
    pub(super) fn of_directory(&mut self, directory: BorrowedFd<'_>, at: Location<'_>) -> Result<Xattrs> {
        self.read(Target::Open(directory), at)
    }

    /// Returns the xattrs of an entry, which is at `at`, of the directory entered last.
    pub(super) fn of_entry(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        at: Location<'_>,
    ) -> Result<Xattrs> {
        let mut host_path = std::mem::take(&mut self.path);
        host_path.clear();
        match self.route {
            Route::WorkingDirectory => host_path.extend_from_slice(name.to_bytes()),
            Route::Proc => {
                // OK to ignore: writing to memory does not fail.
                let _ = write!(host_path, "/proc/self/fd/{}/", directory.as_raw_fd());
                host_path.extend_from_slice(name.to_bytes());
            }
            Route::Path => host_path.extend_from_slice(at.host_path().as_os_str().as_bytes()),
        }
        let xattrs = self.read(Target::Path(&host_path), at);
        self.path = host_path;
        xattrs
    }

    #[cfg(test)]
    pub(super) fn without_proc(mut self) -> Self {
        self.route = Route::Path;
        self
    }

    fn read(&mut self, target: Target<'_>, at: Location<'_>) -> Result<Xattrs> {
        if !self.is_wanted {
            return Ok(Xattrs::new());
        }
        let len = match with_room(&mut self.names, |buffer| list(target, buffer)) {
            Ok(len) => len,
            // The filesystem has no xattrs.
            Err(Errno::OPNOTSUPP) => 0,
            Err(errno) => return Err(cannot_examine(at, errno)),
        };
        let mut xattrs = Xattrs::new();
        let names = self.names.get(..len).unwrap_or_default();
        for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            match with_room(&mut self.value, |buffer| get(target, name, buffer)) {
                Ok(len) => {
                    let name = XattrName::new(name)
                        .map_err(|error| Error::at(ErrorKind::BadInput, at.host_path(), error))?;
                    xattrs.insert(name, self.value.get(..len).unwrap_or_default().into());
                }
                // It was removed since, which the change time reveals to readers of the file, or
                // the filesystem lists more than it has.
                Err(Errno::NODATA) => {}
                Err(Errno::NOENT) => return Err(cannot_examine(at, Errno::NOENT)),
                // A disabled security module refuses to read its labels. The xattr is counted as
                // dropped.
                Err(_) if self.filter.decide(name, false) != Decision::Keep => {
                    let name = XattrName::new(name)
                        .map_err(|error| Error::at(ErrorKind::BadInput, at.host_path(), error))?;
                    xattrs.insert(name, Box::default());
                }
                Err(errno) => {
                    let what = format!("xattr {} cannot be read", name.escape_ascii());
                    let error = std::io::Error::from(errno);
                    let way_out = format!("--xattr-filter 'drop={}' leaves it out", pattern_of(name));
                    return Err(Error::at(
                        ErrorKind::Io,
                        at.host_path(),
                        format!("{what}: {error}; {way_out}"),
                    ));
                }
            }
        }
        Ok(xattrs)
    }
}

/// Calls with the buffer as it is, and once more with the largest size that can be needed, so an
/// attribute that keeps growing does not make it loop.
fn with_room(
    buffer: &mut Vec<u8>,
    mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<usize> {
    match call(buffer) {
        Err(Errno::RANGE) if buffer.len() < MAX_LEN => {
            buffer.resize(MAX_LEN, 0);
            call(buffer)
        }
        result => result,
    }
}

fn list(target: Target<'_>, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    match target {
        Target::Open(fd) => rustix::fs::flistxattr(fd, buffer),
        Target::Path(path) => rustix::fs::llistxattr(path, buffer),
    }
}

fn get(target: Target<'_>, name: &[u8], buffer: &mut [u8]) -> rustix::io::Result<usize> {
    match target {
        Target::Open(fd) => rustix::fs::fgetxattr(fd, name, buffer),
        Target::Path(path) => rustix::fs::lgetxattr(path, name, buffer),
    }
}
