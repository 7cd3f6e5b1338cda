//! Results of earlier runs, in a directory: compressed pieces, decoded layers of images and
//! packages, and downloads.
//!
//! ```text
//! DIR/c7f…   key of a piece's bytes (and of codec, level, libraries) ─▶ compressed bytes
//! DIR/i7f…   identity of a piece's bytes (and of codec, …) ─▶ key of these bytes
//! DIR/l7f…   digest of a decoded layer ─▶ its bytes
//! DIR/v7f…   digest of a decoded layer ─▶ state of its file when these were verified
//! DIR/d7f…   digest of a download ─▶ its bytes
//! DIR/p7f…   digest of a package's file ─▶ the bytes of both of its parts, unpacked
//! ```
//!
//! # Keys
//!
//! A key is the SHA-256 of the bytes to compress and of nothing else. So files of the host are read
//! and hashed in every run.
//!
//! Bytes of a layer of an image of containers are identified without reading them, by the digest of
//! the layer, which is verified unless its file is in the state of the last time, and their place in
//! it. Only what nobody else could
//! change since then, such as an unpacked layer, gets an entry by its identity: a change of an
//! archive within one tick of the kernel's clock cannot be seen.
//!
//! Device, inode, size and times of a file do not identify its bytes. Two reproducible images that
//! are mounted in turn on one loop device agree in all of them; squashfs and EROFS have no change
//! time of their own; a file that is written to twice within one tick of the kernel's clock keeps
//! its times; and snapshots and backing files of virtual machines restore them.
//!
//! The saving of such an identity is in `docs/performance.md`, section "The cache of compressed
//! pieces".
//!
//! The cache only saves time. An entry is written under a hidden name and renamed once it is
//! complete, so any number of runs may share the directory. Its digest is verified when it is read, that
//! of a decoded layer only where its file has changed or the machine has started since; a corrupt
//! entry is ignored and later replaced. Failing to store an entry is not an error.
//! Beyond the size limit, the least recently used entries are removed.

mod addressed;
mod entry;
mod key;
mod payload;
mod state;
mod trim;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use initramfs::codec::CompressedPiece;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

pub(crate) use addressed::{Addressed, NewAddressed};
pub(crate) use entry::{Entry, NewEntry};
pub use key::{Key, KeyBuilder};
pub(crate) use payload::{FoundPayload, PayloadLens};
pub(crate) use state::LayerState;

use crate::error::{Error, ErrorKind, Result};

/// A directory of results, shared by threads and by runs.
#[derive(Debug)]
pub struct Cache {
    directory: OwnedFd,
    path: PathBuf,
    /// The error that makes the directory read-only.
    read_only: Option<Errno>,
    /// True if results are stored, and times of use updated.
    is_changed: bool,
    /// The maximum size of all entries together, in bytes.
    limit: u64,
    /// The size of all entries together in bytes, as far as this run knows.
    taken: Mutex<u64>,
    /// The counter that makes this run's hidden names unique.
    names: AtomicU64,
}

impl Cache {
    /// Opens a directory, or creates it, for entries of at most `limit` bytes together. Entries of
    /// earlier runs beyond that are removed.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage) if it is a symbolic link or writable by others;
    /// [`Io`](ErrorKind::Io) if it cannot be created or opened, or belongs to another user and
    /// cannot be written.
    pub fn open(path: &Path, limit: u64) -> Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Error::io(path, error)),
            _ => {}
        }
        let mut cache = Self::existing(path, limit)?;
        cache.is_changed = cache.read_only.is_none();
        if cache.is_changed {
            cache.trim();
        }
        Ok(cache)
    }

    /// Opens an existing directory without changing it: its entries are used, and none is added.
    /// Returns `None` if there is none.
    ///
    /// # Errors
    /// The same as of [`open`](Self::open).
    pub fn open_unchanged(path: &Path) -> Result<Option<Self>> {
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::existing(path, 0).map(Some),
        }
    }

    /// Returns an existing directory, which is not changed.
    fn existing(path: &Path, limit: u64) -> Result<Self> {
        let usage = |message: String| Err(Error::at(ErrorKind::Usage, path, message));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return usage(
                    "is not a directory, and links are not followed: name a directory for the cache".into(),
                );
            }
            directory => directory.map_err(|errno| Error::io(path, errno))?,
        };
        let stat = rustix::fs::fstat(&directory).map_err(|errno| Error::io(path, errno))?;
        let user = rustix::process::geteuid();
        let access = Access::WRITE_OK | Access::EXEC_OK;
        let read_only = rustix::fs::accessat(&directory, ".", access, AtFlags::EACCESS).err();
        if stat.st_uid != user.as_raw() {
            if read_only.is_some() {
                // Files that its owner stores cannot be trusted, and none can be added.
                let message = format!("belongs to user {}, and cannot be written", stat.st_uid);
                return Err(Error::at(ErrorKind::Io, path, message));
            }
            return usage(format!(
                "belongs to user {}, not to {user}: use a directory of your own",
                stat.st_uid
            ));
        }
        if stat.st_mode & 0o022 != 0 {
            let mode = stat.st_mode & 0o7777;
            return usage(format!(
                "others may write to it (mode {mode:o}): take that away with `chmod go-w`"
            ));
        }
        let (taken, names) = (Mutex::new(0), AtomicU64::new(0));
        let path = path.to_owned();
        Ok(Self { directory, path, read_only, is_changed: false, limit, taken, names })
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The error that makes the directory read-only; existing entries are used even so. `None` if
    /// it is writable.
    #[must_use]
    pub fn read_only_error(&self) -> Option<Errno> {
        self.read_only
    }

    /// Returns the compressed bytes of a piece.
    pub(crate) fn find(&self, content: &Key) -> Option<CompressedPiece> {
        self.open_named(content)?.read_whole().ok()
    }

    /// Returns the key of the bytes with an identity.
    pub(crate) fn find_key(&self, identity: &Key) -> Option<Key> {
        let found = self.open_entry_file(&identity.name_of_identity(), identity)?.read_whole().ok()?;
        found.bytes.try_into().ok().map(Key::from_bytes)
    }

    /// Stores the key of the bytes with an identity.
    pub(crate) fn put_key(&self, identity: &Key, content: &Key) {
        if let Some(mut entry) = self.begin_named(identity.name_of_identity(), identity) {
            entry.push(content.as_bytes());
            self.keep(entry, 0);
        }
    }

    /// Returns the entry of a piece that may be too long for memory, after verifying it.
    pub(crate) fn open_entry(&self, content: &Key) -> Option<Entry> {
        let entry = self.open_named(content)?;
        entry.check().ok()?;
        Some(entry)
    }

    /// Stores the compressed bytes of a piece.
    pub(crate) fn put(&self, content: &Key, packed: &CompressedPiece) {
        if let Some(mut entry) = self.begin(content) {
            entry.push(&packed.bytes);
            self.keep(entry, packed.note);
        }
    }

    /// Begins a new entry for the compressed bytes of a piece; `None` if that fails.
    pub(crate) fn begin(&self, content: &Key) -> Option<NewEntry<'_>> {
        self.begin_named(content.name(), content)
    }

    fn begin_named(&self, name: String, key: &Key) -> Option<NewEntry<'_>> {
        if !self.is_changed {
            return None;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create =
            |hidden: &str| rustix::fs::openat(&self.directory, hidden, flags, Mode::RUSR | Mode::WUSR);
        let (file, hidden) = hidden_file(self, create).ok()?;
        Some(NewEntry::new(&self.directory, File::from(file), (hidden, name), key))
    }

    /// Gives a new entry its name. An incomplete entry is removed.
    pub(crate) fn keep(&self, entry: NewEntry<'_>, note: u64) {
        let Ok(len) = entry.finish(note) else { return };
        self.add_taken(entry::disk_space(len));
    }

    /// Adds to the size of all entries, and removes some if they are beyond the limit.
    fn add_taken(&self, more: u64) {
        let taken = {
            // OK to unwrap: adding does not panic.
            let mut taken = self.taken.lock().expect("a number can be added to");
            *taken = taken.saturating_add(more);
            *taken
        };
        if taken > self.limit {
            self.trim();
        }
    }

    /// Opens the entry of a piece.
    fn open_named(&self, key: &Key) -> Option<Entry> {
        self.open_entry_file(&key.name(), key)
    }

    /// Opens an entry, and updates its time of use.
    fn open_entry_file(&self, name: &str, key: &Key) -> Option<Entry> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::empty()).ok()?;
        let entry = Entry::open(File::from(file), key)?;
        self.update_times(
            name,
            Timestamps {
                last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
                last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            },
        );
        Some(entry)
    }

    /// Updates the times of an entry that is used.
    fn update_times(&self, name: &str, times: Timestamps) {
        if self.is_changed {
            // If that fails, the entry is removed earlier than others.
            let _ = rustix::fs::utimensat(&self.directory, name, &times, AtFlags::SYMLINK_NOFOLLOW);
        }
    }
}

/// Makes a file with a hidden name, and returns the name: the first one that is free.
fn hidden_file<T>(
    cache: &Cache,
    mut make: impl FnMut(&str) -> std::result::Result<T, Errno>,
) -> io::Result<(T, String)> {
    /// The maximum number of names to try: more leftovers of killed runs with the same process id
    /// are not expected.
    const TRIES: usize = 1000;
    for _ in 0..TRIES {
        let number = cache.names.fetch_add(1, Ordering::Relaxed);
        let hidden = format!("{}{}-{number}", entry::HIDDEN, std::process::id());
        match make(&hidden) {
            Err(Errno::EXIST) => {}
            made => return made.map(|made| (made, hidden)).map_err(io::Error::from),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
