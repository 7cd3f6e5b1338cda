//! A directory that is held open, and opening files beneath it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};

/// The longest path one system call takes: `PATH_MAX` less its NUL.
const MAX_PATH: usize = 4095;

/// A directory of the host beneath which files are opened by relative paths of any length.
///
/// Symbolic links are not followed on the way, so nothing outside is reached, even if files are
/// changed concurrently.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    /// The path as the user gave it, for messages.
    path: PathBuf,
    /// True if the kernel, and any seccomp filter, supports openat2(2).
    openat2: AtomicBool,
    /// True as long as O_NOATIME is permitted, which it is for the owner of a file and may not be
    /// for others.
    no_access_time: AtomicBool,
}

impl Root {
    /// Opens a directory. Symbolic links are followed here, since the user gave the path.
    pub(crate) fn open_at(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry(|| rustix::fs::openat(CWD, path, flags, Mode::empty()))?;
        Ok(Self::new(fd, path.to_owned()))
    }

    fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path, openat2: AtomicBool::new(true), no_access_time: AtomicBool::new(true) }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Returns the path of a file beneath, for messages.
    pub(crate) fn join(&self, relative: &[u8]) -> PathBuf {
        if relative.is_empty() { self.path.clone() } else { self.path.join(OsStr::from_bytes(relative)) }
    }

    /// Opens the file at `relative`: the root itself if it is empty.
    ///
    /// The path has no `.`, `..` or empty components. `flags` are combined with those that prevent
    /// following symbolic links, inheriting the descriptor and, where permitted, updating the
    /// access time.
    pub(crate) fn open(&self, relative: &[u8], flags: OFlags) -> Result<OwnedFd> {
        self.open_from(self.fd.as_fd(), relative, flags)
    }

    /// Like [`Root::open`], but beneath another directory of this tree.
    pub(crate) fn open_from(&self, from: BorrowedFd<'_>, relative: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let may_leave_time = !flags.contains(OFlags::PATH);
        if may_leave_time && self.no_access_time.load(Ordering::Relaxed) {
            match self.open_pieces(from, relative, flags | OFlags::NOATIME) {
                // Either this file belongs to another user, or openat2 itself is not permitted: one
                // more try decides.
                Err(Errno::PERM) => {}
                result => return result,
            }
            let result = self.open_pieces(from, relative, flags);
            if result.is_ok() {
                self.no_access_time.store(false, Ordering::Relaxed);
            }
            return result;
        }
        self.open_pieces(from, relative, flags)
    }

    /// Splits a path that is too long for one system call.
    fn open_pieces(&self, from: BorrowedFd<'_>, relative: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let mut held: Option<OwnedFd> = None;
        let mut rest = relative;
        while rest.len() > MAX_PATH {
            let cut = rest.get(..=MAX_PATH).and_then(|head| head.iter().rposition(|byte| *byte == b'/'));
            let (piece, after) = rest.split_at(cut.ok_or(Errno::NAMETOOLONG)?);
            let directory = held.as_ref().map_or(from, AsFd::as_fd);
            held = Some(self.open_piece(directory, piece, INTERMEDIATE)?);
            rest = &after[1..];
        }
        self.open_piece(held.as_ref().map_or(from, AsFd::as_fd), rest, flags)
    }

    fn open_piece(&self, from: BorrowedFd<'_>, piece: &[u8], flags: OFlags) -> Result<OwnedFd> {
        if !piece.contains(&b'/') {
            return open_component(from, piece, flags);
        }
        if !self.openat2.load(Ordering::Relaxed) {
            return open_components(from, piece, flags);
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match retry(|| rustix::fs::openat2(from, piece, flags, Mode::empty(), resolve)) {
            Err(errno @ (Errno::NOSYS | Errno::PERM)) => {
                let result = open_components(from, piece, flags);
                // EPERM may be due to O_NOATIME; it is due to openat2 only if openat succeeds with
                // the same flags.
                if errno == Errno::NOSYS || result.is_ok() {
                    self.openat2.store(false, Ordering::Relaxed);
                }
                result
            }
            result => result,
        }
    }

    #[cfg(test)]
    pub(crate) fn set_openat2(&self, known: bool) {
        self.openat2.store(known, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn open_in(parent: &Self, name: &[u8]) -> Result<Self> {
        let fd = parent.open(name, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(Self::new(fd, parent.join(name)))
    }
}

/// Two roots are equal if the user gave the same path.
impl PartialEq for Root {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for Root {}

const INTERMEDIATE: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Does the same as openat2(2) in several steps: one component after the other, none through a
/// symbolic link.
fn open_components(from: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let mut held: Option<OwnedFd> = None;
    let mut rest = path;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
        let (name, after) = rest.split_at(slash);
        held = Some(open_component(held.as_ref().map_or(from, AsFd::as_fd), name, INTERMEDIATE)?);
        rest = &after[1..];
    }
    open_component(held.as_ref().map_or(from, AsFd::as_fd), rest, flags)
}

fn open_component(from: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
    let name = if name.is_empty() { b"." } else { name };
    retry(|| rustix::fs::openat(from, name, flags, Mode::empty()))
}

/// Repeats a call that was interrupted by a signal or, as openat2(2) may be under RESOLVE_BENEATH,
/// by a concurrent rename.
fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..1000 {
        match call() {
            Err(Errno::INTR | Errno::AGAIN) => {}
            result => return result,
        }
    }
    call()
}
