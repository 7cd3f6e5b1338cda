//! The errors of reading a directory, with the paths that they are about.

use std::path::PathBuf;

use rustix::io::Errno;

use crate::blob::HostDirectory;
use crate::error::{Error, ErrorKind};

/// A directory of the host, or an entry of one.
#[derive(Clone, Copy)]
pub(super) struct Location<'a> {
    place: &'a HostDirectory,
    /// The name of the entry; empty for the directory itself.
    name: &'a [u8],
}

impl<'a> Location<'a> {
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

/// Returns the error for a file or directory that changed during the scan.
pub(super) fn changed(at: Location<'_>, how: &str) -> Error {
    let message = format!(
        "changed while it was scanned: {how}; make sure that nothing writes to the source, or leave out what is \
         mounted in it with --one-file-system"
    );
    Error::at(ErrorKind::BadInput, at.host_path(), message)
}

/// Returns the error of a system call on an entry of a directory.
pub(super) fn cannot_examine(at: Location<'_>, errno: Errno) -> Error {
    match errno {
        Errno::NOENT => changed(at, "it was listed and is gone"),
        // readlinkat(2) on what was a symbolic link.
        Errno::INVAL => changed(at, "it is another kind of file now"),
        _ => Error::io(at.host_path(), errno),
    }
}

/// Returns the error for metadata that a tree cannot represent.
pub(super) fn bad_input(at: Location<'_>, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::at(ErrorKind::BadInput, at.host_path(), error)
}
