//! The databases of accounts as lines with fields between colons.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::parse_number;

/// A database of accounts in `/etc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Database {
    Passwd,
    Shadow,
    Group,
    Gshadow,
    Subuid,
    Subgid,
}

impl Database {
    pub(super) const ALL: &[Self] =
        &[Self::Passwd, Self::Shadow, Self::Group, Self::Gshadow, Self::Subuid, Self::Subgid];

    /// The name of the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passwd => "passwd",
            Self::Shadow => "shadow",
            Self::Group => "group",
            Self::Gshadow => "gshadow",
            Self::Subuid => "subuid",
            Self::Subgid => "subgid",
        }
    }

    /// The number of fields of a line.
    fn fields(self) -> usize {
        match self {
            Self::Passwd => 7,
            Self::Shadow => 9,
            Self::Group | Self::Gshadow => 4,
            Self::Subuid | Self::Subgid => 3,
        }
    }

    /// The fields that are numbers.
    fn numbers(self) -> &'static [usize] {
        match self {
            Self::Passwd => &[2, 3],
            Self::Group => &[2],
            Self::Shadow | Self::Gshadow => &[],
            Self::Subuid | Self::Subgid => &[1, 2],
        }
    }

    /// Returns the fields of a line of the format.
    pub(super) fn parse(self, line: &[u8]) -> Option<Vec<&[u8]>> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let is_number = |at: &usize| fields.get(*at).is_some_and(|field| number(field).is_some());
        let is_valid =
            fields.len() == self.fields() && !fields[0].is_empty() && self.numbers().iter().all(is_number);
        is_valid.then_some(fields)
    }
}

/// Returns true for a comment, an empty line, or one of another database (`+`, `-`).
pub(super) fn is_special(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || matches!(line.first(), Some(b'#' | b'+' | b'-'))
}

fn number(field: &[u8]) -> Option<u32> {
    parse_number(field).filter(|_| !field.is_empty())
}

/// The users of passwd(5), by name. Several may have a name or a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    by_name: BTreeMap<Vec<u8>, Vec<(u32, u32)>>,
    count: usize,
}

/// The groups of group(5), by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    by_name: BTreeMap<Vec<u8>, Vec<Group>>,
    count: usize,
}

#[derive(Clone, Debug)]
struct Group {
    gid: u32,
    members: BTreeSet<Vec<u8>>,
}

impl Users {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut users = Self::default();
        for fields in accounts(text, Database::Passwd) {
            if let (Some(uid), Some(gid)) = (number(fields[2]), number(fields[3])) {
                users.by_name.entry(fields[0].to_vec()).or_default().push((uid, gid));
                users.count += 1;
            }
        }
        users
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.by_name.keys()
    }

    /// Returns the name, number and login group of each user.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, u32, u32)> {
        let users = self.by_name.iter();
        users.flat_map(|(name, lines)| lines.iter().map(move |(uid, gid)| (name, *uid, *gid)))
    }
}

impl Groups {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut groups = Self::default();
        for fields in accounts(text, Database::Group) {
            if let Some(gid) = number(fields[2]) {
                let members = fields[3].split(|byte| *byte == b',').filter(|name| !name.is_empty());
                let members = members.map(<[u8]>::to_vec).collect();
                groups.by_name.entry(fields[0].to_vec()).or_default().push(Group { gid, members });
                groups.count += 1;
            }
        }
        groups
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.by_name.keys()
    }

    /// Returns the name, number and members of each group.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, u32, &BTreeSet<Vec<u8>>)> {
        let groups = self.by_name.iter();
        groups.flat_map(|(name, lines)| lines.iter().map(move |group| (name, group.gid, &group.members)))
    }
}

/// Returns the fields of each line that has the format.
fn accounts(text: &[u8], database: Database) -> impl Iterator<Item = Vec<&[u8]>> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !is_special(line));
    lines.filter_map(move |line| database.parse(line))
}
