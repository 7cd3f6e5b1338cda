//! Files whose bytes have the digest in their name.
//!
//! ```text
//! DIR/l7f…   digest of a decoded layer ─▶ its bytes, a tar archive, and nothing else
//! DIR/d7f…   digest of a download ─▶ its bytes, and nothing else
//! ```
//!
//! Callers hash what they read: the digest in the name is that of the bytes, so that no entry that
//! was changed is used, and none needs a checksum of its own.

use std::fs::File;
use std::io;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

use super::{Cache, hidden_file};

/// The unit of `st_blocks`, in bytes.
const BLOCK: u64 = 512;

/// The kind of a file whose bytes have the digest in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addressed {
    /// A decoded layer of an image of containers.
    Layer,
    /// A file that was downloaded.
    Download,
    /// The unpacked parts of a package, with a checksum of their own: the digest is that of the
    /// package's file.
    Package,
}

impl Addressed {
    /// Returns the name of an entry, by the hexadecimal digits of its digest.
    fn name(self, digits: &str) -> String {
        let letter = match self {
            Self::Layer => 'l',
            Self::Download => 'd',
            Self::Package => 'p',
        };
        format!("{letter}{digits}")
    }
}

/// Returns true for the name of such a file, by SHA-256 or SHA-512.
pub(super) fn is_addressed(name: &[u8]) -> bool {
    matches!(name, [b'l' | b'd' | b'p', digits @ ..] if matches!(digits.len(), 64 | 128))
}

/// Returns the time of the last use of a file, in seconds and nanoseconds, as far as its own times
/// have it. Only the time of access is updated: another run that reads the file checks that the time
/// of modification stays.
pub(super) fn last_use(stat: &Stat) -> (i64, u64) {
    (stat.st_atime, stat.st_atime_nsec).max((stat.st_mtime, stat.st_mtime_nsec))
}

/// Returns the disk space of a file in bytes, without its holes.
pub(super) fn disk_space(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK)
}

impl Cache {
    /// Opens the file with this digest, in hexadecimal digits, and updates its time of use. Its bytes
    /// have to be verified, unless it is a layer that [is](Self::is_verified).
    pub(crate) fn open_addressed(&self, kind: Addressed, digits: &str) -> Option<File> {
        let name = kind.name(digits);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, &name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        match kind {
            Addressed::Layer => self.set_layer_used(digits),
            Addressed::Download | Addressed::Package => self.update_times(
                &name,
                Timestamps {
                    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
                    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
                },
            ),
        }
        Some(File::from(file))
    }

    /// Begins the entry of a file; `None` if nothing can be stored.
    ///
    /// # Errors
    /// If no file can be created.
    pub(crate) fn begin_addressed(
        &self,
        kind: Addressed,
        digits: &str,
    ) -> io::Result<Option<NewAddressed<'_>>> {
        if !self.is_changed {
            return Ok(None);
        }
        let name = kind.name(digits);
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // A file without a name leaves nothing when the process is killed. Kernels and filesystems
        // reject it with several different errors.
        if let Ok(file) = rustix::fs::openat(&self.directory, ".", flags, Mode::RUSR | Mode::WUSR) {
            return Ok(Some(NewAddressed { cache: self, file: File::from(file), hidden: None, name }));
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = |hidden: &str| {
            rustix::fs::openat(&self.directory, hidden, flags, Mode::RUSR | Mode::WUSR).map(File::from)
        };
        let (file, hidden) = hidden_file(self, create)?;
        Ok(Some(NewAddressed { cache: self, file, hidden: Some(hidden), name }))
    }
}

/// A file that is being written. It is removed on drop.
#[derive(Debug)]
pub(crate) struct NewAddressed<'c> {
    cache: &'c Cache,
    file: File,
    /// Its name until it is complete, on filesystems without unnamed files.
    hidden: Option<String>,
    name: String,
}

impl NewAddressed<'_> {
    /// The file to write to.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the entry its name, whose digest its bytes must have. Returns false if it is larger than
    /// the whole cache may be, and not kept.
    ///
    /// # Errors
    /// If the kernel refuses it; there is no new entry then.
    pub(crate) fn keep(mut self) -> io::Result<bool> {
        let stat = rustix::fs::fstat(&self.file)?;
        let space = disk_space(&stat);
        if space > self.cache.limit {
            return Ok(false);
        }
        rustix::fs::fchmod(&self.file, Mode::RUSR)?;
        let hidden = match self.hidden.take() {
            Some(hidden) => hidden,
            None => match self.link(&self.name) {
                Ok(()) => return self.kept(space),
                // Of another run, or damaged.
                Err(Errno::EXIST) => hidden_file(self.cache, |hidden| self.link(hidden))?.1,
                Err(errno) => return Err(errno.into()),
            },
        };
        let directory = &self.cache.directory;
        if let Err(errno) = rustix::fs::renameat(directory, &hidden, directory, &self.name) {
            self.hidden = Some(hidden);
            return Err(errno.into());
        }
        self.kept(space)
    }

    fn kept(&self, space: u64) -> io::Result<bool> {
        self.cache.add_taken(space);
        Ok(true)
    }

    fn link(&self, name: &str) -> Result<(), Errno> {
        let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&self.file));
        rustix::fs::linkat(CWD, own, &self.cache.directory, name, AtFlags::SYMLINK_FOLLOW)
    }
}

impl Drop for NewAddressed<'_> {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // A leftover is removed once it is old.
            let _ = rustix::fs::unlinkat(&self.cache.directory, hidden, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::*;

    const ONE: &str = "11111111111111111111111111111111111111111111111111111111111111aa";
    const TWO: &str = "22222222222222222222222222222222222222222222222222222222222222bb";

    fn store(cache: &Cache, digits: &str, bytes: &[u8]) -> bool {
        let new = cache.begin_addressed(Addressed::Layer, digits).expect("room").expect("it can be written");
        new.file().write_all(bytes).expect("room");
        new.keep().expect("it can be linked")
    }

    fn found(cache: &Cache, digits: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        cache.open_addressed(Addressed::Layer, digits)?.read_to_end(&mut bytes).expect("a file");
        Some(bytes)
    }

    /// Returns the names of all files but those of states.
    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).expect("a directory");
        let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('v')).collect();
        names.sort();
        names
    }

    #[test]
    fn a_layer_is_found_once_it_is_complete() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 1 << 30).expect("a directory of our own");
        assert_eq!(found(&cache, ONE), None);
        let unfinished =
            cache.begin_addressed(Addressed::Layer, ONE).expect("room").expect("it can be written");
        unfinished.file().write_all(b"half").expect("room");
        assert_eq!(found(&cache, ONE), None);
        drop(unfinished);
        assert!(store(&cache, ONE, b"whole"));
        assert_eq!(found(&cache, ONE), Some(b"whole".to_vec()));
        // One that was damaged is replaced, also while another run still reads it.
        let mut open = cache.open_addressed(Addressed::Layer, ONE).expect("it is there");
        assert!(store(&cache, ONE, b"again"));
        assert_eq!(found(&cache, ONE), Some(b"again".to_vec()));
        let mut before = String::new();
        open.read_to_string(&mut before).expect("it is open");
        assert_eq!(before, "whole");
        assert_eq!(names(directory.path()), [format!("l{ONE}")]);
    }

    #[test]
    fn the_least_recently_used_layers_are_removed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 100_000).expect("a directory of our own");
        assert!(!store(&cache, ONE, &[1; 200_000]));
        assert!(store(&cache, ONE, &[1; 40_000]) && store(&cache, TWO, &[1; 40_000]));
        let old = SystemTime::now() - Duration::from_secs(3600);
        for digits in [ONE, TWO] {
            let file = File::options()
                .read(true)
                .open(directory.path().join(Addressed::Layer.name(digits)))
                .expect("an entry");
            file.set_times(fs::FileTimes::new().set_accessed(old).set_modified(old)).expect("our own");
        }
        assert!(found(&cache, ONE).is_some());
        // The time of modification is that of the contents.
        let modified = fs::metadata(directory.path().join(Addressed::Layer.name(ONE)))
            .and_then(|found| found.modified());
        assert_eq!(modified.expect("a time"), old);
        assert!(store(&cache, &ONE.replace('1', "3"), &[1; 40_000]));
        assert_eq!(
            names(directory.path()),
            [Addressed::Layer.name(ONE), Addressed::Layer.name(&ONE.replace('1', "3"))]
        );
        // The state of a layer is removed with it.
        let state = directory.path().join(format!("v{ONE}"));
        assert!(state.exists());
        fs::remove_file(directory.path().join(Addressed::Layer.name(ONE))).expect("our own");
        cache.trim();
        assert!(!state.exists());
    }

    #[test]
    fn links_and_other_files_are_not_layers() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 1 << 30).expect("a directory of our own");
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join(Addressed::Layer.name(ONE)))
            .expect("a free name");
        fs::create_dir(directory.path().join(Addressed::Layer.name(TWO))).expect("a free name");
        assert!(
            cache.open_addressed(Addressed::Layer, ONE).is_none()
                && cache.open_addressed(Addressed::Layer, TWO).is_none()
        );
        assert!(store(&cache, ONE, b"whole"));
        assert_eq!(found(&cache, ONE), Some(b"whole".to_vec()));
    }
}
