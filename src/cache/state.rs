//! States of the files of decoded layers, by which they need not be verified again.
//!
//! ```text
//! DIR/v7f…   digest of a decoded layer ─▶ state of its file when its bytes were verified last
//! ```
//!
//! A file whose state is as it was when its bytes had the digest is not hashed again. Nobody but the
//! user can write to it, every change sets its time of change, and a crash of the machine, after which
//! a file may lack bytes, ends the validity of the state. The time of modification of the state is the
//! last use of the layer, as setting times of the layer would change its state.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::{Cache, hidden_file};

/// The most bytes of a state.
const MAX_STATE: u64 = 1000;

/// The disk space of a state, in bytes.
pub(super) const STATE_SPACE: u64 = 4096;

/// Returns the name of the state of a layer.
fn name_of_state(digits: &str) -> String {
    format!("v{digits}")
}

/// Returns the name of the layer whose state has this name.
pub(super) fn layer_of_state(name: &[u8]) -> Option<Vec<u8>> {
    match name {
        [b'v', digits @ ..] if matches!(digits.len(), 64 | 128) => Some([b"l", digits].concat()),
        _ => None,
    }
}

/// The age of a file from which on its time of change shows later changes: filesystems with coarse
/// times count in seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// The state of the file of a layer. It stays while nobody changes the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerState(String);

impl LayerState {
    /// Returns the state of an open file; `None` if later changes may not show in it.
    pub(crate) fn of(file: &File) -> Option<Self> {
        let stat = rustix::fs::fstat(file).ok()?;
        let changed =
            Duration::new(u64::try_from(stat.st_ctime).ok()?, u32::try_from(stat.st_ctime_nsec).ok()?);
        let age = SystemTime::now().duration_since(UNIX_EPOCH + changed).ok()?;
        if age < SETTLED {
            return None;
        }
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let Stat { st_dev, st_ino, st_size, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec, .. } = stat;
        Some(Self(format!(
            "rootcast layer 1 {st_dev} {st_ino} {st_size} {st_mtime}.{st_mtime_nsec} {st_ctime}.{st_ctime_nsec} {boot}"
        )))
    }
}

impl Cache {
    /// Updates the time of the state of a layer that is used, or adds an empty one.
    pub(super) fn set_layer_used(&self, digits: &str) {
        if !self.is_changed {
            return;
        }
        let name = &name_of_state(digits);
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        let updated = rustix::fs::utimensat(&self.directory, name, &times, AtFlags::SYMLINK_NOFOLLOW);
        if updated == Err(Errno::NOENT) {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            // If that fails, the layer is removed earlier than others.
            let _ = rustix::fs::openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR);
        }
    }

    /// Returns true if the file of a layer is as it was when its bytes were verified.
    pub(crate) fn is_verified(&self, digits: &str, file: &File) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = name_of_state(digits);
        let Ok(found) = rustix::fs::openat(&self.directory, &name, flags, Mode::empty()) else {
            return false;
        };
        let mut text = String::new();
        let read = File::from(found).take(MAX_STATE).read_to_string(&mut text);
        read.is_ok() && LayerState::of(file).is_some_and(|state| state.0 == text)
    }

    /// Records that the bytes of a layer were verified while its file had this state.
    pub(crate) fn set_verified(&self, digits: &str, state: &LayerState) {
        if !self.is_changed {
            return;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = |hidden: &str| {
            rustix::fs::openat(&self.directory, hidden, flags, Mode::RUSR | Mode::WUSR).map(File::from)
        };
        // If it is not stored, the layer is verified again.
        let Ok((mut file, hidden)) = hidden_file(self, create) else { return };
        let (directory, name) = (&self.directory, name_of_state(digits));
        let written = file.write_all(state.0.as_bytes()).is_ok();
        if !written || rustix::fs::renameat(directory, &hidden, directory, &name).is_err() {
            let _ = rustix::fs::unlinkat(directory, &hidden, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::cache::Addressed;

    const ONE: &str = "11111111111111111111111111111111111111111111111111111111111111aa";
    const TWO: &str = "22222222222222222222222222222222222222222222222222222222222222bb";

    fn store(cache: &Cache, digits: &str, bytes: &[u8]) -> bool {
        let new = cache.begin_addressed(Addressed::Layer, digits).expect("room").expect("it can be written");
        new.file().write_all(bytes).expect("room");
        new.keep().expect("it can be linked")
    }

    /// Waits until changes of files show in their times.
    fn settle() {
        std::thread::sleep(SETTLED + Duration::from_millis(100));
    }

    #[test]
    fn a_layer_is_verified_until_its_file_changes() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 1 << 30).expect("a directory of our own");
        assert!(store(&cache, ONE, b"whole") && store(&cache, TWO, b"whole"));
        let open = |digits| cache.open_addressed(Addressed::Layer, digits).expect("it is there");
        assert_eq!(LayerState::of(&open(ONE)), None, "a change in the same tick would not show");
        settle();
        assert!(!cache.is_verified(ONE, &open(ONE)));
        let state = LayerState::of(&open(ONE)).expect("it is old enough");
        cache.set_verified(ONE, &state);
        assert!(cache.is_verified(ONE, &open(ONE)));
        assert!(!cache.is_verified(TWO, &open(TWO)) && !cache.is_verified(ONE, &open(TWO)));
        let unchanged = Cache::open_unchanged(directory.path()).expect("it is ours").expect("it is there");
        assert!(unchanged.is_verified(ONE, &open(ONE)));
        unchanged.set_verified(TWO, &LayerState::of(&open(TWO)).expect("it is old enough"));
        assert!(!cache.is_verified(TWO, &open(TWO)));
        let path = directory.path().join(format!("l{ONE}"));
        let state_file = directory.path().join(name_of_state(ONE));
        let text = fs::read(&state_file).expect("it is there");
        for wrong in [&text[..text.len() - 1], b"", &[0xff; 2000]] {
            fs::write(&state_file, wrong).expect("it is ours");
            assert!(!cache.is_verified(ONE, &open(ONE)));
        }
        fs::write(&state_file, text).expect("it is ours");
        assert!(cache.is_verified(ONE, &open(ONE)));
        // As long, and with its time of modification as before.
        let modified = fs::metadata(&path).and_then(|found| found.modified()).expect("a time");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        fs::write(&path, b"wrong").expect("it is ours");
        let file = File::options().write(true).open(&path).expect("it is ours");
        file.set_modified(modified).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("it is ours");
        settle();
        assert!(!cache.is_verified(ONE, &open(ONE)));
    }
}
