//! The flags that stand for a module of dracut.

/// The meaning of a module of dracut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Module {
    /// These flags with their values.
    Flags(&'static [(&'static str, &'static str)]),
    /// Nothing more: the basic recipe has it, or a flag of its own.
    Included,
}

use Module::{Flags, Included};

/// The modules that are known, besides those that choose the basic recipe.
const MODULES: [(&str, Module); 38] = [
    ("base", Included),
    ("bash", Flags(&[("keep", "/bin/bash"), ("keep-optional", "/bin/sh")])),
    ("busybox", Flags(&[("keep-first", "/usr/bin/busybox,/bin/busybox,/usr/sbin/busybox")])),
    ("crypt", Included),
    ("crypt-lib", Included),
    ("dash", Flags(&[("keep-first", "/bin/dash,/usr/bin/dash"), ("keep-optional", "/bin/sh")])),
    ("dbus", Flags(&[("keep-unit", "dbus.service"), ("keep-unit", "dbus.socket")])),
    ("dbus-broker", Flags(&[("keep-unit", "dbus-broker.service"), ("keep-unit", "dbus.socket")])),
    ("dbus-daemon", Flags(&[("keep-unit", "dbus.service"), ("keep-unit", "dbus.socket")])),
    ("debug", Flags(&[("keep-optional", "/usr/bin/strace"), ("keep-optional", "/usr/bin/less")])),
    (
        "dm",
        Flags(&[
            ("keep-optional", "/usr/sbin/dmsetup"),
            ("keep-optional", "/usr/lib/udev/rules.d/55-dm.rules"),
        ]),
    ),
    ("dracut-systemd", Included),
    ("fs-lib", Flags(&[("keep-optional", "/usr/sbin/fsck"), ("keep-optional", "/usr/sbin/fsck.*")])),
    ("initqueue", Included),
    ("kernel-modules", Included),
    ("lvm", Flags(&[("keep", "/usr/sbin/lvm"), ("keep-optional", "/usr/lib/udev/rules.d/*lvm*.rules")])),
    (
        "mdraid",
        Flags(&[("keep", "/usr/sbin/mdadm"), ("keep-optional", "/usr/lib/udev/rules.d/*md-raid*.rules")]),
    ),
    ("nss-softokn", Included),
    ("rootfs-block", Included),
    ("sh", Flags(&[("keep", "/bin/sh")])),
    ("shutdown", Included),
    ("syslog", Flags(&[("keep-first", "/usr/sbin/rsyslogd,/usr/sbin/syslogd,/usr/sbin/syslog-ng")])),
    ("systemd", Included),
    ("systemd-ask-password", Flags(&[("keep-unit", "systemd-ask-password-console.path")])),
    ("systemd-cryptsetup", Included),
    ("systemd-initrd", Included),
    ("systemd-journald", Flags(&[("keep-unit", "systemd-journald.service")])),
    ("systemd-modules-load", Flags(&[("keep-unit", "systemd-modules-load.service")])),
    ("systemd-networkd", Flags(&[("keep-unit", "systemd-networkd.service")])),
    ("systemd-resolved", Flags(&[("keep-unit", "systemd-resolved.service")])),
    ("systemd-sysctl", Flags(&[("keep-unit", "systemd-sysctl.service")])),
    ("systemd-sysusers", Flags(&[("keep-unit", "systemd-sysusers.service")])),
    ("systemd-tmpfiles", Flags(&[("keep-unit", "systemd-tmpfiles-setup.service")])),
    ("systemd-udevd", Flags(&[("keep-unit", "systemd-udevd.service")])),
    ("systemd-veritysetup", Included),
    ("udev-rules", Flags(&[("keep-unit", "systemd-udevd.service")])),
    ("usrmount", Included),
    (
        "terminfo",
        Flags(&[
            ("keep-optional", "/usr/share/terminfo/l/linux"),
            ("keep-optional", "/lib/terminfo/l/linux"),
        ]),
    ),
];

/// Returns the meaning of a module of dracut, if it is known.
pub(super) fn find(name: &str) -> Option<Module> {
    MODULES.iter().find(|(known, _)| *known == name).map(|(_, module)| *module)
}

/// The modules that all recipes with systemd have.
const OF_SYSTEMD: [&str; 6] =
    ["systemd", "systemd-journald", "systemd-modules-load", "systemd-sysctl", "systemd-udevd", "udev-rules"];

/// The modules that mount a root filesystem.
const OF_ROOT: [&str; 3] = ["base", "rootfs-block", "systemd-initrd"];

/// The modules that the recipe for Kata has besides.
const OF_KATA: [&str; 3] = ["dbus", "dbus-daemon", "systemd-tmpfiles"];

/// Returns the shipped recipes that have the rest of these modules.
pub(super) fn recipes(modules: &[&str]) -> Vec<&'static str> {
    let has = |name: &&str| modules.contains(name);
    let is_encrypted = ["crypt", "systemd-cryptsetup"].iter().any(has);
    let is_measured = has(&"systemd-veritysetup");
    if is_encrypted || is_measured {
        let both = [(is_encrypted, "systemd-initrd-luks"), (is_measured, "systemd-initrd-verity")];
        return both.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, recipe)| recipe).collect();
    }
    vec![match () {
        () if modules.is_empty() || OF_ROOT.iter().any(has) => "systemd-initrd",
        () if has(&"systemd") => "kata-dracut",
        () if has(&"busybox") => "busybox",
        () => "empty",
    }]
}

/// Returns true if one of the shipped recipes has a module.
pub(super) fn is_in(module: &str, recipes: &[&str]) -> bool {
    let is_kata = recipes.contains(&"kata-dracut");
    let is_root = recipes.iter().any(|recipe| recipe.starts_with("systemd-initrd"));
    (is_kata || is_root) && OF_SYSTEMD.contains(&module)
        || is_root && OF_ROOT.contains(&module)
        || is_kata && OF_KATA.contains(&module)
}
