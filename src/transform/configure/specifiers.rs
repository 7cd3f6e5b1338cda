//! The specifiers of sysusers.d and tmpfiles.d, and the splitting of their lines into words.

use thiserror::Error;

use super::site::Site;
use crate::error::Result;

/// The error for a specifier that has no value in a tree.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("%{} is a property of the machine that runs the tree, which is not known", char::from(*.0))]
pub(super) struct Unknown(u8);

impl Unknown {
    /// Returns true for the id of the machine.
    pub(super) fn is_machine_id(self) -> bool {
        self.0 == b'm'
    }
}

/// The values of specifiers that a tree has.
pub(super) struct Specifiers {
    /// The lines of os-release.
    release: Vec<(Vec<u8>, Vec<u8>)>,
    /// The contents of `/etc/machine-id`, if it is an id.
    machine_id: Option<Vec<u8>>,
    /// True if those of users and directories have a value, too.
    with_paths: bool,
}

impl Specifiers {
    /// Reads the files of the tree that give values.
    ///
    /// # Errors
    /// If one cannot be read.
    pub(super) fn of(site: &Site<'_>, with_paths: bool) -> Result<Self> {
        let mut text = None;
        for path in [&b"/etc/os-release"[..], b"/usr/lib/os-release"] {
            text = text.or(site.text(path)?);
        }
        let text = text.unwrap_or_default();
        let pairs = text.split(|byte| *byte == b'\n').filter_map(|line| {
            let line = line.trim_ascii();
            let equals = line.iter().position(|byte| *byte == b'=')?;
            (line[0] != b'#').then(|| (line[..equals].to_vec(), line[equals + 1..].trim_ascii()))
        });
        let release = pairs.map(|(key, value)| (key, words(value).ok().unwrap_or_default().concat()));
        let release = release.collect();
        let id = site.text(b"/etc/machine-id")?.map(|text| text.trim_ascii().to_vec());
        let is_id = |id: &Vec<u8>| id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit);
        Ok(Self { release, machine_id: id.filter(is_id), with_paths })
    }

    /// Expands the specifiers of a text.
    ///
    /// # Errors
    /// If one has no value in a tree.
    pub(super) fn expand(&self, text: &[u8]) -> Result<Vec<u8>, Unknown> {
        let mut expanded = Vec::new();
        let mut bytes = text.iter();
        while let Some(byte) = bytes.next() {
            if *byte != b'%' {
                expanded.push(*byte);
                continue;
            }
            let Some(letter) = bytes.next() else {
                expanded.push(b'%');
                break;
            };
            match self.value(*letter)? {
                Some(value) => expanded.extend(value),
                None => expanded.extend([b'%', *letter]),
            }
        }
        Ok(expanded)
    }

    /// Returns the value of a specifier; `None` if there is no such specifier.
    fn value(&self, letter: u8) -> Result<Option<Vec<u8>>, Unknown> {
        let release = |key: &str| {
            let found = self.release.iter().rev().find(|(name, _)| name == key.as_bytes());
            Ok(Some(found.map(|(_, value)| value.clone()).unwrap_or_default()))
        };
        let literal = |text: &str| Ok(Some(text.as_bytes().to_vec()));
        match letter {
            b'%' => literal("%"),
            b'T' => literal("/tmp"),
            b'V' => literal("/var/tmp"),
            b'A' => release("IMAGE_VERSION"),
            b'B' => release("BUILD_ID"),
            b'M' => release("IMAGE_ID"),
            b'o' => release("ID"),
            b'w' => release("VERSION_ID"),
            b'W' => release("VARIANT_ID"),
            b'm' => match &self.machine_id {
                Some(id) => Ok(Some(id.clone())),
                None => Err(Unknown(letter)),
            },
            b'a' | b'b' | b'H' | b'l' | b'q' | b'v' => Err(Unknown(letter)),
            b'g' | b'u' if self.with_paths => literal("root"),
            b'G' | b'U' if self.with_paths => literal("0"),
            b'h' if self.with_paths => literal("/root"),
            b'C' if self.with_paths => literal("/var/cache"),
            b'L' if self.with_paths => literal("/var/log"),
            b'S' if self.with_paths => literal("/var/lib"),
            b't' if self.with_paths => literal("/run"),
            _ => Ok(None),
        }
    }
}

/// Splits a line into words, with quotes and backslashes as in a shell.
///
/// # Errors
/// Returns the reason if a quote is not closed or a backslash is last.
pub(super) fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let (word, after) = first_word(rest)?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Ok(words)
}

/// Returns the first word of a line without leading spaces, and the rest of it.
///
/// # Errors
/// Returns the reason if a quote is not closed or a backslash is last.
pub(super) fn first_word(line: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let (mut word, mut quote) = (Vec::new(), None);
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        match (*byte, quote) {
            (byte, Some(open)) if byte == open => quote = None,
            (byte @ (b'"' | b'\''), None) => quote = Some(byte),
            (b'\\', _) => {
                let [escaped, after @ ..] = after else { return Err("a backslash is last".to_owned()) };
                word.push(*escaped);
                rest = after;
                continue;
            }
            (byte, None) if byte.is_ascii_whitespace() => return Ok((word, after)),
            (byte, _) => word.push(byte),
        }
        rest = after;
    }
    match quote {
        None => Ok((word, b"")),
        Some(_) => Err("a quote is not closed".to_owned()),
    }
}
