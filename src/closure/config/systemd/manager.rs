//! The manager itself: the first process.

use image_tree::path::base_name;
use image_tree::{Content, Directories};

use super::table::Files;
use crate::closure::Kind;
use crate::closure::dependency::{Dependency, Target};

/// The directories of systemd's own programs.
pub(super) const PROGRAMS: [&str; 2] = ["/usr/lib/systemd", "/lib/systemd"];

/// The units that systemd starts by itself: after a failure, for a signal, or for systemctl.
pub(super) const UNITS: [&str; 6] = [
    "emergency.target",
    "rescue.target",
    "poweroff.target",
    "reboot.target",
    "halt.target",
    "ctrl-alt-del.target",
];

/// The files that it reads, and programs that it runs, all of which are optional.
const FILES: [&str; 27] = [
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/machine-id",
    "/etc/machine-info",
    "/etc/hostname",
    "/etc/locale.conf",
    "/etc/default/locale",
    "/etc/localtime",
    "/etc/adjtime",
    "/etc/.updated",
    "/var/.updated",
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/systemd/system.conf",
    "/usr/lib/systemd/system.conf",
    "/etc/systemd/system.conf.d/",
    "/usr/local/lib/systemd/system.conf.d/",
    "/usr/lib/systemd/system.conf.d/",
    "/usr/lib/systemd/system-environment-generators/",
    "/etc/systemd/system-environment-generators/",
    "/bin/sh",
    "/usr/bin/systemctl",
    "/bin/systemctl",
    "/usr/lib/systemd/systemd-shutdown",
    "/usr/lib/systemd/systemd-cgroups-agent",
];

/// Directories that programs expect, which cannot be created on a read-only filesystem, and links.
const NAMES: [&str; 24] = [
    "/dev",
    "/proc",
    "/sys",
    "/run",
    "/tmp",
    "/root",
    "/home",
    "/mnt",
    "/media",
    "/srv",
    "/var/tmp",
    "/var/run",
    "/var/lock",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/log/journal",
    "/var/spool",
    "/etc/mtab",
    "/sbin/poweroff",
    "/sbin/reboot",
    "/sbin/halt",
    "/sbin/shutdown",
    "/usr/lib/modules",
];

/// The first version that starts processes by a program of its own.
const FIRST_WITH_EXECUTOR: u32 = 255;

/// Adds the manager's own files.
pub(super) fn add<T: Directories<Content: Content>>(files: &mut Files<'_, '_, T>) {
    const REASON: &str = "is needed by systemd";
    files.add_program(b"/usr/lib/systemd/systemd", "is systemd");
    files.add_program(b"/lib/systemd/systemd", "is systemd");
    files.add_program(b"/sbin/init", "is the first program of the kernel");
    for path in FILES {
        files.add(path, REASON);
    }
    for path in NAMES {
        files.add_name(path.as_bytes(), "is expected by systemd");
    }
}

/// Returns true for the path of systemd itself, without links.
#[must_use]
pub fn is_systemd(path: &[u8]) -> bool {
    PROGRAMS.iter().any(|directory| path.strip_prefix(directory.as_bytes()) == Some(b"/systemd"))
}

/// Returns the program that starts processes for systemd, which is mandatory since 255. `kept` are
/// the paths of the closure, of which systemd's own libraries tell its version.
#[must_use]
pub fn executor<'k>(kept: impl Iterator<Item = &'k [u8]>) -> Dependency {
    let versions = kept.filter_map(|path| {
        let name = base_name(path);
        let version = [&b"libsystemd-core-"[..], b"libsystemd-shared-"]
            .into_iter()
            .find_map(|prefix| name.strip_prefix(prefix))?;
        let digits = version.iter().take_while(|byte| byte.is_ascii_digit()).count();
        str::from_utf8(&version[..digits]).ok()?.parse::<u32>().ok()
    });
    let required = versions.max().is_some_and(|version| version >= FIRST_WITH_EXECUTOR);
    let paths = PROGRAMS.map(|directory| format!("{directory}/systemd-executor").into_bytes());
    let reason = "starts every process for systemd".to_owned();
    Dependency { target: Target::File(paths.to_vec()), kind: Kind::Configured, required, reason, by: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executor_is_mandatory_since_systemd_255() {
        let required = |names: &[&str]| executor(names.iter().map(|name| name.as_bytes())).required;
        assert!(!required(&["/usr/lib/x/libsystemd-shared-254.so", "/usr/lib/libsystemd.so.0.300"]));
        assert!(required(&["/usr/lib/x/libsystemd-core-255.so"]));
        assert!(required(&["/usr/lib/x/libsystemd-shared-257.4-1.fc42.so"]));
    }

    #[test]
    fn systemd_is_known_by_its_path() {
        assert!(is_systemd(b"/usr/lib/systemd/systemd") && is_systemd(b"/lib/systemd/systemd"));
        assert!(!is_systemd(b"/usr/bin/systemd") && !is_systemd(b"/usr/lib/systemd/systemd-udevd"));
    }
}
