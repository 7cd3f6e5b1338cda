//! A directory that is held open, and opening what lies beneath it.

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
/// No symbolic link is followed on the way, so nothing outside is reached, whoever changes the files meanwhile.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    /// As the user named it, for messages.
    path: PathBuf,
    /// Whether the kernel, and a filter of system calls before it, knows openat2(2).
    openat2: AtomicBool,
    /// Whether files so far let us leave their access time alone, which their owner may and others may not.
    no_access_time: AtomicBool,
}

impl Root {
    /// Opens a directory. Here symbolic links are followed, since the user named them.
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

    /// The path of a file beneath, for messages.
    pub(crate) fn join(&self, relative: &[u8]) -> PathBuf {
        if relative.is_empty() { self.path.clone() } else { self.path.join(OsStr::from_bytes(relative)) }
    }

    /// Opens what `relative` names: the root itself when it is empty.
    ///
    /// The path has no `.`, `..` or empty components. `flags` are joined by those that keep symbolic links from being
    /// followed, the descriptor from being inherited and, where permitted, the access time from being changed.
    pub(crate) fn open(&self, relative: &[u8], flags: OFlags) -> Result<OwnedFd> {
        self.open_from(self.fd.as_fd(), relative, flags)
    }

    /// Like [`Root::open`], but beneath another directory of this tree.
    pub(crate) fn open_from(&self, from: BorrowedFd<'_>, relative: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let may_leave_time = !flags.contains(OFlags::PATH);
        if may_leave_time && self.no_access_time.load(Ordering::Relaxed) {
            match self.open_pieces(from, relative, flags | OFlags::NOATIME) {
                // Either this file is not ours, or openat2 itself is not permitted: one more try tells.
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

    /// Cuts a path that is too long for one system call into pieces.
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
                // EPERM may be about O_NOATIME; it is about openat2 only if the same flags do without.
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

/// Two roots are equal when the user named them alike.
impl PartialEq for Root {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for Root {}

const INTERMEDIATE: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What openat2(2) does at once: one component after the other, none through a symbolic link.
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

/// Repeats a call that a signal interrupted or, as openat2(2) may under RESOLVE_BENEATH, a rename elsewhere.
fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..1000 {
        match call() {
            Err(Errno::INTR | Errno::AGAIN) => {}
            result => return result,
        }
    }
    call()
}
