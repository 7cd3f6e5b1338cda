//! Compressed pieces from earlier runs, in a directory.
//!
//! ```text
//! DIR/i0b…   key of where a piece's bytes come from (headers; device, inode, size and times of files) ─▶ key of its bytes
//! DIR/c7f…   key of a piece's bytes (and of codec, level, libraries)                                  ─▶ compressed bytes
//! ```
//!
//! A key is a SHA-256. With the first kind of entry a piece whose files did not change is not even read. A file that changed
//! within the last seconds gets no such entry: it could change again within one tick of the clock of its times.
//!
//! The cache only ever saves time. An entry is written under a hidden name and renamed when it is whole, so any number of
//! runs may share the directory; it is checked against its digest when it is read, and one that is wrong is passed over and
//! later replaced. That something could not be kept is no error. Beyond the size that was asked for, the entries that were
//! not used for longest are removed.

mod entry;
mod identify;
mod key;
mod trim;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use initramfs::codec::Packed;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

pub(super) use entry::{Entry, NewEntry};
pub use identify::Identify;
pub use key::{Key, KeyBuilder};

use crate::error::{Error, ErrorKind, Result};

/// A directory of compressed pieces, shared by threads and by runs.
#[derive(Debug)]
pub struct Cache {
    directory: OwnedFd,
    /// How many bytes the entries may take together.
    limit: u64,
    /// How many they take, as far as this run knows.
    taken: Mutex<u64>,
    /// Tells this run's hidden names apart.
    names: AtomicU64,
}

impl Cache {
    /// Opens a directory, and makes it when there is none, for entries of at most `limit` bytes together. Entries that an
    /// earlier run left beyond that are removed.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage) when it is a symbolic link, or others could put something in it; [`Io`](ErrorKind::Io)
    /// when it cannot be made or opened.
    pub fn open(path: &Path, limit: u64) -> Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Error::io(path, error)),
            _ => {}
        }
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
        if stat.st_uid != user.as_raw() {
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
        let cache = Self { directory, limit, taken: Mutex::new(0), names: AtomicU64::new(0) };
        cache.trim();
        Ok(cache)
    }

    /// The key of the bytes that come from where `identity` says, if an earlier run knew it.
    pub(super) fn content_of(&self, identity: &Key) -> Option<Key> {
        let entry = self.open_named(&identity.name('i'), identity)?;
        let packed = entry.read_whole().ok()?;
        Key::from_bytes(&packed.bytes)
    }

    /// Notes which bytes come from where `identity` says.
    pub(super) fn remember(&self, identity: &Key, content: &Key) {
        self.put_named(identity.name('i'), identity, content.as_bytes(), 0);
    }

    /// The compressed bytes of a piece.
    pub(super) fn find(&self, content: &Key) -> Option<Packed> {
        self.open_named(&content.name('c'), content)?.read_whole().ok()
    }

    /// The compressed bytes of a piece that may be too long for memory. They were checked.
    pub(super) fn open_entry(&self, content: &Key) -> Option<Entry> {
        let entry = self.open_named(&content.name('c'), content)?;
        entry.check().ok()?;
        Some(entry)
    }

    /// Keeps the compressed bytes of a piece.
    pub(super) fn put(&self, content: &Key, packed: &Packed) {
        self.put_named(content.name('c'), content, &packed.bytes, packed.note);
    }

    /// Begins to keep the compressed bytes of a piece; none when that cannot be.
    pub(super) fn begin(&self, content: &Key) -> Option<NewEntry<'_>> {
        self.begin_named(content.name('c'), content)
    }

    /// Gives a new entry its name. It is removed again when it is not whole.
    pub(super) fn keep(&self, entry: NewEntry<'_>, note: u64) {
        let Ok(len) = entry.finish(note) else { return };
        let taken = {
            // OK to unwrap: adding does not panic.
            let mut taken = self.taken.lock().expect("a number can be added to");
            *taken = taken.saturating_add(trim::cost(len));
            *taken
        };
        if taken > self.limit {
            self.trim();
        }
    }

    fn put_named(&self, name: String, key: &Key, bytes: &[u8], note: u64) {
        if let Some(mut entry) = self.begin_named(name, key) {
            entry.push(bytes);
            self.keep(entry, note);
        }
    }

    fn begin_named(&self, name: String, key: &Key) -> Option<NewEntry<'_>> {
        /// More leftovers of killed runs with the same process number would be strange.
        const TRIES: usize = 1000;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..TRIES {
            let number = self.names.fetch_add(1, Ordering::Relaxed);
            let hidden = format!("{}{}-{number}", trim::HIDDEN, std::process::id());
            match rustix::fs::openat(&self.directory, &hidden, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => return Some(NewEntry::new(&self.directory, File::from(file), hidden, name, key)),
                Err(Errno::EXIST) => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// Opens an entry, and notes that it was used.
    fn open_named(&self, name: &str, key: &Key) -> Option<Entry> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, name, flags, Mode::empty()).ok()?;
        let entry = Entry::open(File::from(file), key)?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        // When it cannot be noted, the entry is removed earlier than others.
        let _ = rustix::fs::utimensat(&self.directory, name, &times, AtFlags::SYMLINK_NOFOLLOW);
        Some(entry)
    }
}
