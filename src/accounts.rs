//! The users and groups of a tree by name, from its `/etc/passwd` and `/etc/group`.
//!
//! The accounts of the host are irrelevant to the guest, and are never used.

use std::collections::BTreeMap;

use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Kind, Tree};

use crate::bounded;
use crate::error::Result;

/// `(uid_t) -1` and `(gid_t) -1`: `chown(2)` keeps the owner for it, and a file with it on a
/// filesystem is shown with the overflow id 65534.
pub const UNDEFINED: u32 = u32::MAX;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The longest database that is read, in bytes.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// The numbers of a tree's users and groups, passwd(5) and group(5). The first line for a name
/// takes precedence, as in glibc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// User and login group.
    users: BTreeMap<Vec<u8>, (u32, u32)>,
    groups: BTreeMap<Vec<u8>, u32>,
}

impl Accounts {
    /// Reads both databases. A tree without them has no accounts.
    ///
    /// # Errors
    /// If one exists but cannot be read, or is longer than 16 MiB.
    pub fn of<C: Content>(tree: &Tree<C>) -> Result<Self> {
        Ok(Self::parse(&database(tree, PASSWD)?, &database(tree, GROUP)?))
    }

    /// Returns the accounts in the text of both databases. Lines of another form are skipped.
    #[must_use]
    pub fn parse(passwd: &[u8], group: &[u8]) -> Self {
        let mut accounts = Self::default();
        for line in lines(passwd) {
            if let [name, _, uid, gid, ..] = line[..]
                && let (Some(uid), Some(gid)) = (parse_id(uid), parse_id(gid))
            {
                accounts.users.entry(name.to_vec()).or_insert((uid, gid));
            }
        }
        for line in lines(group) {
            if let [name, _, gid, ..] = line[..]
                && let Some(gid) = parse_id(gid)
            {
                accounts.groups.entry(name.to_vec()).or_insert(gid);
            }
        }
        accounts
    }

    /// Returns the number of a user by name; none if there is no such user.
    #[must_use]
    pub fn uid_of(&self, user: &[u8]) -> Option<u32> {
        self.users.get(user).map(|(uid, _)| *uid)
    }

    /// Returns the number of a group by name; none if there is no such group.
    #[must_use]
    pub fn gid_of(&self, group: &[u8]) -> Option<u32> {
        self.groups.get(group).copied()
    }

    /// Returns the number of a user, given by name or by decimal number.
    ///
    /// # Errors
    /// Returns a message with the name and the database that lacks it.
    pub fn uid(&self, user: &[u8]) -> Result<u32, String> {
        check_number(user)?;
        let known = parse_id(user).or_else(|| self.users.get(user).map(|(uid, _)| *uid));
        known.ok_or_else(|| unknown("user", user, PASSWD))
    }

    /// Returns the number of a group, given by name or by decimal number.
    ///
    /// # Errors
    /// Returns a message with the name and the database that lacks it.
    pub fn gid(&self, group: &[u8]) -> Result<u32, String> {
        check_number(group)?;
        let known = parse_id(group).or_else(|| self.groups.get(group).copied());
        known.ok_or_else(|| unknown("group", group, GROUP))
    }

    /// Returns the login group of a user by name.
    ///
    /// # Errors
    /// Returns a message with the name and the database that lacks it.
    pub fn login_group(&self, user: &[u8]) -> Result<u32, String> {
        self.users.get(user).map(|(_, gid)| *gid).ok_or_else(|| unknown("user", user, PASSWD))
    }
}

/// Parses the number of a user or a group that a file can have: decimal, and less than the highest
/// 32-bit number.
#[must_use]
pub fn parse_id(digits: &[u8]) -> Option<u32> {
    parse_number(digits).filter(|number| *number != UNDEFINED)
}

/// Parses a decimal number of 32 bits. [`UNDEFINED`] is accepted, and is refused later with the
/// path of the file that has it.
#[must_use]
pub fn parse_number(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Refuses digits that are not the number of a user or a group. Names are accepted.
///
/// # Errors
/// Returns a message with the digits and the range.
pub fn check_number(text: &[u8]) -> Result<(), String> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) || parse_id(text).is_some() {
        return Ok(());
    }
    Err(format!(
        "{} is not a number of a user or a group: those are 0 to {}, and {UNDEFINED} is the -1 of chown(2), which no \
         file can have",
        text.escape_ascii(),
        UNDEFINED - 1
    ))
}

fn unknown(what: &str, name: &[u8], database: &str) -> String {
    format!("the tree's {database} has no {what} \"{}\"; give its number instead", name.escape_ascii())
}

fn database<C: Content>(tree: &Tree<C>, path: &str) -> Result<Vec<u8>> {
    let content = match resolve_in_root(tree, path.as_bytes()).map(|id| &tree.get(id).kind) {
        Some(Kind::Regular(content)) => content,
        _ => return Ok(Vec::new()),
    };
    bounded::read_content(content, MAX_LEN, format_args!("the tree's {path}"))
}

fn lines(database: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    database.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b':').collect())
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    fn accounts(passwd: &str, group: &str) -> Accounts {
        let text = format!(
            "/ 0 40755 3 0 0 0 0.0 - - -\n/etc 0 120777 1 0 0 0 0.0 usr/etc - -\n\
             /usr 0 40755 3 0 0 0 0.0 - - -\n/usr/etc 0 40755 2 0 0 0 0.0 - - -\n\
             /usr/etc/group {} 100644 1 0 0 0 0.0 - {group} -\n\
             /usr/etc/passwd {} 100644 1 0 0 0 0.0 - {passwd} -\n",
            group.replace("\\n", "\n").len(),
            passwd.replace("\\n", "\n").len(),
        );
        let tree = dump::parse(text.as_bytes(), |file| match &file.body {
            dump::Body::Inline(bytes) => Ok::<_, std::io::Error>(bytes.to_vec()),
            _ => Ok(Vec::new()),
        });
        Accounts::of(&tree.expect("a dump")).expect("it can be read")
    }

    #[test]
    fn resolves_names_and_numbers() {
        let accounts = accounts(
            r"root:x:0:0::/root:/bin/sh\nwww:x:33:34:::\nwww:x:99:99:::\n#c\n+\nbad:x:y:0\nend:x:7:8",
            r"root:x:0:\nstaff:x:50:a,b\n",
        );
        assert_eq!((accounts.uid(b"www"), accounts.login_group(b"www")), (Ok(33), Ok(34)));
        assert_eq!((accounts.uid(b"end"), accounts.gid(b"staff")), (Ok(7), Ok(50)));
        assert_eq!((accounts.uid(b"1234"), accounts.gid(b"0")), (Ok(1234), Ok(0)));
        for name in [&b"bad"[..], b"staff", b"", b"-1", b"+1"] {
            let error = accounts.uid(name).expect_err("nobody");
            assert!(error.contains("/etc/passwd has no user"), "{error}");
        }
        for number in [&b"4294967295"[..], b"99999999999999999999"] {
            let error = accounts.gid(number).expect_err("nobody");
            assert!(error.contains("those are 0 to 4294967294"), "{error}");
        }
        assert_eq!(
            accounts.gid(b"www"),
            Err("the tree's /etc/group has no group \"www\"; give its number instead".to_owned())
        );
    }

    #[test]
    fn names_are_unknown_in_a_tree_without_accounts() {
        let tree: Tree<Vec<u8>> = Tree::new(image_tree::Metadata::new(0o755));
        assert_eq!(Accounts::of(&tree).expect("nothing to read"), Accounts::default());
    }
}
