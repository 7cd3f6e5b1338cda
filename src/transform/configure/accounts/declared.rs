//! The lines of sysusers.d(5).

use std::collections::{BTreeMap, BTreeSet};

use image_tree::Shown;

use super::super::site::Site;
use super::super::specifiers::{Specifiers, words};
use crate::error::Result;

/// The directory of the files.
const DIRECTORY: &str = "sysusers.d";
/// The longest name, in bytes.
const MAX_NAME: usize = 31;

/// The number that a line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any.
    #[default]
    Any,
    /// This one.
    Number(u32),
    /// That of the owner of a file.
    OwnerOf(Vec<u8>),
}

/// The login group that a line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum LoginGroup {
    /// One of the name of the user.
    #[default]
    Own,
    /// One that exists, by number.
    Number(u32),
    /// One by name.
    Named(Vec<u8>),
}

/// A user or a group that lines ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: Vec<u8>,
    pub(super) wanted: Wanted,
    pub(super) group: LoginGroup,
    pub(super) comment: Vec<u8>,
    pub(super) home: Vec<u8>,
    pub(super) shell: Vec<u8>,
    pub(super) is_expired: bool,
    /// The file and line, for messages.
    pub(super) place: String,
}

/// All that the files of a tree ask for, in the order of their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) users: Vec<Item>,
    pub(super) groups: Vec<Item>,
    /// Groups with their members, in the order of the first line for each.
    pub(super) members: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    pub(super) ranges: Vec<(u32, u32)>,
    names: [BTreeMap<Vec<u8>, usize>; 2],
    /// The positions of groups in `members`.
    places: BTreeMap<Vec<u8>, usize>,
}

/// The kind of an item, which indexes `names`.
const USER: usize = 0;
const GROUP: usize = 1;

impl Declared {
    /// Reads the files. Lines that are not of the format are reported.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn read(site: &mut Site<'_>) -> Result<Self> {
        let mut declared = Self::default();
        let specifiers = Specifiers::of(site, false)?;
        for path in site.configuration(DIRECTORY, ".conf") {
            let Some(text) = site.text(&path)? else { continue };
            for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
                let line = line.trim_ascii();
                if matches!(line.first(), None | Some(b'#')) {
                    continue;
                }
                let place = format!("{}:{}", Shown(&path), number + 1);
                if let Err(why) = declared.add_line(line, &specifiers, &place) {
                    site.problem(format!("{place}: {why}"));
                }
            }
        }
        declared.add_implied();
        Ok(declared)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.members.is_empty()
    }

    fn add_line(&mut self, line: &[u8], specifiers: &Specifiers, place: &str) -> Result<(), String> {
        let fields = words(line)?;
        if fields.len() > 6 {
            return Err("a line has at most 6 fields".to_owned());
        }
        let field = |at: usize| -> Result<Vec<u8>, String> {
            let text = fields.get(at).filter(|field| !matches!(&field[..], b"" | b"-"));
            text.map_or(Ok(Vec::new()), |text| specifiers.expand(text).map_err(|unknown| unknown.to_string()))
        };
        let [name, id, comment, home, shell] = [field(1)?, field(2)?, field(3)?, field(4)?, field(5)?];
        let place = place.to_owned();
        match &fields[0][..] {
            b"u" | b"u!" => {
                check_name(&name)?;
                check_text(&comment)?;
                check_path(&home)?;
                check_path(&shell)?;
                let (wanted, group) = user_id(&id)?;
                let is_expired = fields[0].ends_with(b"!");
                self.add(USER, Item { name, wanted, group, comment, home, shell, is_expired, place })
            }
            b"g" => {
                check_name(&name)?;
                no_more(&[&comment, &home, &shell])?;
                self.add(GROUP, Item { name, wanted: wanted(&id)?, place, ..Item::default() })
            }
            b"m" => {
                check_name(&name)?;
                check_name(&id)?;
                no_more(&[&comment, &home, &shell])?;
                let at = self.places.get(&id).copied().unwrap_or(self.members.len());
                if at == self.members.len() {
                    self.places.insert(id.clone(), at);
                    self.members.push((id, Vec::new()));
                }
                let members = &mut self.members[at].1;
                if !members.contains(&name) {
                    members.push(name);
                }
                Ok(())
            }
            b"r" => {
                no_more(&[&name, &comment, &home, &shell])?;
                self.ranges.push(range(&id)?);
                Ok(())
            }
            other => Err(format!("\"{}\" is not a type of sysusers.d", Shown(other))),
        }
    }

    /// Adds an item, unless there is one of its name, which has to ask for the same.
    fn add(&mut self, kind: usize, item: Item) -> Result<(), String> {
        let items = if kind == USER { &mut self.users } else { &mut self.groups };
        if let Some(before) = self.names[kind].get(&item.name).map(|at| &items[*at]) {
            let same = Item { place: item.place.clone(), ..before.clone() };
            return if same == item {
                Ok(())
            } else {
                let (name, place) = (Shown(&item.name), &before.place);
                Err(format!("{name} is declared in another way in {place}, which counts"))
            };
        }
        self.names[kind].insert(item.name.clone(), items.len());
        items.push(item);
        Ok(())
    }

    /// Adds users and groups that only `m` lines name.
    fn add_implied(&mut self) {
        let members = self.members.clone();
        for (group, users) in &members {
            for user in users {
                if !self.names[USER].contains_key(user) {
                    let item =
                        Item { name: user.clone(), place: "a line of type m".to_owned(), ..Item::default() };
                    let added = self.add(USER, item);
                    debug_assert!(added.is_ok(), "there is none of its name");
                }
            }
            if !self.names.iter().any(|names| names.contains_key(group)) {
                let item =
                    Item { name: group.clone(), place: "a line of type m".to_owned(), ..Item::default() };
                let added = self.add(GROUP, item);
                debug_assert!(added.is_ok(), "there is none of its name");
            }
        }
    }

    /// The numbers that lines ask for, which others do not get.
    pub(super) fn reserved(&self) -> BTreeSet<u32> {
        let number = |item: &Item| match item.wanted {
            Wanted::Number(number) => Some(number),
            Wanted::Any | Wanted::OwnerOf(_) => None,
        };
        self.users.iter().chain(&self.groups).filter_map(number).collect()
    }

    /// Returns the position of a group that lines ask for.
    pub(super) fn group(&self, name: &[u8]) -> Option<usize> {
        self.names[GROUP].get(name).copied()
    }
}

/// Parses the id of a user: `UID`, `UID:GID`, `UID:GROUP`, `-:GROUP` or a path.
fn user_id(id: &[u8]) -> Result<(Wanted, LoginGroup), String> {
    if id.starts_with(b"/") {
        return Ok((wanted(id)?, LoginGroup::Own));
    }
    let Some(colon) = id.iter().position(|byte| *byte == b':') else {
        return Ok((wanted(id)?, LoginGroup::Own));
    };
    let (user, group) = (&id[..colon], &id[colon + 1..]);
    let user = if user == b"-" { Wanted::Any } else { Wanted::Number(number(user)?) };
    match number(group) {
        Ok(gid) => Ok((user, LoginGroup::Number(gid))),
        Err(_) => {
            check_name(group)?;
            Ok((user, LoginGroup::Named(group.to_vec())))
        }
    }
}

fn wanted(id: &[u8]) -> Result<Wanted, String> {
    match id {
        b"" => Ok(Wanted::Any),
        [b'/', ..] => Ok(Wanted::OwnerOf(id.to_vec())),
        _ => number(id).map(Wanted::Number),
    }
}

/// Parses a number of a user or group: decimal without leading zeros, and neither of the two that
/// stand for none.
fn number(digits: &[u8]) -> Result<u32, String> {
    let is_plain = !digits.is_empty() && (digits == b"0" || digits[0] != b'0');
    let number = crate::accounts::parse_id(digits).filter(|number| is_plain && *number != 65535);
    number.ok_or_else(|| format!("\"{}\" is not the number of a user or group", Shown(digits)))
}

fn range(text: &[u8]) -> Result<(u32, u32), String> {
    let (low, high) = match text.iter().position(|byte| *byte == b'-') {
        Some(dash) => (number(&text[..dash])?, number(&text[dash + 1..])?),
        None => (number(text)?, number(text)?),
    };
    if low > high {
        return Err(format!("the range {low}-{high} is empty"));
    }
    Ok((low, high))
}

fn check_name(name: &[u8]) -> Result<(), String> {
    let is_start = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.first().is_some_and(is_start) && name.iter().all(is_part) && name.len() <= MAX_NAME {
        return Ok(());
    }
    let name = Shown(name);
    Err(format!(
        "\"{name}\" is not a name: a letter or _, then letters, digits, _ and -, at most {MAX_NAME} bytes"
    ))
}

fn check_text(text: &[u8]) -> Result<(), String> {
    let is_good =
        str::from_utf8(text).is_ok_and(|text| !text.chars().any(|char| char.is_control() || char == ':'));
    if is_good { Ok(()) } else { Err(format!("\"{}\" cannot be a field of passwd(5)", Shown(text))) }
}

fn check_path(path: &[u8]) -> Result<(), String> {
    check_text(path)?;
    let is_plain = path.is_empty()
        || path.starts_with(b"/")
            && !image_tree::path::components(path).any(|name| matches!(name, b"." | b".."))
            && !path.windows(2).any(|pair| pair == b"//");
    if is_plain { Ok(()) } else { Err(format!("\"{}\" is not an absolute path", Shown(path))) }
}

fn no_more(fields: &[&[u8]]) -> Result<(), String> {
    match fields.iter().find(|field| !field.is_empty()) {
        None => Ok(()),
        Some(field) => Err(format!("\"{}\" is a field that its type does not have", Shown(field))),
    }
}
