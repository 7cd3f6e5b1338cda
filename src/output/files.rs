//! Several files of one directory, which belong together.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::destination::{Destination, DestinationOptions, Place};
use super::file::AtomicFile;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;

/// Writes files into a directory, which is made if it is missing. All of them are complete before
/// the first one gets its name, so that a failure before leaves no new file and every existing one
/// unchanged.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if one of the names is not that of a regular file,
/// [`Io`](ErrorKind::Io) if the directory cannot be made or a file cannot be written.
pub fn write(directory: &Path, files: &[(&str, Vec<u8>)], interrupt: &Interrupt) -> Result<()> {
    let made = MadeDirectory::new(directory)?;
    let destinations: Vec<Destination> = files
        .iter()
        .map(|(name, _)| Destination::open(&directory.join(name), DestinationOptions::default()))
        .collect::<Result<_>>()?;
    let mut written = Vec::new();
    for (destination, (_, bytes)) in destinations.iter().zip(files) {
        written.push((destination.path(), complete(destination, bytes, interrupt)?));
    }
    interrupt.check()?;
    for (path, file) in written {
        file.publish().map_err(|error| Error::io(path, error))?;
    }
    made.keep();
    Ok(())
}

/// Writes one file, which gets its name when it is complete.
///
/// # Errors
/// As [`write`].
pub fn write_one(path: &Path, bytes: &[u8], interrupt: &Interrupt) -> Result<()> {
    let destination = Destination::open(path, DestinationOptions::default())?;
    let file = complete(&destination, bytes, interrupt)?;
    interrupt.check()?;
    file.publish().map_err(|error| Error::io(path, error))
}

/// Returns a file with these bytes that does not have its name yet.
fn complete(destination: &Destination, bytes: &[u8], interrupt: &Interrupt) -> Result<AtomicFile> {
    interrupt.check()?;
    let Place::File(place) = &destination.place else {
        return Err(Error::at(ErrorKind::Usage, destination.path(), "is not a regular file: remove it"));
    };
    let file = AtomicFile::create(&Arc::clone(place), interrupt.cleanups())?;
    file.file().write_all(bytes).map_err(|error| Error::io(destination.path(), error))?;
    Ok(file)
}

/// A directory with those above it that are new. They are removed on drop if they are empty.
struct MadeDirectory {
    /// The new directories, the lowest first.
    new: Vec<PathBuf>,
}

impl MadeDirectory {
    fn new(path: &Path) -> Result<Self> {
        let new = path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let made = Self { new: new.map(Path::to_owned).collect() };
        fs::create_dir_all(path).map_err(|error| Error::io(path, error))?;
        Ok(made)
    }

    fn keep(mut self) {
        self.new.clear();
    }
}

impl Drop for MadeDirectory {
    fn drop(&mut self) {
        for directory in &self.new {
            // OK to ignore: a directory that is not empty stays.
            let _ = fs::remove_dir(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_existing_files_and_no_new_ones() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let interrupt = Interrupt::never();
        let out = root.path().join("new/out");
        let files = [("a", b"1".to_vec()), ("b", b"2".to_vec())];
        write(&out, &files, &interrupt).expect("there is room");
        assert_eq!(fs::read(out.join("b")).expect("it was written"), b"2");

        fs::remove_file(out.join("b")).expect("it is there");
        fs::create_dir(out.join("b")).expect("it can be made");
        let error = write(&out, &[("a", b"3".to_vec()), ("b", b"4".to_vec())], &interrupt);
        assert_eq!(error.expect_err("b is a directory").kind(), ErrorKind::Usage);
        assert_eq!(fs::read(out.join("a")).expect("it is unchanged"), b"1");
        assert_eq!(fs::read_dir(&out).expect("it is there").count(), 2);
    }

    #[test]
    fn a_failure_leaves_no_new_directory() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let out = root.path().join("new/out");
        let error = write(&out, &[("no/such", Vec::new())], &Interrupt::never());
        assert_eq!(error.expect_err("its directory is missing").kind(), ErrorKind::Io);
        assert!(!root.path().join("new").exists());
    }
}
