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

/// The accounts of a database, by name. Several lines may have a name.
#[derive(Clone, Debug)]
pub(super) struct Lines<A> {
    by_name: BTreeMap<Vec<u8>, Vec<A>>,
    count: usize,
}

/// The users of passwd(5).
pub(super) type Users = Lines<User>;

/// The groups of group(5).
pub(super) type Groups = Lines<Group>;

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) uid: u32,
    /// The login group.
    pub(super) gid: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) gid: u32,
    pub(super) members: BTreeSet<Vec<u8>>,
}

impl<A> Lines<A> {
    /// Parses the lines that have the format.
    fn of(text: &[u8], database: Database, account: impl Fn(&[&[u8]]) -> Option<A>) -> Self {
        let (mut by_name, mut count) = (BTreeMap::<Vec<u8>, Vec<A>>::new(), 0);
        for line in text.split(|byte| *byte == b'\n').filter(|line| !is_special(line)) {
            let Some(fields) = database.parse(line) else { continue };
            if let Some(account) = account(&fields) {
                by_name.entry(fields[0].to_vec()).or_default().push(account);
                count += 1;
            }
        }
        Self { by_name, count }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of lines.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.by_name.keys()
    }

    /// Returns each account with its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, &A)> {
        self.by_name.iter().flat_map(|(name, lines)| lines.iter().map(move |line| (name, line)))
    }
}

impl Users {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self::of(text, Database::Passwd, |fields| {
            Some(User { uid: number(fields[2])?, gid: number(fields[3])? })
        })
    }
}

impl Groups {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self::of(text, Database::Group, |fields| {
            let members = fields[3].split(|byte| *byte == b',').filter(|name| !name.is_empty());
            Some(Group { gid: number(fields[2])?, members: members.map(<[u8]>::to_vec).collect() })
        })
    }
}
