//! The configuration of systemd's daemons and tools, by the programs that units start.

use std::collections::BTreeMap;

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use super::table::Files;
use crate::closure::config::udev;
use crate::closure::config::unit::{Units, Walk};

/// The configuration of programs by their base names. A path that ends in `/` stands for the files
/// of a directory; systemd's units have it in the version of their own.
const CONFIGURATION: [(&str, &[&str]); 5] = [
    (
        "systemd-networkd",
        &["/etc/systemd/network/", "/usr/local/lib/systemd/network/", "/usr/lib/systemd/network/"],
    ),
    (
        "systemd-sysctl",
        &["/etc/sysctl.conf", "/etc/sysctl.d/", "/usr/local/lib/sysctl.d/", "/usr/lib/sysctl.d/"],
    ),
    (
        "systemd-modules-load",
        &[
            "/etc/modules",
            "/etc/modules-load.d/",
            "/usr/local/lib/modules-load.d/",
            "/usr/lib/modules-load.d/",
        ],
    ),
    ("systemd-binfmt", &["/etc/binfmt.d/", "/usr/local/lib/binfmt.d/", "/usr/lib/binfmt.d/"]),
    ("systemd-hostnamed", &["/etc/machine-info", "/etc/hostname"]),
];

/// The directories with `NAME.conf` and `NAME.conf.d` of the daemon `systemd-NAME`.
const CONF: [&str; 3] = ["/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/// The patterns of the rules of systemd and udev themselves, as their packages have them: rules.d
/// of systemd 247 to 258, and those of Debian's package.
const RULES: [(&str, &[&str]); 12] = [
    ("50-", &["firmware", "udev-default"]),
    (
        "60-",
        &[
            "autosuspend",
            "autosuspend-chromiumos",
            "block",
            "cdrom_id",
            "dmi-id",
            "drm",
            "evdev",
            "fido-id",
            "infiniband",
            "input-id",
            "persistent-alsa",
            "persistent-hidraw",
            "persistent-input",
            "persistent-media-controller",
            "persistent-storage",
            "persistent-storage-mtd",
            "persistent-storage-tape",
            "persistent-v4l",
            "sensor",
            "serial",
            "tpm2-id",
        ],
    ),
    ("64-", &["btrfs"]),
    ("65-", &["integration"]),
    ("70-", &["camera", "joystick", "memory", "mouse", "power-switch", "touchpad", "uaccess"]),
    ("71-", &["seat"]),
    ("73-", &["seat-late", "special-net-names"]),
    ("75-", &["net-description", "probe_mtd"]),
    ("78-", &["sound-card"]),
    ("80-", &["debian-compat", "drivers", "net-setup-link"]),
    ("81-", &["net-bridge", "net-dhcp"]),
    ("90-", &["image-dissect", "iocost", "vconsole"]),
];
const LAST_RULES: &[u8] = b"99-systemd.rules";

/// Adds the units that daemons start for themselves.
pub(super) fn add_units<T: Directories<Content: Content>>(walk: &mut Walk<'_, T>) {
    if walk.units().programs.contains(&b"systemd-logind"[..]) {
        for unit in ["user@.service", "user-runtime-dir@.service", "user-.slice"] {
            walk.want(unit.as_bytes(), "which logind starts for each user");
        }
    }
}

/// Adds the configuration of the programs that units start.
pub(super) fn add<T: Directories<Content: Content>>(files: &mut Files<'_, '_, T>, units: &Units) {
    for (program, paths) in CONFIGURATION {
        if units.programs.contains(program.as_bytes()) {
            let reason = format!("is read or run by {program}");
            paths.iter().for_each(|path| files.add(path, &reason));
        }
    }
    for program in &units.programs {
        let Some(name) = program.strip_prefix(b"systemd-").and_then(|name| str::from_utf8(name).ok()) else {
            continue;
        };
        let reason = format!("is the configuration of systemd-{name}");
        for directory in CONF {
            files.add(&format!("{directory}/{name}.conf"), &reason);
            files.add(&format!("{directory}/{name}.conf.d/"), &reason);
        }
    }
    if units.names.contains(&b"user@.service"[..]) {
        add_user_units(files);
    }
}

/// Adds the units of users' own managers, which are started with the first login: units and
/// generators only, since what users start is not known.
fn add_user_units<T: Directories<Content: Content>>(files: &mut Files<'_, '_, T>) {
    const REASON: &str = "is read by users' own managers";
    for directory in ["/etc/systemd", "/usr/lib/systemd"] {
        files.add_whole(format!("{directory}/user").as_bytes(), REASON);
        files.add(&format!("{directory}/user.conf"), REASON);
        files.add(&format!("{directory}/user.conf.d/"), REASON);
        files.add(&format!("{directory}/user-generators/"), REASON);
        files.add(&format!("{directory}/user-environment-generators/"), REASON);
    }
    files.add("/etc/environment.d/", REASON);
    files.add("/usr/lib/environment.d/", REASON);
}

/// Returns the files of udev's own rules, without those that a file of the same name hides.
pub(super) fn own_rules<T: Directories<Content: Content>>(tree: &T) -> Vec<Vec<u8>> {
    let mut found = BTreeMap::new();
    for directory in udev::DIRECTORIES {
        let entries = resolve_in_root(tree, directory).and_then(|id| tree.entries(id));
        for (name, _) in entries.into_iter().flatten() {
            let name = name.as_bytes();
            // The administrator's own directory is about the devices of this system.
            let is_own = is_own_rules(name) || directory.starts_with(b"/etc/");
            if is_own && name.ends_with(b".rules") {
                found.entry(name.to_vec()).or_insert_with(|| join(directory, name));
            }
        }
    }
    found.into_values().collect()
}

fn is_own_rules(name: &[u8]) -> bool {
    let own = |prefix: &str, names: &[&str]| {
        let rest = name.strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_suffix(b".rules"));
        rest.is_some_and(|rest| names.iter().any(|name| name.as_bytes() == rest))
    };
    name == LAST_RULES || RULES.iter().any(|(prefix, names)| own(prefix, names))
}
