//! Named source trees: as data, so that one tree can be made for several users and in several
//! orders of creation.

pub(crate) mod big;
pub(crate) mod small;
pub(crate) mod wide;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use crate::judges;
use crate::product::NOBODY;

/// The dump of a minimal useful tree.
pub(crate) const MINIMAL_DUMP: &str = include_str!("fixtures/minimal.dump");

/// The dump of a tree with every kind of file and those that only root could create: devices,
/// owners, privileged xattrs.
pub(crate) const EVERY_KIND_DUMP: &str = include_str!("fixtures/every-kind.dump");

/// The dump of a tree with every kind of file that an initramfs supports.
pub(crate) const INITRD_DUMP: &str = include_str!("fixtures/initrd.dump");

/// A tree to be made.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub(crate) items: Vec<Item>,
}

/// One name of the tree. A directory comes before what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Relative to the root; empty for the root itself.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    /// Seconds since 1970, and nanoseconds.
    pub(crate) mtime: (i64, u32),
    pub(crate) xattrs: Vec<(&'static str, Vec<u8>)>,
}

/// The kind of file of a name.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Directory,
    File(Vec<u8>),
    /// A file of a length with data at offsets and holes in between.
    Sparse {
        len: u64,
        data: Vec<(u64, Vec<u8>)>,
    },
    Symlink(Vec<u8>),
    /// A further name of the file at a path.
    HardLink(Vec<u8>),
    Fifo,
    Socket,
}

/// The way a tree is created, which must not affect its image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation {
    /// The owner of the files if root creates them.
    pub(crate) owner: u32,
    /// True if the last sibling is created first, so that the host lists them in a different order.
    pub(crate) reversed: bool,
}

impl Creation {
    /// Readable by [`crate::product::rootcast`].
    pub(crate) const DEFAULT: Self = Self { owner: NOBODY, reversed: false };
}

/// A time that no clock shows by coincidence.
pub(crate) const MTIME: (i64, u32) = (1_600_000_000, 123_456_789);

impl Item {
    /// Returns an item with usual metadata.
    pub(crate) fn new(path: impl AsRef<[u8]>, kind: Kind) -> Self {
        let mode = if matches!(kind, Kind::Directory) { 0o755 } else { 0o644 };
        Self { path: path.as_ref().to_vec(), kind, mode, mtime: MTIME, xattrs: Vec::new() }
    }

    pub(crate) fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub(crate) fn mtime(self, seconds: i64, nanoseconds: u32) -> Self {
        Self { mtime: (seconds, nanoseconds), ..self }
    }

    pub(crate) fn xattr(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.xattrs.push((name, value.as_ref().to_vec()));
        self
    }

    fn host_path(&self, root: &Path) -> PathBuf {
        host_path(root, &self.path)
    }
}

impl Fixture {
    /// Creates the tree at `root`, which must not exist. Features missing in the
    /// host's filesystem are visibly skipped.
    pub(crate) fn make(&self, root: &Path) {
        self.make_as(root, Creation::DEFAULT);
    }

    /// Creates the tree at `root`, which must not exist. Returns true if the host's filesystem
    /// could store all of it.
    pub(crate) fn make_as(&self, root: &Path, creation: Creation) -> bool {
        let fail =
            |item: &Item, error: io::Error| -> ! { panic!("{}: {error}", item.host_path(root).display()) };
        for item in self.sorted(creation) {
            create(root, item).unwrap_or_else(|error| fail(item, error));
        }
        let mut complete = true;
        // Directories come last, the deepest first: their modes may make their files inaccessible,
        // and creating files changes their times.
        for item in self.items.iter().rev() {
            if !matches!(item.kind, Kind::HardLink(_)) {
                complete &= dress(root, item, creation.owner).unwrap_or_else(|error| fail(item, error));
            }
        }
        if !complete {
            judges::skip("extended attributes", &format!("{} does not store them", root.display()));
        }
        complete
    }

    /// Returns the items in the order in which they are created: directories, then the others, and
    /// hard links last, since they need their first name.
    fn sorted(&self, creation: Creation) -> impl Iterator<Item = &Item> {
        let rank = |item: &Item| match item.kind {
            Kind::Directory => 0,
            Kind::HardLink(_) => 2,
            _ => 1,
        };
        let mut items: Vec<&Item> = self.items.iter().collect();
        if creation.reversed {
            items.reverse();
            // A stable sort by depth, so that every directory comes after its parent.
            items.sort_by_key(|item| {
                item.path.split(|byte| *byte == b'/').count() + usize::from(!item.path.is_empty())
            });
        }
        items.sort_by_key(|item| rank(item));
        items.into_iter()
    }
}

/// Creates the file without its metadata.
fn create(root: &Path, item: &Item) -> io::Result<()> {
    let path = item.host_path(root);
    let special = |file_type| Ok(rustix::fs::mknodat(CWD, &path, file_type, Mode::RUSR | Mode::WUSR, 0)?);
    match &item.kind {
        Kind::Directory => fs::create_dir(&path),
        Kind::File(bytes) => fs::write(&path, bytes),
        Kind::Sparse { len, data } => {
            let file = File::create_new(&path)?;
            file.set_len(*len)?;
            data.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset))
        }
        Kind::Symlink(target) => std::os::unix::fs::symlink(OsStr::from_bytes(target), &path),
        Kind::HardLink(first) => fs::hard_link(host_path(root, first), &path),
        Kind::Fifo => special(FileType::Fifo),
        Kind::Socket => special(FileType::Socket),
    }
}

/// Sets owner, xattrs, mode, and finally the time, which all others change. Returns true if the
/// xattrs could be stored.
fn dress(root: &Path, item: &Item, owner: u32) -> io::Result<bool> {
    let path = item.host_path(root);
    if judges::is_root() {
        std::os::unix::fs::lchown(&path, Some(owner), Some(owner))?;
    }
    if !matches!(item.kind, Kind::Symlink(_)) {
        fs::set_permissions(&path, fs::Permissions::from_mode(item.mode))?;
    }
    let mut complete = true;
    for (name, value) in &item.xattrs {
        match rustix::fs::lsetxattr(&path, *name, value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSPC | Errno::TOOBIG) => complete = false,
            Err(error) => return Err(error.into()),
        }
    }
    let time = Timespec { tv_sec: item.mtime.0, tv_nsec: item.mtime.1.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(complete)
}

fn host_path(root: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(path)) }
}
