//! ACLs as text, acl(5), and their combination with those of a file.

use image_tree::Shown;
use image_tree::acl::{Acl, Entry, Tag};

use crate::accounts::Accounts;

/// The lists of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Acls {
    pub(super) access: Option<Entries>,
    pub(super) default: Option<Entries>,
}

/// Entries of a list, which may lack some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries(Vec<Entry>);

impl Acls {
    /// Parses entries with commas between them; those of the default list begin with `d:`.
    ///
    /// # Errors
    /// Returns the reason if one is not of the form, or names nobody.
    pub(super) fn parse(text: &[u8], accounts: &Accounts) -> Result<Self, String> {
        let mut acls = Self::default();
        for entry in text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let of_default = entry.strip_prefix(b"default:").or(entry.strip_prefix(b"d:"));
            let list = if of_default.is_some() { &mut acls.default } else { &mut acls.access };
            list.get_or_insert_default().0.push(parse_entry(of_default.unwrap_or(entry), accounts)?);
        }
        Ok(acls)
    }
}

fn parse_entry(text: &[u8], accounts: &Accounts) -> Result<Entry, String> {
    let refuse = || format!("\"{}\" is not an entry of an ACL", Shown(text));
    let fields: Vec<&[u8]> = text.split(|byte| *byte == b':').map(<[u8]>::trim_ascii).collect();
    let (tag, name, permissions) = match fields[..] {
        [tag, name, permissions] => (tag, name, permissions),
        [tag @ (b"o" | b"other" | b"m" | b"mask"), permissions] => (tag, &b""[..], permissions),
        _ => return Err(refuse()),
    };
    let (tag, id) = match (tag, name) {
        (b"u" | b"user", b"") => (Tag::ACL_USER_OBJ, u32::MAX),
        (b"u" | b"user", name) => (Tag::ACL_USER, accounts.uid(name)?),
        (b"g" | b"group", b"") => (Tag::ACL_GROUP_OBJ, u32::MAX),
        (b"g" | b"group", name) => (Tag::ACL_GROUP, accounts.gid(name)?),
        (b"m" | b"mask", b"") => (Tag::ACL_MASK, u32::MAX),
        (b"o" | b"other", b"") => (Tag::ACL_OTHER, u32::MAX),
        _ => return Err(refuse()),
    };
    let mut bits = 0;
    for letter in permissions {
        bits |= match letter {
            b'r' => 4,
            b'w' => 2,
            b'x' => 1,
            b'-' => 0,
            _ => return Err(refuse()),
        };
    }
    Ok(Entry { tag, permissions: bits, id })
}

/// Returns the entries that are equivalent to a mode.
pub(super) fn of_mode(mode: u16) -> [Entry; 3] {
    [(Tag::ACL_USER_OBJ, 6), (Tag::ACL_GROUP_OBJ, 3), (Tag::ACL_OTHER, 0)].map(|(tag, shift)| Entry {
        tag,
        permissions: mode >> shift & 7,
        id: u32::MAX,
    })
}

impl Entries {
    /// Returns the list of a file with these entries, which are added to its `current` ones.
    /// Entries that a list must have come from the mode of the file, and a mask from the entries
    /// before. `None` if the result is not a list.
    pub(super) fn over(&self, current: &[Entry], mode: u16) -> Option<Acl> {
        let mut all: Vec<Entry> = current.to_vec();
        for entry in &self.0 {
            match all.iter_mut().find(|other| (other.tag, other.id) == (entry.tag, entry.id)) {
                Some(other) => other.permissions = entry.permissions,
                None => all.push(*entry),
            }
        }
        let has = |all: &[Entry], tag| all.iter().any(|entry| entry.tag == tag);
        let mask = |all: &[Entry]| {
            let of_group_class = [Tag::ACL_USER, Tag::ACL_GROUP_OBJ, Tag::ACL_GROUP];
            let entries = all.iter().filter(|entry| of_group_class.contains(&entry.tag));
            entries.fold(0, |bits, entry| bits | entry.permissions)
        };
        let is_extended = has(&all, Tag::ACL_USER) || has(&all, Tag::ACL_GROUP);
        if is_extended && !has(&all, Tag::ACL_MASK) {
            // Without the owning group of the file, which is added later.
            all.push(Entry { tag: Tag::ACL_MASK, permissions: mask(&all), id: u32::MAX });
        }
        for entry in of_mode(mode) {
            if !has(&all, entry.tag) {
                all.push(entry);
            }
        }
        all.sort_by_key(|entry| (entry.tag.0, entry.id));
        Acl::new(all).ok()
    }
}
