//! The files of accounts as lines, of which only those that change are rewritten.

use image_tree::{Inode, Kind, Timestamp};

use super::super::site::Site;
use crate::blob::Blob;
use crate::error::Result;

/// A file of accounts: lines with fields between colons.
#[derive(Clone, Debug, Default)]
pub(super) struct Database {
    path: &'static str,
    /// The text of the file; `None` if there is none.
    before: Option<Vec<u8>>,
    lines: Vec<Vec<u8>>,
    is_changed: bool,
}

impl Database {
    /// Reads a file, or starts an empty one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn read(site: &Site<'_>, path: &'static str) -> Result<Self> {
        let before = site.text(path.as_bytes())?;
        let text = before.clone().unwrap_or_default();
        let lines = text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n');
        let lines = if text.is_empty() { Vec::new() } else { lines.map(<[u8]>::to_vec).collect() };
        Ok(Self { path, before, lines, is_changed: false })
    }

    pub(super) fn exists(&self) -> bool {
        self.before.is_some()
    }

    /// Returns the fields of each line with a name.
    pub(super) fn lines(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        let lines = self.lines.iter().filter(|line| !matches!(line.first(), None | Some(b'#' | b'+' | b'-')));
        lines.map(|line| line.split(|byte| *byte == b':').collect())
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.lines().any(|fields| fields[0] == name)
    }

    /// Adds a line at the end, but before those of another database, which begin with `+` or `-`.
    pub(super) fn append(&mut self, fields: &[&[u8]]) {
        let end = self.lines.iter().position(|line| matches!(line.first(), Some(b'+' | b'-')));
        self.lines.insert(end.unwrap_or(self.lines.len()), fields.join(&b':'));
        self.is_changed = true;
    }

    /// Changes the fields of the lines for which `change` returns some.
    pub(super) fn change(&mut self, change: impl Fn(&[&[u8]]) -> Option<Vec<Vec<u8>>>) {
        for line in
            self.lines.iter_mut().filter(|line| !matches!(line.first(), None | Some(b'#' | b'+' | b'-')))
        {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
            if let Some(changed) = change(&fields) {
                *line = changed.join(&b':');
                self.is_changed = true;
            }
        }
    }

    /// Writes the file if a line changed, with a backup of the one before.
    ///
    /// # Errors
    /// If it cannot be added.
    pub(super) fn write(&self, site: &mut Site<'_>, mode: u16) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let path = self.path.as_bytes();
        if let (Some(before), Some(id)) = (&self.before, site.find(path)) {
            let metadata = site.tree.get(id).metadata.clone();
            let backup = Inode { metadata, kind: Kind::Regular(Blob::from(before.clone())) };
            site.put(&[path, b"-"].concat(), backup)?;
        }
        let mut text = self.lines.join(&b'\n');
        text.push(b'\n');
        site.write(path, text, mode)?;
        Ok(())
    }
}

/// The files of users and groups.
#[derive(Debug)]
pub(super) struct Databases {
    pub(super) passwd: Database,
    pub(super) shadow: Database,
    pub(super) group: Database,
    pub(super) gshadow: Database,
}

impl Databases {
    /// Reads all of them.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(super) fn read(site: &Site<'_>) -> Result<Self> {
        Ok(Self {
            passwd: Database::read(site, "/etc/passwd")?,
            shadow: Database::read(site, "/etc/shadow")?,
            group: Database::read(site, "/etc/group")?,
            gshadow: Database::read(site, "/etc/gshadow")?,
        })
    }

    /// Adds a user whose password is locked.
    pub(super) fn add_user(&mut self, user: &NewUser<'_>, days: &[u8]) {
        let NewUser { name, uid, gid, comment, home, shell, is_expired } = *user;
        let (uid, gid) = (uid.to_string(), gid.to_string());
        self.passwd.append(&[name, b"x", uid.as_bytes(), gid.as_bytes(), comment, home, shell]);
        if !self.shadow.has(name) {
            let expire: &[u8] = if is_expired { b"1" } else { b"" };
            self.shadow.append(&[name, b"!*", days, b"", b"", b"", b"", expire, b""]);
        }
    }

    /// Adds a group.
    pub(super) fn add_group(&mut self, name: &[u8], gid: u32) {
        self.group.append(&[name, b"x", gid.to_string().as_bytes(), b""]);
        if !self.gshadow.has(name) {
            self.gshadow.append(&[name, b"!*", b"", b""]);
        }
    }

    /// Adds members to a group. A list that changes is sorted.
    pub(super) fn add_members(&mut self, group: &[u8], members: &[Vec<u8>]) {
        for database in [&mut self.group, &mut self.gshadow] {
            database.change(|fields| {
                let [name, password, third, list] = fields[..] else { return None };
                if name != group {
                    return None;
                }
                let mut all: Vec<&[u8]> =
                    list.split(|byte| *byte == b',').filter(|name| !name.is_empty()).collect();
                let new: Vec<&[u8]> =
                    members.iter().map(Vec::as_slice).filter(|member| !all.contains(member)).collect();
                if new.is_empty() {
                    return None;
                }
                all.extend(new);
                all.sort_unstable();
                all.dedup();
                Some(vec![name.to_vec(), password.to_vec(), third.to_vec(), all.join(&b',')])
            });
        }
    }

    /// Writes what changed.
    ///
    /// # Errors
    /// If a file cannot be added.
    pub(super) fn write(&self, site: &mut Site<'_>) -> Result<()> {
        self.group.write(site, 0o644)?;
        self.gshadow.write(site, 0)?;
        self.passwd.write(site, 0o644)?;
        self.shadow.write(site, 0)
    }
}

/// A user to be added.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewUser<'a> {
    pub(super) name: &'a [u8],
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) comment: &'a [u8],
    pub(super) home: &'a [u8],
    pub(super) shell: &'a [u8],
    pub(super) is_expired: bool,
}

/// Returns the day of the last change of a password as text. The day 0 would ask for a new
/// password at the next login, so it is left out.
pub(super) fn days(time: Timestamp) -> Vec<u8> {
    match time.seconds().div_euclid(24 * 60 * 60) {
        days if days > 0 => days.to_string().into_bytes(),
        _ => Vec::new(),
    }
}
