//! The kernel as a judge: filesystems that root mounts through a loop device.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use image_tree::{Kind, Tree};
use tempfile::TempDir;

use crate::judge::run;
use crate::pattern::Pattern;

/// A mounted filesystem, unmounted at the end; the loop device goes with it.
pub(crate) struct Mount {
    at: TempDir,
    mounted: bool,
}

impl Mount {
    /// Mounts an image with `access`, `ro` or `rw`; none where that is not possible, with a line that says so.
    pub(crate) fn new(image: &Path, access: &str) -> Option<Self> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        if !is_root || !Path::new("/dev/loop-control").exists() {
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
        Some(Self { at, mounted: true })
    }

    pub(crate) fn path(&self) -> &Path {
        self.at.path()
    }

    /// Unmounts, and fails if that goes wrong.
    pub(crate) fn unmount(mut self) {
        assert!(self.try_unmount(), "{} is not unmounted", self.at.path().display());
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
    compare(tree, mount.path());
    mount.unmount();
}

/// Compares types, lengths, numbers of links, names, targets, bytes and extended attributes with the tree.
pub(crate) fn compare(tree: &Tree<Pattern>, root: &Path) {
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let at = join(root, &path);
        let shown = path.escape_ascii();
        let inode = tree.get(step.id);
        let found = fs::symlink_metadata(&at).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let type_bits = u32::from(inode.kind.type_bits());
        assert_eq!(found.mode(), type_bits | u32::from(inode.metadata.mode), "{shown}: mode");
        match &inode.kind {
            Kind::Directory(entries) => {
                let mut names: Vec<Vec<u8>> = fs::read_dir(&at)
                    .and_then(|entries| {
                        entries.map(|entry| Ok(entry?.file_name().as_bytes().to_vec())).collect()
                    })
                    .unwrap_or_else(|error| panic!("{shown}: {error}"));
                names.sort();
                if path == b"/" && !entries.contains_key(b"lost+found".as_slice()) {
                    names.retain(|name| name != b"lost+found");
                }
                let expected: Vec<&[u8]> = entries.keys().map(image_tree::Name::as_bytes).collect();
                assert!(names == expected, "{shown}: {names:?} are there, {expected:?} are expected");
            }
            Kind::Regular(content) => {
                let bytes = fs::read(&at).unwrap_or_else(|error| panic!("{shown}: {error}"));
                assert!(bytes == content.bytes(), "{shown}: the bytes differ");
            }
            Kind::Symlink(target) => {
                let found = fs::read_link(&at).unwrap_or_else(|error| panic!("{shown}: {error}"));
                assert_eq!(found.as_os_str().as_bytes(), target.as_bytes(), "{shown}: target");
            }
            _ => {}
        }
    }
}

/// A path of the tree below the mounted root.
fn join(root: &Path, path: &[u8]) -> PathBuf {
    root.join(std::ffi::OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path)))
}
