//! Users and groups: the masters of base-passwd, shadow's files, and sysusers.d(5).
//!
//! ```text
//!  passwd.master, group.master ──▶ /etc/passwd, group      if absent
//!  x in place of passwords ──────▶ /etc/shadow, gshadow    if absent and the tree has pwconv(8)
//!  sysusers.d, by file names ────▶ lines in all of them    fixed numbers first, others from 999 down
//! ```

mod allocate;
mod database;
mod declared;
mod ids;
mod shadow;

use self::database::Databases;
use self::declared::Declared;
use super::site::Site;
use crate::error::Result;

const MASTERS: [(&str, &str); 2] = [
    ("/usr/share/base-passwd/passwd.master", "/etc/passwd"),
    ("/usr/share/base-passwd/group.master", "/etc/group"),
];

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    for (master, path) in MASTERS {
        if site.find_link(path.as_bytes()).is_none()
            && let Some(text) = site.text(master.as_bytes())?
        {
            site.write(path.as_bytes(), text, 0o644)?;
        }
    }
    shadow::apply(site)?;
    let declared = Declared::read(site)?;
    if declared.is_empty() {
        return Ok(());
    }
    let mut databases = Databases::read(site)?;
    allocate::apply(site, &declared, &mut databases)?;
    databases.write(site)
}

#[cfg(test)]
mod tests;
