//! `/run` of a confidential guest: a limited tmpfs that systemd mounts again by `fstab`.

use super::guest::{Guest, refused};
use crate::error::Result;
use crate::transform::edit::keys::{Change, KeyEdit};

const FSTAB: &str = "/etc/fstab";
const RUN: &str = "tmpfs /run tmpfs nodev,nosuid,size=50% 0 0";

const TARGETS: [&str; 3] = [
    "/usr/lib/systemd/system/kata-containers.target",
    "/lib/systemd/system/kata-containers.target",
    "/etc/systemd/system/kata-containers.target",
];

pub(super) fn configure(guest: &mut Guest<'_>) -> Result<()> {
    match guest.text(FSTAB)? {
        Some(text) => guest.replace(FSTAB, fstab(&text))?,
        None => guest.write(FSTAB, format!("{RUN}\n"), 0o644)?,
    }
    let Some(target) = TARGETS.into_iter().find(|path| guest.is_file(path)) else { return Ok(()) };
    let text = guest.text(target)?.unwrap_or_default();
    let value = b"systemd-remount-fs.service";
    let line = [b"Requires=", &value[..]].concat();
    if text.split(|byte| *byte == b'\n').any(|found| found == line) {
        return Ok(());
    }
    let edit =
        KeyEdit { section: b"Unit".to_vec(), key: b"Requires".to_vec(), change: Change::Add(value.to_vec()) };
    let changed = edit.apply(&text).map_err(|why| refused(target, &why))?;
    guest.replace(target, changed.unwrap_or(text))
}

/// Returns the table with one line for `/run`.
fn fstab(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + RUN.len() + 1);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let is_comment = line.trim_ascii_start().starts_with(b"#");
        if is_comment || fields.nth(1) != Some(b"/run") {
            out.extend_from_slice(line);
        }
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.extend_from_slice(RUN.as_bytes());
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_mounts_run() {
        let text = b"# a /run\nproc /proc proc x 0 0\ntmpfs  /run tmpfs a 0 0\ntmpfs /run/lock tmpfs";
        let once = fstab(text);
        let expected = "# a /run\nproc /proc proc x 0 0\ntmpfs /run/lock tmpfs\n\
                        tmpfs /run tmpfs nodev,nosuid,size=50% 0 0\n";
        assert_eq!(String::from_utf8_lossy(&once), expected);
        assert_eq!(fstab(&once), once);
        assert_eq!(fstab(b""), format!("{RUN}\n").as_bytes());
    }
}
