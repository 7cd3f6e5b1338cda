//! The accounts that the files of a tree name.
//!
//! A closure knows those of the units and rules that it follows; files are also kept as those of a
//! package or a directory, which it does not read.

use std::collections::BTreeSet;

use image_tree::path::{base_name, parent};
use image_tree::{Kind, Tree};

use super::programs;
use crate::blob::Blob;
use crate::bounded;
use crate::closure::config::udev;
use crate::error::Result;

/// The longest file that is read for names, in bytes.
const MAX_LEN: u64 = 1024 * 1024;

/// The keys of units, and of the services that D-Bus starts, whose values are users.
const USERS: [&[u8]; 2] = [b"User", b"SocketUser"];
/// The keys of units whose values are groups.
const GROUPS: [&[u8]; 3] = [b"Group", b"SupplementaryGroups", b"SocketGroup"];

/// Services of PAM that other services include, or that are for services without a file: they do
/// not say that users log in.
const INCLUDED: [&str; 12] = [
    "base-account",
    "base-auth",
    "base-password",
    "base-session",
    "common-account",
    "common-auth",
    "common-password",
    "common-session",
    "common-session-noninteractive",
    "other",
    "password-auth",
    "system-auth",
];

/// The names that occur, which need not be those of accounts; numbers as they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentions {
    pub(super) users: BTreeSet<Vec<u8>>,
    pub(super) groups: BTreeSet<Vec<u8>>,
    /// True if users can log in: the tree has a service of PAM or a program for it.
    pub(super) has_logins: bool,
}

/// A format of files that name accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Keys and values, as in units.
    Keys,
    /// udev's rules.
    Rules,
    /// `TYPE PATH MODE USER GROUP AGE ARGUMENT`.
    Tmpfiles,
    /// `TYPE NAME ID`.
    Sysusers,
    /// The policy of D-Bus: `user="…"` and `group="…"`, and the element `user`.
    Bus,
    /// The words of lines that begin with `su` and `create`.
    Logrotate,
    /// Every word, as in crontabs and in sudoers.
    Words,
}

impl Mentions {
    /// Reads the files of a tree that may name accounts.
    ///
    /// # Errors
    /// Returns an error if such a file cannot be read.
    pub(super) fn of(tree: &Tree<Blob>) -> Result<Self> {
        let mut mentions = Self::default();
        let mut path = Vec::new();
        let mut walk = tree.walk();
        while let Some(step) = walk.next() {
            path.clear();
            walk.write_path(&mut path);
            let inode = tree.get(step.id);
            let Kind::Regular(content) = &inode.kind else {
                // busybox is all of its programs by links.
                if matches!(inode.kind, Kind::Symlink(_)) {
                    mentions.add_program(base_name(&path));
                }
                continue;
            };
            if inode.metadata.mode & 0o111 != 0 {
                mentions.add_program(base_name(&path));
            }
            mentions.has_logins |= is_login_service(&path);
            let Some(format) = format(&path).filter(|_| image_tree::Content::len(content) <= MAX_LEN) else {
                continue;
            };
            mentions.add_text(format, &bounded::read_content(content, MAX_LEN, "a configuration file")?);
        }
        Ok(mentions)
    }

    fn add_program(&mut self, name: &[u8]) {
        self.has_logins |= programs::is_login(name);
        programs::accounts(name).iter().for_each(|name| self.both(name.as_bytes()));
    }

    fn both(&mut self, name: &[u8]) {
        self.users.insert(name.to_vec());
        self.groups.insert(name.to_vec());
    }

    fn add_text(&mut self, format: Format, text: &[u8]) {
        if format == Format::Rules {
            let rules = udev::Rules::parse(b"", text);
            self.users.extend(rules.owners);
            self.groups.extend(rules.groups);
            return;
        }
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for line in lines.filter(|line| !matches!(line.first(), None | Some(b'#'))) {
            self.add_line(format, line);
        }
    }

    fn add_line(&mut self, format: Format, line: &[u8]) {
        let fields: Vec<&[u8]> =
            line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).collect();
        let field = |at: usize| fields.get(at).map(|field| field.strip_prefix(b":").unwrap_or(field));
        match format {
            Format::Rules => {}
            Format::Keys => self.add_setting(line),
            Format::Tmpfiles => {
                self.users.extend(field(3).map(<[u8]>::to_vec));
                self.groups.extend(field(4).map(<[u8]>::to_vec));
                if fields[0].starts_with(b"a") || fields[0].starts_with(b"A") {
                    fields.iter().skip(6).for_each(|acl| words(acl).for_each(|word| self.both(word)));
                }
            }
            Format::Sysusers => {
                field(1).into_iter().for_each(|name| self.both(name));
                let id = field(2).into_iter().flat_map(|id| id.split(|byte| *byte == b':'));
                id.for_each(|name| _ = self.groups.insert(name.to_vec()));
            }
            Format::Bus => self.add_policy(line),
            Format::Logrotate if matches!(fields[0], b"su" | b"create" | b"createolddir") => {
                fields.iter().for_each(|word| self.both(word));
            }
            Format::Logrotate => {}
            Format::Words => words(line).for_each(|word| self.both(word)),
        }
    }

    /// Adds the value of a setting of a unit: names with spaces between them.
    fn add_setting(&mut self, line: &[u8]) {
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { return };
        let (key, values) = (line[..equals].trim_ascii(), &line[equals + 1..]);
        let values = values.split(u8::is_ascii_whitespace).filter(|value| !value.is_empty());
        if USERS.contains(&key) {
            self.users.extend(values.map(<[u8]>::to_vec));
        } else if GROUPS.contains(&key) {
            self.groups.extend(values.map(<[u8]>::to_vec));
        }
    }

    /// Adds the accounts of a line of D-Bus' policy.
    fn add_policy(&mut self, line: &[u8]) {
        // The word after "user" is a user in each of the forms.
        let all: Vec<&[u8]> = words(line).collect();
        for pair in all.windows(2) {
            match pair[0] {
                b"user" => _ = self.users.insert(pair[1].to_vec()),
                b"group" => _ = self.groups.insert(pair[1].to_vec()),
                _ => {}
            }
        }
    }
}

/// Returns the words of which names of accounts consist.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$');
    text.split(move |byte| !is_part(*byte)).filter(|word| !word.is_empty())
}

/// Returns the format of a file by its path.
fn format(path: &[u8]) -> Option<Format> {
    let directory = parent(path);
    let is_in = |name: &str| directory.ends_with(name.as_bytes());
    let is_beneath = |name: &str| directory.windows(name.len()).any(|part| part == name.as_bytes());
    let extension = base_name(path).rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    match path {
        b"/etc/crontab" | b"/etc/sudoers" => return Some(Format::Words),
        b"/etc/logrotate.conf" => return Some(Format::Logrotate),
        _ => {}
    }
    match extension {
        b"rules" if is_in("/udev/rules.d") => Some(Format::Rules),
        b"conf" if is_in("/tmpfiles.d") => Some(Format::Tmpfiles),
        b"conf" if is_in("/sysusers.d") => Some(Format::Sysusers),
        b"conf" | b"service" | b"socket" | b"mount" | b"swap" if is_beneath("/systemd/") => {
            Some(Format::Keys)
        }
        b"service" if is_beneath("/dbus-1/") => Some(Format::Keys),
        b"conf" if is_beneath("/dbus-1") => Some(Format::Bus),
        _ if directory == b"/etc/cron.d" || directory == b"/etc/sudoers.d" => Some(Format::Words),
        _ if directory == b"/etc/logrotate.d" => Some(Format::Logrotate),
        _ => None,
    }
}

/// Returns true for a service of PAM of its own.
fn is_login_service(path: &[u8]) -> bool {
    let name = base_name(path);
    parent(path).ends_with(b"/pam.d") && INCLUDED.binary_search_by(|one| one.as_bytes().cmp(name)).is_err()
}
