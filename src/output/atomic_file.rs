//! A file that gets its name when it is whole.
//!
//! It begins without a name (`O_TMPFILE`), so the kernel frees it when the process dies, however it dies. Once
//! whole it is linked to its name. Where the name is taken, it is linked to a hidden name beside it and renamed
//! over the old file; only between these two calls could SIGKILL leave a second file, and a whole one.
//!
//! Filesystems without `O_TMPFILE` (NFS, FUSE, 9p) get a file with a hidden name, removed on drop.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use tempfile::{NamedTempFile, TempPath};

use crate::error::{Error, Result};

/// What hidden names begin with.
const HIDDEN: &str = ".rootcast-";

/// A regular file that comes to be at its path, or not at all.
pub(super) struct AtomicFile {
    file: File,
    /// The hidden name, where a file cannot be without one.
    hidden: Option<TempPath>,
    directory: PathBuf,
    path: PathBuf,
}

impl AtomicFile {
    /// An empty file, with the mode of any new file (0666 without the umask), that is to be at `path`: a path
    /// without symbolic link at its end, to nothing or to a regular file.
    ///
    /// # Errors
    /// When no file can be made in the directory, which the error names.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let (file, hidden) = match unnamed_file(directory) {
            Ok(file) => (file, None),
            // Kernels and filesystems refuse it with a handful of different errors. When the reason is not the
            // flag, the ordinary way meets it too.
            Err(_) => {
                let (file, name) =
                    named_file(directory).map_err(|error| Error::io(directory, error))?.into_parts();
                (file, Some(name))
            }
        };
        Ok(Self { file, hidden, directory: directory.to_owned(), path: path.to_owned() })
    }

    /// The file to write to.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Whether there is a second name until the file is whole.
    pub(super) fn has_hidden_name(&self) -> bool {
        self.hidden.is_some()
    }

    /// Gives the file its name, replacing what has it.
    ///
    /// # Errors
    /// When the kernel refuses; there is no file then, and what had the name still has it.
    pub(super) fn publish(self) -> io::Result<()> {
        match self.hidden {
            Some(hidden) => {
                // The filesystems that need a hidden name are those that may report lack of space after the
                // write.
                self.file.sync_data()?;
                hidden.persist(&self.path).map_err(|error| error.error)
            }
            None => match link(&self.file, &self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let linked = hidden_name(&self.directory, |name| link(&self.file, name))?;
                    linked.into_temp_path().persist(&self.path).map_err(|error| error.error)
                }
                linked => linked,
            },
        }
    }
}

fn unnamed_file(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(directory, flags, Mode::from_raw_mode(0o666))?);
    // Without /proc it could never be linked.
    fs::metadata(own_path(&file))?;
    Ok(file)
}

fn named_file(directory: &Path) -> io::Result<NamedTempFile> {
    hidden_name(directory, |name| File::options().write(true).create_new(true).open(name))
}

/// Tries hidden names until `make` finds one free.
fn hidden_name<T>(
    directory: &Path,
    make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<NamedTempFile<T>> {
    tempfile::Builder::new().prefix(HIDDEN).make_in(directory, make)
}

fn link(file: &File, name: &Path) -> io::Result<()> {
    Ok(rustix::fs::linkat(CWD, own_path(file), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

fn own_path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// What a filesystem without `O_TMPFILE` gets.
    fn with_hidden_name(path: &Path) -> AtomicFile {
        let directory = path.parent().expect("a test's path has a directory").to_owned();
        let (file, name) = named_file(&directory).expect("a file can be made").into_parts();
        AtomicFile { file, hidden: Some(name), directory, path: path.to_owned() }
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).expect("the directory is there").count()
    }

    fn check(create: impl Fn(&Path) -> AtomicFile, names_while_written: usize) {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("image");
        drop(create(&path));
        assert_eq!(names(directory.path()), 0, "a dropped file leaves nothing");
        for text in [b"one", b"two"] {
            let existing = names(directory.path());
            let file = create(&path);
            file.file().write_all_at(text, 0).expect("there is room");
            assert_eq!(names(directory.path()), existing + names_while_written);
            file.publish().expect("the name can be had");
            assert_eq!(names(directory.path()), 1);
            assert_eq!(fs::read(&path).expect("the file is there"), text);
        }
    }

    #[test]
    fn a_file_without_name_appears_whole() {
        check(|path| AtomicFile::create(path).expect("a file can be made"), 0);
    }

    #[test]
    fn a_file_with_a_hidden_name_appears_whole() {
        check(with_hidden_name, 1);
    }

    #[test]
    fn both_ways_give_the_mode_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a directory can be made");
        let at = |name: &str| directory.path().join(name);
        File::create(at("any")).expect("a file can be made");
        AtomicFile::create(&at("unnamed")).expect("a file can be made").publish().expect("the name is free");
        with_hidden_name(&at("named")).publish().expect("the name is free");
        let mode = |name| fs::metadata(at(name)).expect("the file is there").permissions().mode();
        assert_eq!((mode("unnamed"), mode("named")), (mode("any"), mode("any")));
    }
}
