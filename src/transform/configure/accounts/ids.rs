//! The numbers in use, and the search for one that is free.

use std::collections::{BTreeMap, BTreeSet};

use super::super::site::Site;
use super::database::Databases;
use crate::accounts::parse_id;
use crate::error::Result;

/// `SYSTEM_UID_MAX` and the lower end of the range that systemd uses by default.
const DEFAULT_RANGE: (u32, u32) = (1, 999);

/// The accounts by name and number.
#[derive(Debug)]
pub(super) struct Ids {
    /// User and login group.
    pub(super) users: BTreeMap<Vec<u8>, (u32, u32)>,
    pub(super) groups: BTreeMap<Vec<u8>, u32>,
    uids: BTreeMap<u32, Vec<u8>>,
    gids: BTreeMap<u32, Vec<u8>>,
    /// Numbers that only the accounts that ask for them get.
    reserved: BTreeSet<u32>,
    /// Ascending.
    ranges: Vec<(u32, u32)>,
    /// The number after the next one to try, in descending order.
    next: u32,
}

impl Ids {
    /// Returns the accounts of databases.
    ///
    /// # Errors
    /// If login.defs cannot be read.
    pub(super) fn new(
        site: &Site<'_>,
        databases: &Databases,
        ranges: &[(u32, u32)],
        reserved: BTreeSet<u32>,
    ) -> Result<Self> {
        let mut ranges = ranges.to_vec();
        if ranges.is_empty() {
            ranges.push(default_range(site)?);
        }
        ranges.sort_unstable();
        let mut ids = Self {
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            uids: BTreeMap::new(),
            gids: BTreeMap::new(),
            reserved,
            ranges,
            next: u32::MAX,
        };
        for fields in databases.passwd.lines() {
            if let [name, _, uid, gid, ..] = fields[..]
                && let (Some(uid), Some(gid)) = (parse_id(uid), parse_id(gid))
            {
                ids.add_user(name, uid, gid);
            }
        }
        for fields in databases.group.lines() {
            if let [name, _, gid, ..] = fields[..]
                && let Some(gid) = parse_id(gid)
            {
                ids.add_group(name, gid);
            }
        }
        Ok(ids)
    }

    pub(super) fn add_user(&mut self, name: &[u8], uid: u32, gid: u32) {
        self.users.entry(name.to_vec()).or_insert((uid, gid));
        self.uids.entry(uid).or_insert_with(|| name.to_vec());
    }

    pub(super) fn add_group(&mut self, name: &[u8], gid: u32) {
        self.groups.entry(name.to_vec()).or_insert(gid);
        self.gids.entry(gid).or_insert_with(|| name.to_vec());
    }

    /// Returns true if a user may get a number; not that of a group of another name, unless
    /// `any_group`.
    pub(super) fn is_free_uid(&self, uid: u32, name: &[u8], any_group: bool) -> bool {
        !self.uids.contains_key(&uid) && (any_group || self.gids.get(&uid).is_none_or(|group| group == name))
    }

    /// Returns true if a group may get a number; not that of a user of another name, unless
    /// `any_user`.
    pub(super) fn is_free_gid(&self, gid: u32, name: &[u8], any_user: bool) -> bool {
        !self.gids.contains_key(&gid) && (any_user || self.uids.get(&gid).is_none_or(|user| user == name))
    }

    /// Returns the name of the account with a number, for messages.
    pub(super) fn holder(&self, id: u32) -> &[u8] {
        self.uids.get(&id).or(self.gids.get(&id)).map_or(b"?", Vec::as_slice)
    }

    pub(super) fn has_gid(&self, gid: u32) -> bool {
        self.gids.contains_key(&gid)
    }

    pub(super) fn is_in_range(&self, id: u32) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&id))
    }

    /// Returns the highest number that neither a user nor a group has, or asks for; `None` if there
    /// is none.
    pub(super) fn take_free(&mut self) -> Option<u32> {
        loop {
            let below = self.next.checked_sub(1)?;
            let fitting = self.ranges.iter().rev().filter(|(low, _)| *low <= below);
            self.next = fitting.map(|(_, high)| below.min(*high)).max()?;
            let id = self.next;
            let is_used =
                self.uids.contains_key(&id) || self.gids.contains_key(&id) || self.reserved.contains(&id);
            if !is_used && id != 65535 {
                return Some(id);
            }
        }
    }

    /// The ranges as text, for messages.
    pub(super) fn shown_ranges(&self) -> String {
        let ranges: Vec<String> = self.ranges.iter().map(|(low, high)| format!("{low}-{high}")).collect();
        ranges.join(", ")
    }
}

/// Returns the range of systemd, as far as login.defs(5) of the tree allows it.
fn default_range(site: &Site<'_>) -> Result<(u32, u32)> {
    let text = site.text(b"/etc/login.defs")?.unwrap_or_default();
    let (mut low, mut high) = DEFAULT_RANGE;
    for line in text.split(|byte| *byte == b'\n') {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (Some(key), Some(value)) = (words.next(), words.next().and_then(parse_id)) else { continue };
        match key {
            b"SYS_UID_MIN" => low = value,
            b"SYS_UID_MAX" | b"SYS_GID_MAX" => high = high.min(value),
            _ => {}
        }
    }
    Ok(if low < high { (low, high) } else { DEFAULT_RANGE })
}
