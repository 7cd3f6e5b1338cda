//! Names of units, and the expansion of specifiers.

use super::search_path::SEARCH_PATH;
use crate::closure::error::Error;

/// The maximum length of a unit name in systemd, in bytes.
const MAX_LEN: usize = 255;

const KINDS: [&[u8]; 11] = [
    b"service",
    b"socket",
    b"target",
    b"device",
    b"mount",
    b"automount",
    b"swap",
    b"timer",
    b"path",
    b"slice",
    b"scope",
];

/// Units that only generators make, and others require: that of nfs-utils.
const GENERATED: [&[u8]; 1] = [b"rpc_pipefs.target"];

/// `PREFIX.KIND`, `PREFIX@.KIND` or `PREFIX@INSTANCE.KIND`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitName {
    name: Vec<u8>,
    /// The position of the `.` before the type.
    dot: usize,
    /// The position of the first `@`.
    at: Option<usize>,
}

/// A text with its specifiers expanded.
pub(super) struct Expanded {
    pub(super) text: Vec<u8>,
    /// True if all of them are known before boot.
    pub(super) is_known: bool,
}

impl UnitName {
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let dot = name.iter().rposition(|byte| *byte == b'.')?;
        let at = name[..dot].iter().position(|byte| *byte == b'@');
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(byte);
        let is_good = name.len() <= MAX_LEN
            && dot > 0
            && at != Some(0)
            && KINDS.contains(&&name[dot + 1..])
            && name.iter().all(is_part);
        is_good.then(|| Self { name: name.to_vec(), dot, at })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn kind(&self) -> &[u8] {
        &self.name[self.dot + 1..]
    }

    /// Returns true if a unit of this name need not be in the tree: systemd makes those for
    /// devices, slices and scopes itself, and generators make mounts, swap space and a few others.
    pub(super) fn may_be_made_at_boot(&self) -> bool {
        matches!(self.kind(), b"device" | b"slice" | b"scope" | b"mount" | b"automount" | b"swap")
            || GENERATED.contains(&&self.name[..])
    }

    fn prefix(&self) -> &[u8] {
        &self.name[..self.at.unwrap_or(self.dot)]
    }

    /// Returns the instance name: `None` if it is not an instance; empty for a template.
    pub(super) fn instance(&self) -> Option<&[u8]> {
        self.at.map(|at| &self.name[at + 1..self.dot])
    }

    /// Returns the name of an instance's template.
    pub(super) fn template(&self) -> Option<Vec<u8>> {
        self.instance().filter(|instance| !instance.is_empty()).map(|_| self.template_of_kind(self.kind()))
    }

    pub(super) fn template_of_kind(&self, kind: &[u8]) -> Vec<u8> {
        [self.prefix(), b"@.", kind].concat()
    }

    pub(super) fn with_kind(&self, kind: &[u8]) -> Vec<u8> {
        [&self.name[..=self.dot], kind].concat()
    }

    /// Returns the unit of this name, with the same instance if it is a template.
    pub(super) fn instance_of(&self, other: &[u8]) -> Option<Self> {
        let other = Self::parse(other)?;
        match (other.instance(), self.instance()) {
            (Some(b""), Some(instance)) if !instance.is_empty() => {
                Self::parse(&[other.prefix(), b"@", instance, b".", other.kind()].concat())
            }
            _ => Some(other),
        }
    }

    /// Returns the names under which drop-ins for this unit are stored, most specific first: its
    /// own, that of its template, those of all dash-separated prefixes, and its type.
    pub(super) fn drop_in_names(&self) -> Vec<Vec<u8>> {
        let mut names = vec![self.name.clone()];
        names.extend(self.template());
        let at: &[u8] = if self.at.is_some() { b"@" } else { b"" };
        let prefix = self.prefix();
        for dash in (0..prefix.len().saturating_sub(1)).rev().filter(|index| prefix[*index] == b'-') {
            names.push([&prefix[..=dash], at, b".", self.kind()].concat());
        }
        names.push(self.kind().to_vec());
        names
    }

    /// Expands the specifiers of a value, as far as they depend on the name alone.
    pub(super) fn expand(&self, value: &[u8]) -> Expanded {
        let mut text = Vec::new();
        let mut is_known = true;
        let mut bytes = value.iter();
        while let Some(byte) = bytes.next() {
            if *byte != b'%' {
                text.push(*byte);
                continue;
            }
            match bytes.next() {
                Some(b'%') => text.push(b'%'),
                Some(b'n') => text.extend(&self.name),
                Some(b'N') => text.extend(&self.name[..self.dot]),
                Some(b'p') => text.extend(self.prefix()),
                Some(b'P') => text.extend(unescaped(self.prefix())),
                Some(b'j') => text.extend(after_last_dash(self.prefix())),
                Some(b'J') => text.extend(unescaped(after_last_dash(self.prefix()))),
                Some(b'i') => text.extend(self.instance().unwrap_or_default()),
                Some(b'I') => text.extend(unescaped(self.instance().unwrap_or_default())),
                Some(b't') => text.extend(b"/run"),
                Some(b'S') => text.extend(b"/var/lib"),
                Some(b'C') => text.extend(b"/var/cache"),
                Some(b'L') => text.extend(b"/var/log"),
                Some(b'E') => text.extend(b"/etc"),
                Some(b'T') => text.extend(b"/tmp"),
                Some(b'V') => text.extend(b"/var/tmp"),
                Some(b'h') => text.extend(b"/root"),
                Some(b'u' | b'g') => text.extend(b"root"),
                Some(b'U' | b'G') => text.extend(b"0"),
                Some(b's') => text.extend(b"/bin/sh"),
                other => {
                    is_known = false;
                    text.push(b'%');
                    text.extend(other);
                }
            }
        }
        Expanded { text, is_known }
    }
}

/// Returns the names of the mount units on the way to a path, except that of the root directory.
pub(super) fn mounts_for(path: &[u8]) -> Vec<Vec<u8>> {
    let mut name = Vec::new();
    let mut names = Vec::new();
    for component in image_tree::path::components(path).take(MAX_LEN) {
        if !name.is_empty() {
            name.push(b'-');
        }
        for (index, byte) in component.iter().enumerate() {
            let is_plain = byte.is_ascii_alphanumeric() || b":_.".contains(byte);
            if is_plain && !(*byte == b'.' && index == 0 && name.is_empty()) {
                name.push(*byte);
            } else {
                name.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
            }
        }
        names.push([&name[..], b".mount"].concat());
    }
    names
}

fn after_last_dash(prefix: &[u8]) -> &[u8] {
    let dash = prefix.iter().rposition(|byte| *byte == b'-');
    &prefix[dash.map_or(0, |dash| dash + 1)..]
}

/// Reverses the escaping of a unit name: dashes are slashes, and `\xNN` is a byte.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = name;
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'-', _) => text.push(b'/'),
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                match (digit(*high), digit(*low)) {
                    (Some(high), Some(low)) => {
                        text.push(high << 4 | low);
                        rest = after;
                    }
                    _ => text.push(b'\\'),
                }
            }
            (byte, _) => text.push(*byte),
        }
    }
    text
}

pub(super) fn not_a_unit(name: &[u8]) -> Error {
    Error::NotAUnit(name.to_vec())
}

pub(super) fn not_in_tree(name: &[u8]) -> Error {
    let directories = SEARCH_PATH.map(|path| path.escape_ascii().to_string()).join(", ");
    Error::UnitNotFound { name: name.to_vec(), directories }
}
