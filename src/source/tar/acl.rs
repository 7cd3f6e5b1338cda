//! Access control lists: converts the text of archives into the bytes of `getxattr(2)`.

use thiserror::Error;

use crate::accounts::{self, Accounts};

/// A reason that text is not an access control list.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AclError {
    /// An entry that is not one.
    #[error("\"{}\" is not an entry such as user:1000:rw-", .0.escape_ascii())]
    Entry(Vec<u8>),
    /// A user or group without a number.
    #[error(
        "names {what} \"{}\", which neither the archive's /etc/{database} nor that of a source before it has; put the \
         account there, or write the archive with bsdtar, which adds numbers",
        .name.escape_ascii()
    )]
    Name {
        /// A user or a group.
        what: &'static str,
        /// Its name.
        name: Vec<u8>,
        /// The file that should have it.
        database: &'static str,
    },
    /// A number beside an unknown name that is in no range of the map of owners.
    #[error("{what} {id} of an ACL is in no range of the map")]
    Unmapped {
        /// A user or a group.
        what: &'static str,
        /// Its number in the archive.
        id: u32,
    },
    /// The same user or group twice.
    #[error("two entries are for the same")]
    Twice,
    /// An entry that every list has is missing.
    #[error("user, group and other must all have an entry, and a mask if others have one")]
    Missing,
}

/// `ACL_USER_OBJ` and so on of `linux/posix_acl.h`, in the order that the kernel requires.
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// `ACL_UNDEFINED_ID`.
const NOBODY: u32 = u32::MAX;

/// `POSIX_ACL_XATTR_VERSION`.
const VERSION: u32 = 2;

/// An entry for a named user or group, with an optional number for a name that is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedEntry {
    is_access: bool,
    tag: u16,
    permissions: u16,
    name: Vec<u8>,
    id: Option<u32>,
}

impl NamedEntry {
    /// Returns true for an entry of the list for access, and false for one of the list for new
    /// files of a directory.
    pub(super) fn is_access(&self) -> bool {
        self.is_access
    }

    /// Returns its size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.name.len()
    }

    /// Returns the keyword of the record it came from.
    pub(super) fn key(&self) -> &'static str {
        if self.is_access { "SCHILY.acl.access" } else { "SCHILY.acl.default" }
    }

    /// Returns the entry with its number. `own` maps a number of the archive to one of the tree.
    fn resolve(
        &self,
        accounts: &Accounts,
        own: &dyn Fn(bool, u32) -> Option<u32>,
    ) -> Result<Entry, AclError> {
        let is_user = self.tag == USER;
        let known = if is_user { accounts.uid(&self.name) } else { accounts.gid(&self.name) };
        let (what, database) = if is_user { ("user", "passwd") } else { ("group", "group") };
        let id = match (known, self.id) {
            (Ok(id), _) => id,
            (Err(_), Some(id)) => own(is_user, id).ok_or(AclError::Unmapped { what, id })?,
            (Err(_), None) => return Err(AclError::Name { what, name: self.name.clone(), database }),
        };
        Ok((self.tag, id, self.permissions))
    }
}

/// Adds the named entries to a list, with the numbers of a tree's accounts.
pub(super) fn add_names(
    acl: &[u8],
    named: &[&NamedEntry],
    accounts: &Accounts,
    own: &dyn Fn(bool, u32) -> Option<u32>,
) -> Result<Vec<u8>, AclError> {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let short = |bytes: &[u8]| u16::try_from(number(bytes)).unwrap_or(0);
    let entries = acl.get(4..).unwrap_or_default().chunks_exact(8);
    let mut entries: Vec<Entry> =
        entries.map(|entry| (short(&entry[..2]), number(&entry[4..]), short(&entry[2..4]))).collect();
    for entry in named {
        entries.push(entry.resolve(accounts, own)?);
    }
    to_bytes(entries)
}

/// The tag, the id and the permissions, in the kernel's sort order.
type Entry = (u16, u32, u16);

fn to_bytes(mut entries: Vec<Entry>) -> Result<Vec<u8>, AclError> {
    entries.sort_unstable();
    if entries.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1) {
        return Err(AclError::Twice);
    }
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    Ok(bytes)
}

/// Reads `user::rw-,user:name:rw-:1000,group::r--,mask::rw-,other::r--`: entries separated by
/// commas or newlines, with names or numbers of users and groups, a number behind the permissions
/// as star writes it, and comments that start with `#`. Entries with a name are returned
/// separately, since the tree's accounts number them.
pub(super) fn from_text(text: &[u8], is_access: bool) -> Result<(Vec<u8>, Vec<NamedEntry>), AclError> {
    let entries = text.split(|byte| matches!(byte, b',' | b'\n'));
    let entries =
        entries.map(|entry| entry.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii());
    let (mut acl, mut named) = (Vec::new(), Vec::new());
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let Parsed { tag, permissions, who } = parse_entry(entry)?;
        match who {
            Who::Id(id) => acl.push((tag, id, permissions)),
            Who::Name(name, id) => {
                named.push(NamedEntry { is_access, tag, permissions, name: name.to_vec(), id })
            }
        }
    }
    let has = |tag| acl.iter().any(|entry: &Entry| entry.0 == tag);
    let has_others = has(USER) || has(GROUP) || !named.is_empty();
    if !(has(USER_OBJ) && has(GROUP_OBJ) && has(OTHER)) || (has_others && !has(MASK)) {
        return Err(AclError::Missing);
    }
    Ok((to_bytes(acl)?, named))
}

/// One entry of the text.
struct Parsed<'t> {
    tag: u16,
    permissions: u16,
    who: Who<'t>,
}

enum Who<'t> {
    Id(u32),
    /// A name, and the number behind the permissions.
    Name(&'t [u8], Option<u32>),
}

fn parse_entry(entry: &[u8]) -> Result<Parsed<'_>, AclError> {
    let bad = || AclError::Entry(entry.to_vec());
    let mut fields: Vec<&[u8]> = entry.split(|byte| *byte == b':').map(<[u8]>::trim_ascii).collect();
    if matches!(fields.first(), Some(&(b"default" | b"d"))) {
        fields.remove(0);
    }
    let (kind, name, permissions, number) = match fields[..] {
        // A mask and the others have no name, so their field for it may be left out.
        [kind @ (b"mask" | b"m" | b"other" | b"o"), permissions] => (kind, &b""[..], permissions, &b""[..]),
        [kind, name, permissions] => (kind, name, permissions, &b""[..]),
        [kind, name, permissions, number] => (kind, name, permissions, number),
        _ => return Err(bad()),
    };
    let permissions = parse_permissions(permissions).ok_or_else(bad)?;
    let tag = match (kind, name.is_empty()) {
        (b"user" | b"u", true) => USER_OBJ,
        (b"user" | b"u", false) => USER,
        (b"group" | b"g", true) => GROUP_OBJ,
        (b"group" | b"g", false) => GROUP,
        (b"mask" | b"m", true) => MASK,
        (b"other" | b"o", true) => OTHER,
        _ => return Err(bad()),
    };
    let number = match number {
        b"" => None,
        digits => Some(accounts::parse_id(digits).ok_or_else(bad)?),
    };
    let who = match name {
        b"" => Who::Id(NOBODY),
        digits if digits.iter().all(u8::is_ascii_digit) => {
            Who::Id(number.or_else(|| accounts::parse_id(digits)).ok_or_else(bad)?)
        }
        name => Who::Name(name, number),
    };
    Ok(Parsed { tag, permissions, who })
}

fn parse_permissions(text: &[u8]) -> Option<u16> {
    let bit = |byte: &u8| match byte {
        b'r' => Some(4),
        b'w' => Some(2),
        b'x' => Some(1),
        b'-' => Some(0),
        _ => None,
    };
    text.iter()
        .try_fold(0, |all, byte| Some(all | bit(byte)?))
        .filter(|_| !text.is_empty() && text.len() <= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_with(passwd: &str, group: &str) -> Accounts {
        let text = format!(
            "/ 0 40755 3 0 0 0 0.0 - - -\n/etc 0 40755 2 0 0 0 0.0 - - -\n\
             /etc/group {} 100644 1 0 0 0 0.0 - {group} -\n/etc/passwd {} 100644 1 0 0 0 0.0 - {passwd} -\n",
            group.len(),
            passwd.len(),
        );
        let tree = image_tree::dump::parse(text.as_bytes(), |file| match &file.body {
            image_tree::dump::Body::Inline(bytes) => Ok::<_, std::io::Error>(bytes.to_vec()),
            _ => Ok(Vec::new()),
        });
        Accounts::of(&tree.expect("a dump")).expect("it can be read")
    }

    /// Returns the bytes of a list whose names are resolved, with numbers of the archive 100 above
    /// the tree's.
    fn resolved(text: &str, accounts: &Accounts) -> Result<Vec<u8>, AclError> {
        let (acl, named) = from_text(text.as_bytes(), true)?;
        add_names(&acl, &named.iter().collect::<Vec<_>>(), accounts, &|_, id| id.checked_sub(100))
    }

    fn expected() -> Vec<u8> {
        [
            &b"\x02\0\0\0"[..],
            b"\x01\0\x06\0\xff\xff\xff\xff",
            b"\x02\0\x06\0\xd2\x04\0\0",
            b"\x04\0\x04\0\xff\xff\xff\xff",
            b"\x08\0\x04\0\x2e\x16\0\0",
            b"\x10\0\x06\0\xff\xff\xff\xff",
            b"\x20\0\x04\0\xff\xff\xff\xff",
        ]
        .concat()
    }

    #[test]
    fn parses_every_form_of_an_acl() {
        let accounts = tree_with("lisa:x:1234:0:::", "staff:x:5678:");
        let texts = [
            "user::rw-,user:1234:rw-,group::r--,group:5678:r--,mask::rw-,other::r--",
            "user::rw-\nuser:lisa:rw-:7\ngroup::r--\ngroup:staff:r--\nmask::rw-\nother::r--\n",
            "user::rw-,user:nobody-here:rw-:1334,group::r--,group:5678:r--,mask::rw-,other::r--",
            "user::rw-,user:9:rw-:1234,group::r--,group:5678:r--,mask::rw-,other::r--",
            "other:r--, mask:rw-,u::rw,g:5678:r,g::r,u:1234:rw",
            "default:user::rw-,default:user:1234:rw-,default:group::r--,default:group:5678:r--,default:mask::rw-,d:o::r--",
            "user::rw-,user:1234:rw-\t#effective:r--,group::r--,group:5678:r--,mask::rw-,other::r--",
        ];
        for text in texts {
            assert_eq!(resolved(text, &accounts).expect(text), expected(), "{text}");
        }
    }

    #[test]
    fn refuses_malformed_acls() {
        let accounts = tree_with("lisa:x:5:0:::", "staff:x:1:");
        let base = "user::rw-,group::r--,other::r--";
        let name = |what, name: &str, database| AclError::Name { what, name: name.into(), database };
        let entry = |text: &str| AclError::Entry(text.into());
        let cases = [
            ("", AclError::Missing),
            ("user::rw-", AclError::Missing),
            ("user::rw-,group::r--,other::r--,user:1:r--", AclError::Missing),
            ("user::rw-,group::r--,other::r--,user:lisa:r--", AclError::Missing),
            (&format!("{base},user::r--"), AclError::Twice),
            (&format!("{base},mask::r--,user:lisa:r--,user:5:r--"), AclError::Twice),
            (&format!("{base},mask::r--,user:max:r--"), name("user", "max", "passwd")),
            (&format!("{base},mask::r--,group:lisa:r--"), name("group", "lisa", "group")),
            (&format!("{base},mask::r--,user:max:r--:99"), AclError::Unmapped { what: "user", id: 99 }),
            (&format!("{base},user:1:rq-"), entry("user:1:rq-")),
            (&format!("{base},somebody::r--"), entry("somebody::r--")),
            (&format!("{base},mask:1:r--"), entry("mask:1:r--")),
            (&format!("{base},user:4294967295:r--"), entry("user:4294967295:r--")),
            (&format!("{base},user:max:r--:x"), entry("user:max:r--:x")),
        ];
        for (text, expected) in cases {
            assert_eq!(resolved(text, &accounts), Err(expected), "{text}");
        }
    }
}
