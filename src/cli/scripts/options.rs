//! The options of a script, as the shell's `getopts` reads them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use crate::shown;

/// The options in their order, and the operands.
pub(super) struct Parsed {
    pub(super) options: Vec<(char, OsString)>,
    pub(super) operands: Vec<OsString>,
}

/// Parses options of one letter; a colon behind a letter of `known` means that it has a value.
pub(super) fn parse(known: &str, arguments: &[OsString]) -> Result<Parsed, String> {
    let mut parsed = Parsed { options: Vec::new(), operands: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        if bytes == b"--" {
            break;
        }
        let [b'-', letters @ ..] = bytes else {
            parsed.operands.push(argument.clone());
            break;
        };
        if letters.is_empty() {
            parsed.operands.push(argument.clone());
            break;
        }
        let mut letters = letters;
        while let [letter, after @ ..] = letters {
            let letter = char::from(*letter);
            let at = known.find(letter).filter(|_| letter != ':');
            let at = at.ok_or_else(|| {
                format!("Found an invalid option: -{}", shown::name(OsStr::new(&letter.to_string())))
            })?;
            if known.get(at + 1..).is_some_and(|next| next.starts_with(':')) {
                let value = if after.is_empty() {
                    rest.next().cloned()
                } else {
                    Some(OsString::from_vec(after.to_vec()))
                };
                let value = value.ok_or_else(|| format!("-{letter} needs a value"))?;
                parsed.options.push((letter, value));
                break;
            }
            parsed.options.push((letter, OsString::new()));
            letters = after;
        }
    }
    parsed.operands.extend(rest.cloned());
    Ok(parsed)
}
