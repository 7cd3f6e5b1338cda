//! What every guest has, whatever its agent.

use image_tree::{InodeId, Kind};

use super::guest::Guest;
use crate::error::Result;

/// The directories of `/var` that a guest starts without: they are of the host of the build, and
/// the root is read-only.
const VOLATILE: [&str; 4] = ["/var/cache", "/var/lib", "/var/log", "/var/tmp"];

const TMP_MOUNT: &str = "/etc/systemd/system/tmp.mount";

/// The unit of systemd, where a tree has one that is not in use.
const SHIPPED_TMP_MOUNT: &str = "/usr/share/systemd/tmp.mount";

const TMP_MOUNT_TEXT: &str = "\
[Unit]
Description=Temporary files in memory
DefaultDependencies=no
ConditionPathIsSymbolicLink=!/tmp
Conflicts=umount.target
Before=local-fs.target umount.target
After=swap.target

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs
Options=mode=1777,strictatime,nosuid,nodev
";

/// Adds what osbuilder's overlay for an initramfs of dracut has: an init that leads to systemd,
/// which dracut brings.
pub(super) fn overlay(guest: &mut Guest<'_>) -> Result<()> {
    for path in ["/etc", "/lib/systemd", "/sbin", "/var"] {
        guest.directory(path, 0o755)?;
    }
    if guest.name("/sbin/init").is_none() {
        guest.link("/init", "./usr/lib/systemd/systemd")?;
        guest.link("/sbin/init", "/init")?;
    }
    Ok(())
}

/// Empties the volatile part of `/var`, and makes the root directory one that everybody may read.
pub(super) fn directories(guest: &mut Guest<'_>) -> Result<()> {
    for path in VOLATILE {
        let keeps_link = path == "/var/tmp" && is_link_to_tmp(guest);
        if !keeps_link {
            guest.remove(path.as_bytes());
        }
    }
    guest.directory("/var", 0o755)?;
    guest.link("/var/tmp", "../tmp")?;
    guest.directory("/etc", 0o755)?;
    let root = guest.metadata_mut(InodeId::ROOT);
    if root.mode & 0o051 != 0o051 {
        let mode = root.mode | 0o051;
        root.chmod(mode);
    }
    Ok(())
}

fn is_link_to_tmp(guest: &Guest<'_>) -> bool {
    matches!(guest.name("/var/tmp").map(|inode| &inode.kind), Some(Kind::Symlink(target)) if target.as_bytes() == b"../tmp")
}

/// Adds the unit that mounts `/tmp`, which many distributions do not install.
pub(super) fn tmp_mount(guest: &mut Guest<'_>) -> Result<()> {
    if guest.is_file(TMP_MOUNT) || guest.is_file("/usr/lib/systemd/system/tmp.mount") {
        return Ok(());
    }
    let text = guest.text(SHIPPED_TMP_MOUNT)?.unwrap_or_else(|| TMP_MOUNT_TEXT.as_bytes().to_vec());
    guest.write(TMP_MOUNT, text, 0o644)
}

/// Makes `/etc/resolv.conf` a file over which the agent can mount that of a container: a link is
/// replaced, and a file remains.
pub(super) fn resolver(guest: &mut Guest<'_>) -> Result<()> {
    match guest.name("/etc/resolv.conf").map(|inode| &inode.kind) {
        Some(Kind::Regular(_)) => Ok(()),
        _ => guest.write("/etc/resolv.conf", "", 0o644),
    }
}

/// Adds an empty `/etc/machine-id`, which systemd fills in at each boot, unless there is one.
pub(super) fn machine_id(guest: &mut Guest<'_>) -> Result<()> {
    if guest.name("/etc/machine-id").is_some() {
        return Ok(());
    }
    guest.write("/etc/machine-id", "", 0o644)
}
