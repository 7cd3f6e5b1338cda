//! Hidden names beside the name of an output.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, RenameFlags};
use rustix::io::Errno;

use crate::interrupt::{Cleanups, PendingCleanup};
use crate::output::destination::FilePlace;

/// The prefix of hidden names.
const HIDDEN: &str = ".rootcast-";

/// A hidden name beside the file's own. It is undone on drop, and when a signal ends the program
/// while it is blocked.
pub(super) struct HiddenName {
    place: Arc<FilePlace>,
    /// `None` once it is gone.
    name: Option<String>,
    undo: Undo,
    cleanup: PendingCleanup,
}

/// Ends a hidden name in a directory.
type Undo = fn(&FilePlace, &str);

impl HiddenName {
    /// Tries hidden names until `make` succeeds with one. The file is removed on drop.
    pub(super) fn claim<T>(
        place: &Arc<FilePlace>,
        cleanups: &Cleanups,
        make: impl FnMut(&str) -> Result<T, Errno>,
    ) -> io::Result<(T, Self)> {
        Self::claim_with(place, cleanups, remove, make)
    }

    /// Renames an existing file to a hidden name, from which drop renames it back; `None` if there
    /// is no file.
    pub(super) fn set_aside(place: &Arc<FilePlace>, cleanups: &Cleanups) -> io::Result<Option<Self>> {
        if !is_there(place)? {
            return Ok(None);
        }
        let FilePlace { directory, name, .. } = &**place;
        let rename = |hidden: &str| {
            match rustix::fs::renameat_with(directory, name, directory, hidden, RenameFlags::NOREPLACE) {
                // Network filesystems do not have the flag.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    match rustix::fs::statat(directory, hidden, AtFlags::SYMLINK_NOFOLLOW) {
                        Err(Errno::NOENT) => rustix::fs::renameat(directory, name, directory, hidden),
                        found => found.and(Err(Errno::EXIST)),
                    }
                }
                renamed => renamed,
            }
        };
        Ok(Some(Self::claim_with(place, cleanups, put_back, rename)?.1))
    }

    fn claim_with<T>(
        place: &Arc<FilePlace>,
        cleanups: &Cleanups,
        undo: Undo,
        mut make: impl FnMut(&str) -> Result<T, Errno>,
    ) -> io::Result<(T, Self)> {
        /// The maximum number of names to try: more leftovers of killed runs with the same process
        /// id are not expected.
        const TRIES: u32 = 1000;
        for number in 0..TRIES {
            let name = format!("{HIDDEN}{}-{number}", std::process::id());
            match cleanups.add_after(|| make(&name), cleanup(place, undo, &name)) {
                Err(Errno::EXIST) => {}
                made => {
                    let (made, cleanup) = made?;
                    return Ok((made, Self { place: Arc::clone(place), name: Some(name), undo, cleanup }));
                }
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Renames the file to a name in its directory.
    pub(super) fn rename(mut self, to: &OsStr) -> io::Result<()> {
        if let Some(name) = &self.name {
            let directory = &self.place.directory;
            rustix::fs::renameat(directory, name, directory, to)?;
            self.name = None;
        }
        Ok(())
    }

    /// Exchanges the file with the one that has its own name, which gets that back on drop. Returns
    /// false, and does nothing, if the filesystem cannot do that.
    pub(super) fn exchange(&mut self) -> io::Result<bool> {
        let Some(name) = &self.name else { return Ok(false) };
        if !is_there(&self.place)? {
            return Ok(false);
        }
        let directory = &self.place.directory;
        let flags = RenameFlags::EXCHANGE;
        let exchange = || rustix::fs::renameat_with(directory, name, directory, &self.place.name, flags);
        match self.cleanup.replace_after(exchange, cleanup(&self.place, put_back, name)) {
            Ok(()) => {
                self.undo = put_back;
                Ok(true)
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The cleanup of the name.
    pub(super) fn cleanup(&self) -> &PendingCleanup {
        &self.cleanup
    }

    /// Removes the file with the hidden name.
    pub(super) fn discard(mut self) {
        self.undo = remove;
    }
}

impl Drop for HiddenName {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            (self.undo)(&self.place, name);
        }
    }
}

/// Returns true if a file has the name of a place. Fails if a directory has it, which could be
/// renamed, but not removed in the end.
fn is_there(place: &FilePlace) -> Result<bool, Errno> {
    match rustix::fs::statat(&place.directory, &place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(false),
        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => Err(Errno::ISDIR),
        found => found.map(|_| true),
    }
}

fn cleanup(place: &Arc<FilePlace>, undo: Undo, name: &str) -> impl Fn() + Send + 'static {
    let (place, name) = (Arc::clone(place), name.to_owned());
    move || undo(&place, &name)
}

fn remove(place: &FilePlace, hidden: &str) {
    // OK to ignore: a file that cannot be removed now stays.
    let _ = rustix::fs::unlinkat(&place.directory, hidden, AtFlags::empty());
}

fn put_back(place: &FilePlace, hidden: &str) {
    // OK to ignore: a file that cannot be renamed now keeps its hidden name.
    let _ = rustix::fs::renameat(&place.directory, hidden, &place.directory, &place.name);
}
