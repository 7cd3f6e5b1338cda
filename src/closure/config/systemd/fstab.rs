//! `/etc/fstab` and `/etc/crypttab`: the programs for filesystems and swap, and files of keys.

use std::collections::BTreeSet;

use image_tree::{Content, Directories};

use super::table::{Files, records};
use crate::closure::error::Result;

/// Adds the programs that mount and check the filesystems of `/etc/fstab`, and the keys that
/// `/etc/crypttab` names, if the generators that read these are kept.
pub(super) fn add<T: Directories<Content: Content>>(
    files: &mut Files<'_, '_, T>,
    generators: &BTreeSet<Vec<u8>>,
) -> Result<()> {
    if generators.contains(&b"systemd-fstab-generator"[..]) {
        ["mount", "umount"].iter().for_each(|name| files.add_program(name.as_bytes(), "mounts /etc/fstab"));
        for record in records(&files.text(b"/etc/fstab")?) {
            let [_, _, kinds, options @ ..] = &record[..] else { continue };
            let (option_list, pass) = (options.first().copied(), options.get(2).copied());
            for kind in kinds.split(|byte| *byte == b',').filter(|kind| !kind.contains(&b'/')) {
                add_type(files, kind, option_list.unwrap_or_default(), pass.unwrap_or(b"0"));
            }
        }
    }
    if generators.contains(&b"systemd-cryptsetup-generator"[..]) {
        for record in records(&files.text(b"/etc/crypttab")?) {
            if let Some(key) = record.get(2).filter(|key| key.starts_with(b"/")) {
                files.add_path(key, "is a key of /etc/crypttab");
            }
        }
    }
    Ok(())
}

fn add_type<T: Directories<Content: Content>>(
    files: &mut Files<'_, '_, T>,
    kind: &[u8],
    options: &[u8],
    pass: &[u8],
) {
    let has = |option: &[u8]| options.split(|byte| *byte == b',').any(|one| one == option);
    let mut add = |program: &[u8]| files.add_program(program, "is run for a line of /etc/fstab");
    if kind == b"swap" {
        [&b"swapon"[..], b"swapoff"].into_iter().for_each(&mut add);
        if has(b"x-systemd.makefs") {
            add(b"mkswap");
            add(b"/usr/lib/systemd/systemd-makefs");
        }
        return;
    }
    add(&[b"mount.", kind].concat());
    if pass != b"0" {
        add(&[b"fsck.", kind].concat());
    }
    if has(b"x-systemd.makefs") {
        add(&[b"mkfs.", kind].concat());
        add(b"/usr/lib/systemd/systemd-makefs");
    }
    if has(b"x-systemd.growfs") {
        add(b"/usr/lib/systemd/systemd-growfs");
        files.add("/usr/lib/systemd/system/systemd-growfs@.service", "is a unit for a line of /etc/fstab");
        files
            .add("/usr/lib/systemd/system/systemd-growfs-root.service", "is a unit for a line of /etc/fstab");
    }
}
