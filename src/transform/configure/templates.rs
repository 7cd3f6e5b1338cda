//! Files that packages copy or write when they are installed first: the skeleton of base-files,
//! `nsswitch.conf`, `hosts`, an empty `machine-id` and the like. What exists is unchanged.

mod skeleton;

use image_tree::path::join;

use super::site::Site;
use crate::error::Result;

const NSSWITCH: &[u8] = b"/etc/nsswitch.conf";
const NSSWITCH_TEMPLATE: &[u8] = b"/usr/share/libc-bin/nsswitch.conf";
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
const MACHINE_ID: &[u8] = b"/etc/machine-id";
const LOCALTIME: &[u8] = b"/etc/localtime";
const UTC: &[u8] = b"/usr/share/zoneinfo/Etc/UTC";

/// The files whose text is in a script, with a file of the same package.
const LITERALS: [(&str, &str, &str); 3] = [
    (
        "/etc/protocols",
        "/etc/hosts",
        "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\n\
         ff02::2\t\tip6-allrouters\n\n",
    ),
    (
        "/etc/protocols",
        "/etc/networks",
        "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n",
    ),
    (
        "/var/lib/dpkg/info/kmod.list",
        "/etc/modules",
        "# /etc/modules: kernel modules to load at boot time.\n#\n\
         # This file contains the names of kernel modules that should be loaded\n\
         # at boot time, one per line. Lines beginning with \"#\" are ignored.\n\
         # Parameters can be specified after the module name.\n\n",
    ),
];

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    skeleton::apply(site)?;
    nsswitch(site)?;
    let is_debian = site.is_directory(b"/var/lib/dpkg");
    for (of_package, path, text) in LITERALS {
        if is_debian && site.is_file(of_package.as_bytes()) && site.find_link(path.as_bytes()).is_none() {
            site.write(path.as_bytes(), text.as_bytes().to_vec(), 0o644)?;
        }
    }
    if site.find_link(LOCALTIME).is_none() && site.is_file(UTC) {
        site.symlink(LOCALTIME, UTC)?;
    }
    if site.find_link(MACHINE_ID).is_none() && SYSTEMD.iter().any(|path| site.is_file(path.as_bytes())) {
        site.write(MACHINE_ID, Vec::new(), 0o444)?;
    }
    Ok(())
}

/// Copies `nsswitch.conf`, with the service of libnss-systemd if the tree has it.
fn nsswitch(site: &mut Site<'_>) -> Result<()> {
    if site.find_link(NSSWITCH).is_some() || !site.copy(NSSWITCH_TEMPLATE, NSSWITCH)? {
        return Ok(());
    }
    let mut directories = vec![b"/usr/lib".to_vec()];
    directories.extend(site.names(b"/usr/lib").iter().map(|name| join(b"/usr/lib", name)));
    if !directories.iter().any(|directory| site.is_file(&join(directory, b"libnss_systemd.so.2"))) {
        return Ok(());
    }
    let text = site.text(NSSWITCH)?.unwrap_or_default();
    let mut changed = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let is_of_accounts =
            ["passwd:", "group:", "shadow:", "gshadow:"].iter().any(|key| line.starts_with(key.as_bytes()));
        if is_of_accounts && !line.windows(7).any(|word| word == b"systemd") {
            changed.extend([line.trim_ascii_end(), b" systemd\n"].concat());
        } else {
            changed.extend(line);
        }
    }
    site.write(NSSWITCH, changed, 0o644)?;
    Ok(())
}

#[cfg(test)]
mod tests;
