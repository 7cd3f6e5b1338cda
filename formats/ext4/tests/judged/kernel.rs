//! The kernel as a judge: filesystems that root mounts through a loop device.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use image_tree::{Inode, InodeId, Kind, Tree};
use tempfile::TempDir;

use crate::judge::run;
use crate::pattern::Pattern;

/// Returns true if the tests run as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A mounted filesystem, unmounted at the end; the loop device goes with it.
pub(crate) struct Mount {
    at: TempDir,
    image: PathBuf,
    mounted: bool,
}

impl Mount {
    /// Mounts an image with `access`, `ro` or `rw`; none where that is not possible, with a line
    /// that says so.
    pub(crate) fn new(image: &Path, access: &str) -> Option<Self> {
        if !is_root() || !Path::new("/dev/loop-control").exists() {
            let required = std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1");
            assert!(!required, "the kernel cannot judge: only root with loop devices mounts filesystems");
            eprintln!("SKIPPED: the kernel cannot judge: only root with loop devices mounts filesystems");
            return None;
        }
        let at = TempDir::new().expect("a temporary directory");
        let options = format!("loop,nosuid,nodev,{access}");
        let mut command = Command::new("mount");
        let output = run(command.args(["-t", "ext4", "-o", &options]).arg(image).arg(at.path()))?;
        assert!(output.status.success(), "mount: {output:?}");
        let image = fs::canonicalize(image).expect("the image is there");
        Some(Self { at, image, mounted: true })
    }

    pub(crate) fn path(&self) -> &Path {
        self.at.path()
    }

    /// Unmounts, and fails if the filesystem remains mounted.
    ///
    /// A mount namespace that was created meanwhile has a copy of the mount, and until it ends the
    /// image has a journal that is not recovered. The loop device is released only then.
    pub(crate) fn unmount(mut self) {
        /// The time after which an image that is still in use is a failure.
        const PATIENCE: Duration = Duration::from_secs(30);
        assert!(self.try_unmount(), "{} is not unmounted", self.at.path().display());
        let start = Instant::now();
        while has_loop_device(&self.image) {
            let image = self.image.display();
            assert!(start.elapsed() < PATIENCE, "{image} is mounted elsewhere {PATIENCE:?} after umount");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn try_unmount(&mut self) -> bool {
        // Something that looks at every new filesystem may hold it for a moment.
        for _ in 0..20 {
            if Command::new("umount").arg(self.at.path()).status().is_ok_and(|status| status.success()) {
                self.mounted = false;
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

/// Returns true if the image, by its path without symbolic links, is the file of a loop device.
fn has_loop_device(image: &Path) -> bool {
    let devices = fs::read_dir("/sys/block").expect("sysfs is mounted");
    devices.map(|device| device.expect("it is readable").path().join("loop/backing_file")).any(|file| {
        fs::read(file).is_ok_and(|path| path.strip_suffix(b"\n") == Some(image.as_os_str().as_bytes()))
    })
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted && !self.try_unmount() {
            // Removing the directory must not reach into the filesystem.
            let _ = Command::new("umount").arg("--lazy").arg(self.at.path()).status();
        }
    }
}

/// Mounts an image and compares every file with the tree.
pub(crate) fn reads_back(tree: &Tree<Pattern>, image: &Path) {
    let Some(mount) = Mount::new(image, "ro") else { return };
    compare_modes(tree, mount.path());
    compare_contents(tree, mount.path(), Reader::Kernel);
    mount.unmount();
}

/// Compares types, modes and lengths of what stands in inodes with the tree.
fn compare_modes(tree: &Tree<Pattern>, root: &Path) {
    for_each(tree, root, |_, inode, at, shown| {
        let found = fs::symlink_metadata(at).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let type_bits = u32::from(inode.kind.type_bits());
        assert_eq!(found.mode(), type_bits | u32::from(inode.metadata.mode), "{shown}: mode");
        if let Kind::Regular(content) = &inode.kind {
            assert_eq!(found.len(), content.len, "{shown}: length");
        }
    });
}

/// The reader of the files that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Kernel,
    /// debugfs takes out directories, regular files and symlinks. Inline data comes with all 60
    /// bytes of `i_block`, up to 1.47.0 at least, and of filesystems that mke2fs has made too.
    Debugfs,
}

impl Reader {
    fn sees(self, kind: &Kind<Pattern>) -> bool {
        self == Self::Kernel || matches!(kind, Kind::Directory(_) | Kind::Regular(_) | Kind::Symlink(_))
    }

    fn file(self, at: &Path, len: u64) -> std::io::Result<Vec<u8>> {
        let mut bytes = fs::read(at)?;
        let len = usize::try_from(len).expect("files of these tests fit in memory");
        if self == Self::Debugfs
            && bytes.len() == 60
            && len < 60
            && bytes[len..].iter().all(|byte| *byte == 0)
        {
            bytes.truncate(len);
        }
        Ok(bytes)
    }
}

/// Compares names, bytes and targets with the tree.
pub(crate) fn compare_contents(tree: &Tree<Pattern>, root: &Path, reader: Reader) {
    for_each(tree, root, |id, inode, at, shown| match &inode.kind {
        Kind::Directory(entries) => {
            let mut names: Vec<Vec<u8>> = fs::read_dir(at)
                .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().as_bytes().to_vec())).collect())
                .unwrap_or_else(|error| panic!("{shown}: {error}"));
            names.sort();
            if id == InodeId::ROOT && !entries.contains_key(b"lost+found".as_slice()) {
                names.retain(|name| name != b"lost+found");
            }
            let entries = entries.iter().filter(|(_, id)| reader.sees(&tree.get(**id).kind));
            let expected: Vec<&[u8]> = entries.map(|(name, _)| name.as_bytes()).collect();
            assert!(names == expected, "{shown}: {names:?} are there, {expected:?} are expected");
        }
        Kind::Regular(content) => {
            let bytes = reader.file(at, content.len).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(bytes.len() as u64, content.len, "{shown}: length");
            assert!(bytes == content.bytes(), "{shown}: the bytes differ");
        }
        Kind::Symlink(target) => {
            let found = fs::read_link(at).unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert_eq!(found.as_os_str().as_bytes(), target.as_bytes(), "{shown}: target");
        }
        _ => {}
    });
}

/// Hands on every file of the tree with its path below `root`, and its path in the tree as it is
/// shown.
fn for_each(tree: &Tree<Pattern>, root: &Path, mut look: impl FnMut(InodeId, &Inode<Pattern>, &Path, &str)) {
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let at = root.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(&path)));
        look(step.id, tree.get(step.id), &at, &path.escape_ascii().to_string());
    }
}
