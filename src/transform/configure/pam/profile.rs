//! The profiles of pam-auth-update(8).

use std::collections::{BTreeMap, BTreeSet};

/// Modules that are gone: a profile with one is left out.
const GONE: &[u8] = b"pam_tally";

/// The block of a service that a profile is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Primary,
    Additional,
}

/// A profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    pub(super) name: Vec<u8>,
    priority: i64,
    pub(super) is_default: bool,
    pub(super) conflicts: BTreeSet<Vec<u8>>,
    fields: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Profile {
    /// Parses a profile; `None` if it is of a module that is gone.
    pub(super) fn parse(name: Vec<u8>, text: &[u8]) -> Option<Self> {
        let mut profile = Self { name, ..Self::default() };
        let mut field: Vec<u8> = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let key =
                line.iter().position(|byte| *byte == b':').map(|colon| (&line[..colon], &line[colon + 1..]));
            let key = key.filter(|(key, value)| {
                !key.is_empty()
                    && !key.iter().any(u8::is_ascii_whitespace)
                    && value.first().is_none_or(u8::is_ascii_whitespace)
            });
            if let Some((key, value)) = key {
                field = key.strip_suffix(b"-Final").unwrap_or(key).to_vec();
                let value = value.trim_ascii();
                if field == b"Conflicts" {
                    profile.conflicts.extend(split(value, b", ").map(<[u8]>::to_vec));
                } else {
                    profile.fields.insert(field.clone(), value.to_vec());
                }
            } else if !line.trim_ascii().is_empty() {
                let value = profile.fields.entry(field.clone()).or_default();
                if !value.is_empty() {
                    value.push(b'\n');
                }
                value.extend(line.trim_ascii());
                if value.windows(GONE.len()).any(|part| part == GONE) {
                    return None;
                }
            }
        }
        let number =
            profile.fields.get(&b"Priority"[..]).and_then(|text| str::from_utf8(text).ok()?.parse().ok());
        profile.priority = number.unwrap_or(0);
        profile.is_default = profile.fields.get(&b"Default"[..]).is_some_and(|text| text == b"yes");
        Some(profile)
    }

    /// The key by which profiles are sorted, the highest first.
    pub(super) fn order(&self) -> (i64, &[u8]) {
        (self.priority, &self.name)
    }

    /// Returns the value of a field of a type, such as `-Type` of `auth`.
    fn field(&self, kind: &str, suffix: &str) -> Option<&Vec<u8>> {
        let only_interactive = self.fields.contains_key(&b"Session-Interactive-Only"[..]);
        let kind = match kind {
            "auth" => "Auth",
            "account" => "Account",
            "password" => "Password",
            "session-noninteractive" if only_interactive => return None,
            _ => "Session",
        };
        self.fields.get(format!("{kind}{suffix}").as_bytes())
    }

    /// Returns the block of a type that it is a part of.
    pub(super) fn block(&self, kind: &str) -> Option<Block> {
        match self.field(kind, "-Type").map(Vec::as_slice) {
            Some(b"Primary") => Some(Block::Primary),
            Some(b"Additional") => Some(Block::Additional),
            _ => None,
        }
    }

    /// Returns its lines of a type, those for the first profile of a block if `is_first`.
    pub(super) fn lines(&self, kind: &str, is_first: bool) -> Vec<Vec<u8>> {
        let initial = self.field(kind, "-Initial").filter(|text| is_first && !text.is_empty());
        let text = initial.or(self.field(kind, "")).map(Vec::as_slice).unwrap_or_default();
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    }
}

fn split<'t>(text: &'t [u8], separator: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let at = text.windows(separator.len()).position(|part| part == separator);
        rest = at.map(|at| &text[at + separator.len()..]);
        Some(at.map_or(text, |at| &text[..at]))
    })
}

/// Returns a line with the length of its jump and one space between options. `end` jumps over the
/// `left` lines that follow in its block.
pub(super) fn merged(line: &[u8], left: usize) -> Vec<u8> {
    let control = match line {
        [b'[', ..] => line.iter().position(|byte| *byte == b']').map_or(line.len(), |end| end + 1),
        _ => line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()),
    };
    let module = line[control..]
        .iter()
        .position(|byte| !byte.is_ascii_whitespace())
        .map_or(line.len(), |at| control + at);
    let end = line[module..].iter().position(u8::is_ascii_whitespace).map_or(line.len(), |at| module + at);
    let mut text = Vec::new();
    let mut rest = &line[..end];
    while let Some(at) = rest.windows(3).position(|part| part == b"end") {
        text.extend([&rest[..at], left.to_string().as_bytes()].concat());
        rest = &rest[at + 3..];
    }
    text.extend([rest, b" "].concat());
    let options = line[end..].split(u8::is_ascii_whitespace).filter(|option| !option.is_empty());
    text.extend(options.collect::<Vec<_>>().join(&b' '));
    text.push(b'\n');
    text
}
