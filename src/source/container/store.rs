//! The files of a layout: in a directory, or in a tar archive, where they are read in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::Kind;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::blob::{Archive, ArchiveRange, Blob};
use crate::error::{Error, ErrorKind, Result};
use crate::source::tar::Entry;
use crate::stack::{Member, MemberKind};

/// The most links from one member of an archive to another.
const MAX_LINKS: usize = 40;

/// The files of a layout.
pub(super) enum Store {
    /// A directory of the host, which stays open.
    Directory { directory: OwnedFd, path: PathBuf },
    /// The members of an archive by path, without `./` and `/` before it.
    Archive(BTreeMap<Vec<u8>, Stored>),
}

/// A member of an archive.
pub(super) enum Stored {
    File(ArchiveRange),
    Empty,
    /// The path of another member, as old versions of docker name equal layers.
    Link(Vec<u8>),
}

impl Store {
    /// Opens a directory.
    pub(super) fn directory(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|errno| Error::io(path, errno))?;
        Ok(Self::Directory { directory, path: path.to_owned() })
    }

    /// Returns the files of an archive.
    pub(super) fn archive(entries: Vec<Entry>) -> Self {
        let stored = entries.into_iter().filter_map(|Entry { member: Member { path, kind, .. }, .. }| {
            let path = normal(&path);
            let stored = match kind {
                MemberKind::Inode(Kind::Regular(Blob::Range(range))) => Stored::File(range),
                MemberKind::Inode(Kind::Regular(Blob::Memory(bytes))) if bytes.is_empty() => Stored::Empty,
                MemberKind::Inode(Kind::Symlink(target)) => {
                    Stored::Link(normal(&[image_tree::path::split_last(&path).0, target.as_bytes()].concat()))
                }
                MemberKind::HardLink(target) => Stored::Link(normal(&target)),
                MemberKind::Inode(_) => return None,
            };
            Some((path, stored))
        });
        Self::Archive(stored.collect())
    }

    /// Returns the bytes of a file of the layout; none if it is not there. No link of a directory is
    /// followed for the last part of its path.
    pub(super) fn file(&self, path: &str) -> Result<Option<ArchiveRange>> {
        match self {
            Self::Directory { directory, path: above } => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let at = above.join(path);
                let file = match rustix::fs::openat(directory, path, flags, Mode::empty()) {
                    Ok(file) => File::from(file),
                    Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                    Err(Errno::LOOP) => {
                        return Err(Error::at(
                            ErrorKind::BadInput,
                            at,
                            "is a symbolic link, which is not followed",
                        ));
                    }
                    Err(errno) => return Err(Error::io(at, errno)),
                };
                if !file.metadata().map_err(|error| Error::io(&at, error))?.is_file() {
                    return Err(Error::at(ErrorKind::BadInput, at, "is not a regular file"));
                }
                let archive = Archive::host(file, &at).map_err(|error| Error::io(&at, error))?;
                Ok(Some(ArchiveRange::whole(Arc::new(archive))))
            }
            Self::Archive(members) => {
                let mut path = path.as_bytes();
                for _ in 0..=MAX_LINKS {
                    match members.get(path) {
                        None => return Ok(None),
                        Some(Stored::File(range)) => return Ok(Some(range.clone())),
                        Some(Stored::Empty) => {
                            return Ok(Some(ArchiveRange::whole(Arc::new(Archive::memory(Arc::new([]))))));
                        }
                        Some(Stored::Link(target)) => path = target,
                    }
                }
                Ok(None)
            }
        }
    }
}

/// Returns a path without empty components, `.` and `..`; the last one leads no higher than the
/// root.
fn normal(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    names.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normal() {
        for (path, expected) in
            [("./a//b/.", "a/b"), ("/a/../b", "b"), ("../../x", "x"), ("id/../h.tar", "h.tar"), ("", "")]
        {
            assert_eq!(normal(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }
}
