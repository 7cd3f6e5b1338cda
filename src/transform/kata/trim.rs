//! Units and generators of systemd that a guest can do without, as osbuilder's `-d` removes them.

use image_tree::path::base_name;

use super::guest::Guest;
use crate::error::Result;

/// The names of units without their suffix.
const UNITS: [&str; 12] = [
    "systemd-coredump@",
    "systemd-journald",
    "systemd-journald-dev-log",
    "systemd-journal-flush",
    "systemd-random-seed",
    "systemd-timesyncd",
    "systemd-tmpfiles-setup",
    "systemd-udevd",
    "systemd-udevd-control",
    "systemd-udevd-kernel",
    "systemd-udev-trigger",
    "systemd-update-utmp",
];

const FILES: [&str; 5] = [
    "systemd-bless-boot-generator",
    "systemd-fstab-generator",
    "systemd-getty-generator",
    "systemd-gpt-auto-generator",
    "systemd-tmpfiles-cleanup.timer",
];

/// Removes them with the links to them, in whichever directory they are.
pub(super) fn remove(guest: &mut Guest<'_>) -> Result<()> {
    let found =
        guest.names(|name, target| is_removed(name) || target.is_some_and(|to| is_removed(base_name(to))));
    for path in found {
        guest.remove(&path);
    }
    Ok(())
}

fn is_removed(name: &[u8]) -> bool {
    let stem = name.strip_suffix(b".service").or_else(|| name.strip_suffix(b".socket"));
    let is_unit = stem.is_some_and(|stem| UNITS.iter().any(|unit| unit.as_bytes() == stem));
    is_unit || FILES.iter().any(|file| file.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_removed() {
        for name in ["systemd-udevd.service", "systemd-journald-dev-log.socket", "systemd-fstab-generator"] {
            assert!(is_removed(name.as_bytes()), "{name}");
        }
        for name in
            ["systemd-udevd", "systemd-udevd.servic", "my-systemd-udevd.service", "systemd-logind.service"]
        {
            assert!(!is_removed(name.as_bytes()), "{name}");
        }
    }
}
