//! The kernel: a mounted filesystem, read completely, and a copy of it that is written to.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io};

use tempfile::TempDir;

use super::expected::{Expected, Sees};
use super::{Verdict, Volume, dumpe2fs, e2fsck, walk};
use crate::judges;
use crate::product::run;

/// Checks that the kernel mounts the filesystem read-only and finds the expected files.
pub(crate) fn check(volume: &Volume, expected: &Expected) -> Verdict {
    if !judges::may_mount() {
        return Ok(());
    }
    read(Mount::new(volume, Access::ReadOnly)?, expected)
}

/// Does the same with an EROFS filesystem.
pub(crate) fn check_erofs(volume: &Volume, expected: &Expected) -> Verdict {
    if !judges::may_mount() {
        return Ok(());
    }
    read(Mount::of_format("erofs", volume, Access::ReadOnly)?, expected)
}

fn read(mount: Option<Mount>, expected: &Expected) -> Verdict {
    let Some(mount) = mount else { return Ok(()) };
    let (found, link_counts) =
        walk::directory(mount.path()).map_err(|error| format!("reading the mounted files: {error}"))?;
    expected.compare(&found, Sees::EVERYTHING)?;
    found.check_link_counts(&link_counts)
}

/// Mounts a copy with free space for writing, creates and removes files, and checks that it is
/// clean afterwards.
pub(crate) fn check_writing(volume: &Volume) -> Verdict {
    if !judges::may_mount() {
        return Ok(());
    }
    let copy = volume.copy();
    let Some(summary) = dumpe2fs::read(&copy.volume)? else { return Ok(()) };
    /// A directory, a file of three blocks, and the blocks that their parent may need for their
    /// names.
    const BLOCKS: u64 = 16;
    let free_blocks = summary.number("Free blocks")?;
    if free_blocks < BLOCKS || summary.number("Free inodes")? < 3 {
        return Ok(());
    }
    let Some(mount) = Mount::new(&copy.volume, Access::ReadWrite)? else { return Ok(()) };
    write(mount.path()).map_err(|error| format!("writing: {error}"))?;
    mount.unmount()?;
    e2fsck::check_clean(&copy.volume).map_err(|why| format!("after it was written to: {why}"))
}

fn write(root: &Path) -> io::Result<()> {
    let directory = root.join("written by the kernel");
    fs::create_dir(&directory)?;
    fs::write(directory.join("kept"), vec![b'k'; 10_000])?;
    fs::write(directory.join("removed"), "gone soon")?;
    fs::remove_file(directory.join("removed"))?;
    fs::rename(directory.join("kept"), root.join("kept by the kernel"))?;
    fs::remove_dir(directory)
}

/// The mode of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

/// A mounted filesystem, unmounted on drop; the loop device is removed with it.
#[derive(Debug)]
pub(crate) struct Mount {
    at: TempDir,
    image: PathBuf,
    mounted: bool,
}

impl Mount {
    /// Mounts a volume, or returns `None` after a visible skip. The journal is used: `noload` would
    /// hide a corrupt one.
    pub(crate) fn new(volume: &Volume, access: Access) -> Result<Option<Self>, String> {
        Self::of_format("ext4", volume, access)
    }

    /// Mounts a volume of a format, or returns `None` after a visible skip.
    fn of_format(format: &str, volume: &Volume, access: Access) -> Result<Option<Self>, String> {
        let Some(mut command) = judges::command("mount") else { return Ok(None) };
        let at = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = fs::canonicalize(&volume.image).map_err(|error| error.to_string())?;
        let access = if access == Access::ReadOnly { "ro" } else { "rw" };
        let options = format!("{access},nosuid,nodev,loop,offset={},sizelimit={}", volume.offset, volume.len);
        let outcome = run(command.args(["-t", format, "-o", &options]).arg(&image).arg(at.path()));
        match outcome.success() {
            Ok(_) => Ok(Some(Self { at, image, mounted: true })),
            Err(why) => Err(format!("{why}{}", kernel_log())),
        }
    }

    /// The root of the mounted filesystem.
    pub(crate) fn path(&self) -> &Path {
        self.at.path()
    }

    /// Unmounts, and returns an error if the filesystem remains mounted.
    ///
    /// A mount namespace that was created meanwhile has a copy of the mount, and until it ends the
    /// image has a journal that is not recovered. The loop device is released only then.
    pub(crate) fn unmount(mut self) -> Verdict {
        /// The time after which an image that is still in use is a failure.
        const PATIENCE: Duration = Duration::from_secs(30);
        self.try_unmount()?;
        let start = Instant::now();
        while has_loop_device(&self.image).map_err(|error| format!("/sys/block: {error}"))? {
            if start.elapsed() > PATIENCE {
                let image = self.image.display();
                return Err(format!("{image} is mounted elsewhere {PATIENCE:?} after umount"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn try_unmount(&mut self) -> Verdict {
        let Some(umount) = judges::locate("umount") else { return Err("no umount".to_owned()) };
        let mut last = Ok(());
        // Programs that scan new filesystems may keep it busy for a moment.
        for _ in 0..20 {
            last = run(Command::new(&umount).arg(self.at.path())).success().map(drop);
            if last.is_ok() {
                self.mounted = false;
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        last
    }
}

/// Returns true if the image, by its path without symbolic links, is the file of a loop device.
fn has_loop_device(image: &Path) -> io::Result<bool> {
    for device in fs::read_dir("/sys/block")? {
        let path = fs::read(device?.path().join("loop/backing_file")).unwrap_or_default();
        if path.strip_suffix(b"\n") == Some(image.as_os_str().as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted && self.try_unmount().is_err() {
            // A lazy unmount detaches it at once: removing the directory must not reach into it.
            let _ = Command::new("umount").arg("--lazy").arg(self.at.path()).status();
        }
    }
}

/// Returns the last messages of the kernel, which contain its reasons.
fn kernel_log() -> String {
    let Ok(output) = Command::new("dmesg").output() else { return String::new() };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| ["EXT4-fs", "JBD2", "erofs"].iter().any(|word| line.contains(word)))
        .collect();
    let last = &lines[lines.len().saturating_sub(4)..];
    format!("the kernel's last words on filesystems:\n{}", last.join("\n"))
}
