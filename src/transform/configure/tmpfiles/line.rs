//! The lines of tmpfiles.d(5).

use image_tree::Shown;

use super::super::base64;
use super::super::specifiers::{Specifiers, first_word};
use super::acl::Acls;
use crate::accounts::Accounts;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The letter of its type.
    pub(super) kind: u8,
    pub(super) flags: Flags,
    pub(super) path: Vec<u8>,
    pub(super) mode: Option<Mode>,
    pub(super) uid: Option<Owner>,
    pub(super) gid: Option<Owner>,
    /// The argument, with specifiers and escapes expanded.
    pub(super) argument: Option<Vec<u8>>,
    /// The ACLs of types `a` and `A`.
    pub(super) acls: Acls,
}

/// The characters after the type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// `+`
    pub(super) append: bool,
    /// `=`
    pub(super) replace: bool,
    /// `?`: the link is made if its target exists.
    pub(super) if_target: bool,
}

/// A mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) bits: u16,
    /// `~`: permissions that a file does not have for anybody stay off.
    pub(super) is_masked: bool,
    /// `:`
    pub(super) only_new: bool,
}

/// A user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: u32,
    /// `:`
    pub(super) only_new: bool,
}

/// A line that was read.
pub(super) enum Parsed {
    Line(Box<Line>),
    /// It has no effect when packages are installed.
    NotNow,
}

/// The types whose path is a pattern.
const PATTERNS: &[u8] = b"wexXrRzZtThHaAm";
/// The types of which a path has one.
const CREATE: &[u8] = b"fFdDvqQpLcbCwexXrR";
/// The types that have an effect, and of which the others are known.
const WITH_EFFECT: &[u8] = b"fFwdDvqQepLcbCzZtTaAm";
const KNOWN: &[u8] = b"fFwdDvqQepLcbCzZtTaAmxXrRhH";

impl Line {
    /// Parses a line.
    ///
    /// # Errors
    /// Returns the reason if it is not of the format, or names what is not known.
    pub(super) fn parse(line: &[u8], specifiers: &Specifiers, accounts: &Accounts) -> Result<Parsed, String> {
        let (mut rest, mut fields) = (line, Vec::new());
        while fields.len() < 6 && !rest.is_empty() {
            let (word, after) = first_word(rest)?;
            fields.push(word);
            rest = after.trim_ascii_start();
        }
        let Some((kind, modifiers)) = fields[0].split_first() else {
            return Err("it has no type".to_owned());
        };
        if !KNOWN.contains(kind) {
            return Err(format!("\"{}\" is not a type of tmpfiles.d", Shown(&fields[0])));
        }
        let mut flags = Flags::default();
        let (mut is_base64, mut is_credential) = (false, false);
        for modifier in modifiers {
            match modifier {
                b'!' => return Ok(Parsed::NotNow),
                b'-' | b'$' => {}
                b'+' => flags.append = true,
                b'=' => flags.replace = true,
                b'?' => flags.if_target = true,
                b'~' => is_base64 = true,
                b'^' => is_credential = true,
                _ => return Err(format!("\"{}\" has an unknown modifier", Shown(&fields[0]))),
            }
        }
        let path = match specifiers.expand(fields.get(1).map_or(&b""[..], Vec::as_slice)) {
            // Such a line is for files that a machine with an id has made.
            Err(unknown) if unknown.is_machine_id() => return Ok(Parsed::NotNow),
            path => simplified(&path.map_err(|why| why.to_string())?)?,
        };
        if !WITH_EFFECT.contains(kind) || is_credential {
            return Ok(Parsed::NotNow);
        }
        let field =
            |at: usize| fields.get(at).map(Vec::as_slice).filter(|field| !matches!(*field, b"" | b"-"));
        let expanded = |text: &[u8]| specifiers.expand(text).map_err(|unknown| unknown.to_string());
        let argument = match rest {
            b"" | b"-" => None,
            text if is_base64 => Some(base64::decode(text).ok_or("its argument is not base64")?),
            text if b"CLfFw".contains(kind) => Some(expanded(&unescaped(text))?),
            text => Some(text.to_vec()),
        };
        let mut line = Self {
            kind: *kind,
            flags,
            path,
            mode: field(2).map(mode).transpose()?,
            uid: field(3).map(|user| owner(&expanded(user)?, |name| accounts.uid(name))).transpose()?,
            gid: field(4).map(|group| owner(&expanded(group)?, |name| accounts.gid(name))).transpose()?,
            argument,
            acls: Acls::default(),
        };
        if matches!(kind, b'a' | b'A') {
            line.acls = Acls::parse(line.argument.as_deref().unwrap_or_default(), accounts)?;
        }
        if flags.append && *kind == b'f' {
            line.kind = b'F';
        }
        Ok(Parsed::Line(Box::new(line)))
    }

    /// Returns true for a type whose path is a pattern.
    pub(super) fn is_pattern(&self) -> bool {
        PATTERNS.contains(&self.kind)
    }

    /// Returns true for a type of which a path has one.
    pub(super) fn creates(&self) -> bool {
        CREATE.contains(&self.kind)
    }
}

/// Returns an absolute path without empty components. One with `..` could leave the root.
fn simplified(path: &[u8]) -> Result<Vec<u8>, String> {
    let is_plain = path.starts_with(b"/") && !image_tree::path::components(path).any(|name| name == b"..");
    if !is_plain {
        return Err(format!("\"{}\" is not an absolute path without ..", Shown(path)));
    }
    let names: Vec<&[u8]> = image_tree::path::components(path).filter(|name| *name != b".").collect();
    Ok([&b"/"[..], &names.join(&b'/')].concat())
}

fn mode(text: &[u8]) -> Result<Mode, String> {
    let (mut is_masked, mut only_new, mut digits) = (false, false, text);
    loop {
        match digits {
            [b'~', rest @ ..] => (is_masked, digits) = (true, rest),
            [b':', rest @ ..] => (only_new, digits) = (true, rest),
            _ => break,
        }
    }
    let bits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let bits = bits.and_then(|digits| u16::from_str_radix(digits, 8).ok()).filter(|bits| *bits <= 0o7777);
    let bits = bits.ok_or_else(|| format!("\"{}\" is not a mode", Shown(text)))?;
    Ok(Mode { bits, is_masked, only_new })
}

fn owner(text: &[u8], find: impl Fn(&[u8]) -> Result<u32, String>) -> Result<Owner, String> {
    let name = text.strip_prefix(b":").unwrap_or(text);
    Ok(Owner { id: find(name)?, only_new: name.len() < text.len() })
}

/// Decodes the escapes of C.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            decoded.push(*byte);
            continue;
        }
        let number = |len: usize, digits: &[u8], radix| {
            let digits = str::from_utf8(digits.get(..len)?).ok()?;
            u8::from_str_radix(digits, radix).ok()
        };
        let (byte, len) = match after {
            [b'a', ..] => (7, 1),
            [b'b', ..] => (8, 1),
            [b'f', ..] => (12, 1),
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'v', ..] => (11, 1),
            [b's', ..] => (b' ', 1),
            [b'x', digits @ ..] => match number(2, digits, 16) {
                Some(byte) => (byte, 3),
                None => (b'\\', 0),
            },
            [b'0'..=b'3', ..] => match number(3, after, 8) {
                Some(byte) => (byte, 3),
                None => (b'\\', 0),
            },
            [byte @ (b'\\' | b'"' | b'\''), ..] => (*byte, 1),
            _ => (b'\\', 0),
        };
        decoded.push(byte);
        rest = &after[len..];
    }
    decoded
}
