//! The kernel as a judge: filesystems that root mounts through a loop device.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use image_tree::{Content, InodeId, Kind, Tree};
use rustix::fs::{lgetxattr, llistxattr};
use tempfile::TempDir;

use crate::judge::run;

/// The length up to which files are compared as a whole, in bytes.
const WHOLE: u64 = 64 << 20;

/// Returns true if the kernel can judge; otherwise a line says that it cannot.
pub(crate) fn judges() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let can = is_root && Path::new("/dev/loop-control").exists();
    if !can {
        let required = std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1");
        assert!(!required, "the kernel cannot judge: only root with loop devices mounts filesystems");
        eprintln!("SKIPPED: the kernel cannot judge: only root with loop devices mounts filesystems");
    }
    can
}

/// A mounted filesystem, unmounted at the end; the loop device goes with it.
struct Mount(TempDir);

impl Mount {
    /// Mounts an image; none where that is not possible, with a line that says so.
    fn new(image: &Path) -> Result<Option<Self>, String> {
        if !judges() {
            return Ok(None);
        }
        let at = TempDir::new().expect("a temporary directory");
        let mut command = Command::new("mount");
        let options = "loop,ro,nosuid,nodev";
        let output = run(command.args(["-t", "erofs", "-o", options]).arg(image).arg(at.path()));
        match output {
            None => Ok(None),
            Some(output) if output.status.success() => Ok(Some(Self(at))),
            Some(output) => Err(format!("mount: {output:?}")),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Something that looks at every new filesystem may hold it for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Mounts an image and compares every file with the tree.
pub(crate) fn reads_back<C: Content>(tree: &Tree<C>, image: &Path) {
    if let Err(fault) = read_back(tree, image) {
        panic!("{fault}");
    }
}

/// Returns the first difference between a mounted image and the tree, or the failure of the mount.
pub(crate) fn read_back<C: Content>(tree: &Tree<C>, image: &Path) -> Result<(), String> {
    let Some(mount) = Mount::new(image)? else { return Ok(()) };
    let mut found: BTreeMap<InodeId, u64> = BTreeMap::new();
    let counts = tree.name_counts();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let at = mount.0.path().join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(&path)));
        let shown = path.escape_ascii().to_string();
        let stat = fs::symlink_metadata(&at).map_err(|error| format!("{shown}: {error}"))?;
        equal("inode", *found.entry(step.id).or_insert(stat.ino()), stat.ino())?;
        if step.first {
            let names = counts[step.id.index()];
            compare(tree, step.id, names, &at, &stat).map_err(|fault| format!("{shown}: {fault}"))?;
        }
    }
    let mut inodes: Vec<u64> = found.values().copied().collect();
    inodes.sort_unstable();
    inodes.dedup();
    equal("number of inodes", inodes.len(), found.len())
}

fn compare<C: Content>(
    tree: &Tree<C>,
    id: InodeId,
    names: u64,
    at: &Path,
    stat: &Metadata,
) -> Result<(), String> {
    let inode = tree.get(id);
    let metadata = &inode.metadata;
    equal("mode", stat.mode(), u32::from(inode.kind.type_bits() | metadata.mode))?;
    equal("owner", (stat.uid(), stat.gid()), (metadata.uid, metadata.gid))?;
    let mtime = (metadata.mtime.seconds(), i64::from(metadata.mtime.nanoseconds()));
    equal("mtime", (stat.mtime(), stat.mtime_nsec()), mtime)?;
    equal("ctime", (stat.ctime(), stat.ctime_nsec()), mtime)?;
    compare_xattrs(tree, id, at)?;
    let links = match &inode.kind {
        Kind::Directory(entries) => {
            let directories = entries.values().filter(|id| tree.entries(**id).is_some()).count() as u64;
            compare_names(entries.keys().map(image_tree::Name::as_bytes), at)?;
            2 + directories
        }
        Kind::Regular(content) => {
            equal("length", stat.len(), content.len())?;
            compare_bytes(content, at)?;
            names
        }
        Kind::Symlink(target) => {
            let found = fs::read_link(at).map_err(|error| error.to_string())?;
            equal("target", found.as_os_str().as_bytes(), target.as_bytes())?;
            names
        }
        Kind::CharacterDevice(device) | Kind::BlockDevice(device) => {
            equal("device", stat.rdev(), rustix::fs::makedev(device.major, device.minor))?;
            names
        }
        Kind::Fifo | Kind::Socket => names,
    };
    equal("links", stat.nlink(), links)
}

fn compare_names<'n>(expected: impl Iterator<Item = &'n [u8]>, at: &Path) -> Result<(), String> {
    let entries = fs::read_dir(at).and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().as_bytes().to_vec())).collect::<Result<Vec<_>, _>>()
    });
    // The kernel lists names in the order in which they are stored.
    equal("names", entries.map_err(|error| error.to_string())?, expected.map(<[u8]>::to_vec).collect())
}

fn compare_bytes<C: Content>(content: &C, at: &Path) -> Result<(), String> {
    let file = File::open(at).map_err(|error| error.to_string())?;
    let read = |start: u64, len: u64| {
        let len = usize::try_from(len).expect("pieces fit in memory");
        let (mut found, mut expected) = (vec![0xff; len], vec![0; len]);
        file.read_exact_at(&mut found, start).map_err(|error| format!("at {start}: {error}"))?;
        content.read_at(&mut expected, start).expect("patterns never fail");
        if found == expected { Ok(()) } else { Err(format!("the bytes from {start} on differ")) }
    };
    if content.len() <= WHOLE {
        return read(0, content.len());
    }
    // The edges of data, and the ends.
    let ranges = content.data_ranges().unwrap_or_default();
    let edges = ranges.iter().flat_map(|data| [data.start, data.end]).chain([0, content.len()]);
    edges.into_iter().try_for_each(|edge| {
        let (start, end) = (edge.saturating_sub(10_000), (edge + 10_000).min(content.len()));
        read(start, end - start)
    })
}

fn compare_xattrs<C>(tree: &Tree<C>, id: InodeId, at: &Path) -> Result<(), String> {
    let inode = tree.get(id);
    let mut list = vec![0; 1 << 17];
    let len = llistxattr(at, &mut list).map_err(|error| format!("llistxattr: {error}"))?;
    let mut names: Vec<&[u8]> =
        list[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    let xattrs = &inode.metadata.xattrs;
    equal("xattrs", names, xattrs.keys().map(image_tree::XattrName::as_bytes).collect())?;
    for (name, value) in xattrs {
        let mut found = vec![0; 1 << 16];
        let len = lgetxattr(at, name.as_bytes(), &mut found).map_err(|error| format!("{name}: {error}"))?;
        equal(&name.to_string(), &found[..len], value)?;
    }
    Ok(())
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let short = |value: &T| format!("{value:?}").chars().take(400).collect::<String>();
    Err(format!("{what}: {} instead of {}", short(&found), short(&expected)))
}
