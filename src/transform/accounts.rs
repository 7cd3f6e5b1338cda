//! Reduces the accounts of a tree to those that it uses.
//!
//! ```text
//!  owners of files, ACLs ──────────┐
//!  units, rules, tmpfiles.d, … ────┼─▶ used names ─▶ users ─▶ their groups ─▶ lines that stay
//!  programs, PAM: regular users ───┘   and numbers
//! ```
//!
//! | file | lines that stay |
//! | --- | --- |
//! | `/etc/passwd`, `shadow` | of used users |
//! | `/etc/group`, `gshadow` | of used groups, and of groups of used users; members are used users |
//! | `/etc/subuid`, `subgid` | of used users |
//!
//! So are the copies of these files that end in `-`. Order, passwords and the other fields stay.

mod database;
mod mentions;
mod programs;
mod reduce;
mod used;

use std::collections::BTreeSet;

use image_tree::resolve::resolve_in_root;
use image_tree::{InodeId, Kind, Timestamp, Tree};

use self::database::{Database, Groups, Users};
use self::mentions::Mentions;
use self::used::Used;
use crate::blob::Blob;
use crate::bounded;
use crate::closure::accounts::NamedAccounts;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{self, Log};

/// The longest database that is read, in bytes.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// The accounts that stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accounts {
    /// All.
    All,
    /// Those that the tree uses.
    #[default]
    Used,
    /// Those that the tree uses, and these by name.
    UsedAnd(BTreeSet<Vec<u8>>),
}

impl Accounts {
    /// Parses `all`, `used` or names of users and groups with commas between them.
    ///
    /// # Errors
    /// Returns a message if a name is empty, or has a colon or white space.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        match text {
            b"all" => return Ok(Self::All),
            b"used" => return Ok(Self::Used),
            _ => {}
        }
        let names: BTreeSet<Vec<u8>> = text.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
        let is_bad = |name: &[u8]| name.is_empty() || name.iter().any(|byte| *byte == b':' || *byte <= b' ');
        match names.iter().find(|name| is_bad(name)) {
            Some(name) => Err(format!(
                "\"{}\" is not the name of a user or group; give all, used or names with commas between them",
                name.escape_ascii()
            )),
            None => Ok(Self::UsedAnd(names)),
        }
    }
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The accounts that stay.
    pub accounts: &'a Accounts,
    /// The accounts that the closure of the tree found in units, rules and the like.
    pub named: &'a NamedAccounts,
    /// The mtime of a file that changes.
    pub time: Timestamp,
}

/// The accounts that stayed, to be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reduced {
    /// The names of the users that stayed, and the number before.
    pub users: (Vec<String>, usize),
    /// The names of the groups that stayed, and the number before.
    pub groups: (Vec<String>, usize),
    /// Sentences about lines that are not of the format, and stay.
    pub warnings: Vec<String>,
}

impl log::Report for Reduced {
    fn log(&self, log: &Log) {
        self.warnings.iter().for_each(|warning| log.warn(warning));
        for (what, (kept, before)) in [("users", &self.users), ("groups", &self.groups)] {
            if kept.len() < *before {
                let names = kept.join(", ");
                log.detail(format_args!("{} of {before} {what} are kept: {names}", kept.len()));
            }
        }
    }
}

/// Reduces the databases of accounts that the tree has.
///
/// # Errors
/// Returns an error if a file cannot be read or is longer than 16 MiB, or the tree lacks an account
/// that was named.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Option<Reduced>> {
    let extra = match options.accounts {
        Accounts::All => return Ok(None),
        Accounts::Used => &BTreeSet::new(),
        Accounts::UsedAnd(names) => names,
    };
    let users = Users::parse(&text(tree, "/etc/passwd")?.unwrap_or_default());
    let groups = Groups::parse(&text(tree, "/etc/group")?.unwrap_or_default());
    if users.is_empty() && groups.is_empty() {
        return match extra.first() {
            Some(name) => Err(unknown(name, &users, &groups)),
            None => Ok(None),
        };
    }
    for name in extra {
        if !users.has(name) && !groups.has(name) {
            return Err(unknown(name, &users, &groups));
        }
    }
    let mut mentions = Mentions::of(tree)?;
    mentions.users.extend(options.named.users.iter().cloned());
    mentions.groups.extend(options.named.groups.iter().cloned());
    let used = Used::of(tree, &users, &groups, extra, &mentions);
    let mut reduced = Reduced {
        users: (shown(used.users()), users.count()),
        groups: (shown(used.groups()), groups.count()),
        warnings: Vec::new(),
    };
    for database in Database::ALL {
        for suffix in ["", "-"] {
            let path = format!("/etc/{}{suffix}", database.name());
            rewrite(tree, &path, *database, &used, options.time, &mut reduced.warnings)?;
        }
    }
    Ok(Some(reduced))
}

/// Removes the lines of a database that are not used; a tree without it is not changed.
fn rewrite(
    tree: &mut Tree<Blob>,
    path: &str,
    database: Database,
    used: &Used,
    time: Timestamp,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let Some(before) = text(tree, path)? else { return Ok(()) };
    let (after, malformed) = reduce::reduce(database, &before, used);
    if let [first, ..] = malformed[..] {
        let count = malformed.len();
        warnings.push(format!(
            "{path}: lines that are not of its format stay as they are: {count}, the first is line {first}"
        ));
    }
    if after != before
        && let Some(id) = file(tree, path)
    {
        let replaced = tree.replace_kind(id, Kind::Regular(Blob::from(after)));
        debug_assert!(replaced.is_ok(), "a regular file stays one");
        tree.metadata_mut(id).mtime = time;
    }
    Ok(())
}

/// Returns the regular file at a path.
fn file(tree: &Tree<Blob>, path: &str) -> Option<InodeId> {
    let id = resolve_in_root(tree, path.as_bytes())?;
    matches!(tree.get(id).kind, Kind::Regular(_)).then_some(id)
}

fn text(tree: &Tree<Blob>, path: &str) -> Result<Option<Vec<u8>>> {
    match file(tree, path).map(|id| &tree.get(id).kind) {
        Some(Kind::Regular(content)) => {
            bounded::read_content(content, MAX_LEN, format_args!("the tree's {path}")).map(Some)
        }
        _ => Ok(None),
    }
}

fn shown(names: &BTreeSet<Vec<u8>>) -> Vec<String> {
    names.iter().map(|name| name.escape_ascii().to_string()).collect()
}

fn unknown(name: &[u8], users: &Users, groups: &Groups) -> Error {
    let shown = name.escape_ascii().to_string();
    let names = users.names().chain(groups.names()).map(|name| name.escape_ascii().to_string());
    let near: BTreeSet<String> = names.filter(|other| strsim::jaro_winkler(&shown, other) > 0.8).collect();
    let near = match near.is_empty() {
        true => String::new(),
        false => format!("; similar names are {}", near.into_iter().take(5).collect::<Vec<_>>().join(", ")),
    };
    let message = format!(
        "--accounts {shown}: neither /etc/passwd nor /etc/group of what is kept has such an account{near}; keep these \
         files by --keep"
    );
    Error::new(ErrorKind::BadInput, message)
}

#[cfg(test)]
mod tests;
