//! Programs run by udev rules.
//!
//! ```text
//! ACTION=="add", SUBSYSTEM=="block", IMPORT{program}="ata_id --export $devnode"
//! KERNEL=="fuse", MODE="0666", GROUP="disk", \
//!   RUN{program}+="/bin/mount -t fusectl fusectl /sys/fs/fuse/connections"
//! ```
//!
//! A program without a directory is one of udev's own. A udev builtin (`RUN{builtin}`,
//! `IMPORT{builtin}`) is not a program. Every rule is assumed to match, since that depends on the
//! devices.

use std::collections::BTreeSet;

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, Target};

/// The directories of rules; a file hides those of the same name in later directories.
pub const DIRECTORIES: [&[u8]; 5] = [
    b"/etc/udev/rules.d",
    b"/run/udev/rules.d",
    b"/usr/local/lib/udev/rules.d",
    b"/usr/lib/udev/rules.d",
    b"/lib/udev/rules.d",
];

/// The directories of programs that are named without one.
const PROGRAMS: [&[u8]; 2] = [b"/usr/lib/udev", b"/lib/udev"];

/// The maximum number of rules that are read from a file.
const MAX_RULES: usize = 100_000;

/// The dependencies of a rules file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The programs that it runs. None is mandatory: a rule for an absent device does not run
    /// anything.
    pub dependencies: Dependencies,
    /// The users that own devices: names, not numbers.
    pub owners: BTreeSet<Vec<u8>>,
    /// The groups that own devices.
    pub groups: BTreeSet<Vec<u8>>,
    /// The units that devices pull in (`ENV{SYSTEMD_WANTS}`).
    pub units: BTreeSet<Vec<u8>>,
}

impl Rules {
    /// Parses a rules file; `path` is used in reasons. Lines that are not rules are skipped, as by
    /// udev.
    #[must_use]
    pub fn parse(path: &[u8], text: &[u8]) -> Self {
        let mut rules = Self::default();
        let mut seen = BTreeSet::new();
        let mut count = 0;
        let mut open: Option<(usize, Vec<u8>)> = None;
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii_start();
            if line.starts_with(b"#") {
                continue;
            }
            let (number, mut whole) = open.take().unwrap_or((index + 1, Vec::new()));
            match line.strip_suffix(b"\\") {
                Some(part) => {
                    whole.extend(part);
                    open = Some((number, whole));
                }
                None => {
                    whole.extend(line);
                    count += 1;
                    if count > MAX_RULES {
                        let path = path.escape_ascii();
                        rules
                            .dependencies
                            .unknown
                            .push(format!("of {path} only the first {MAX_RULES} rules are read"));
                        return rules;
                    }
                    rules.rule(path, number, &whole, &mut seen);
                }
            }
        }
        if let Some((number, whole)) = open {
            rules.rule(path, number, &whole, &mut seen);
        }
        rules
    }

    fn rule(&mut self, path: &[u8], number: usize, line: &[u8], seen: &mut BTreeSet<Vec<u8>>) {
        for token in (Tokens { rest: line }) {
            let is_match = token.operator == b"!=";
            let is_assigned = !is_match && token.operator != b"==";
            match (token.key, token.attribute) {
                (b"PROGRAM", _) | (b"IMPORT", b"program") if !is_match => {
                    self.program(path, number, &token, seen);
                }
                (b"RUN", b"" | b"program") if is_assigned => self.program(path, number, &token, seen),
                (b"OWNER", _) if is_assigned => add_name(&mut self.owners, token.value),
                (b"GROUP", _) if is_assigned => add_name(&mut self.groups, token.value),
                (b"ENV", b"SYSTEMD_WANTS") if is_assigned => {
                    let units = token.value.split(u8::is_ascii_whitespace);
                    let units = units.filter(|unit| !unit.is_empty() && !is_substituted(unit));
                    self.units.extend(units.map(<[u8]>::to_vec));
                }
                _ => {}
            }
        }
    }

    fn program(&mut self, path: &[u8], number: usize, token: &Token<'_>, seen: &mut BTreeSet<Vec<u8>>) {
        let name = first_word(&token.value);
        let place = format!("line {number} of {}", path.escape_ascii());
        let key = token.key.escape_ascii();
        if name.is_empty() || !seen.insert(name.clone()) {
            return;
        }
        if is_substituted(&name) {
            let name = name.escape_ascii();
            self.dependencies
                .unknown
                .push(format!("{key} in {place} runs \"{name}\", which depends on the device"));
            return;
        }
        let target = Target::program(&name, &PROGRAMS);
        self.dependencies.add(target, Kind::Configured, false, format!("is run by {key} in {place}"));
    }
}

/// Adds a user or group, unless it is numeric or depends on the device.
fn add_name(names: &mut BTreeSet<Vec<u8>>, name: Vec<u8>) {
    if !name.is_empty() && !is_substituted(&name) && !name.iter().all(u8::is_ascii_digit) {
        names.insert(name);
    }
}

/// Returns true if udev substitutes device properties; `$$` and `%%` are literal characters, but do
/// not occur in names.
fn is_substituted(text: &[u8]) -> bool {
    text.contains(&b'$') || text.contains(&b'%')
}

/// Returns the program of a command line: a word, or the text in single quotes.
fn first_word(command: &[u8]) -> Vec<u8> {
    let command = command.trim_ascii_start();
    match command.strip_prefix(b"'") {
        Some(quoted) => quoted.split(|byte| *byte == b'\'').next().unwrap_or_default().to_vec(),
        None => command.split(u8::is_ascii_whitespace).next().unwrap_or_default().to_vec(),
    }
}

/// `KEY{ATTRIBUTE}OPERATOR"VALUE"`.
struct Token<'a> {
    key: &'a [u8],
    /// The attribute; empty if there is none.
    attribute: &'a [u8],
    operator: &'a [u8],
    /// The value, without quotes and escapes.
    value: Vec<u8>,
}

/// Iterates over the tokens of a rule, up to the first invalid one.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        let start = self.rest.iter().position(|byte| !is_between(byte))?;
        let rest = &self.rest[start..];
        let key_len = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))?;
        let (key, rest) = rest.split_at(key_len);
        let (attribute, rest) = match rest.strip_prefix(b"{") {
            Some(rest) => {
                let end = rest.iter().position(|byte| *byte == b'}')?;
                (&rest[..end], &rest[end + 1..])
            }
            None => (&b""[..], rest),
        };
        let rest = rest.trim_ascii_start();
        let operators: [&[u8]; 6] = [b"==", b"!=", b"+=", b"-=", b":=", b"="];
        let operator = *operators.iter().find(|operator| rest.starts_with(operator))?;
        let (value, rest) = value(rest[operator.len()..].trim_ascii_start())?;
        self.rest = rest;
        Some(Token { key, attribute, operator, value })
    }
}

/// Parses a value in quotes, and returns it with the text after it. `e"..."` has C escapes, others
/// only an escape for the quote; a prefix `i` is for comparisons.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let prefix = text.iter().position(|byte| *byte == b'"').filter(|len| *len <= 2)?;
    let (prefix, text) = text.split_at(prefix);
    let has_escapes = prefix.contains(&b'e');
    if !prefix.iter().all(|byte| b"ei".contains(byte)) {
        return None;
    }
    let mut value = Vec::new();
    let mut rest = &text[1..];
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((value, after)),
            [b'\\', b'"', after @ ..] => {
                value.push(b'"');
                after
            }
            [b'\\', escaped, after @ ..] if has_escapes => {
                match escaped {
                    b'n' => value.push(b'\n'),
                    b't' => value.push(b'\t'),
                    b's' => value.push(b' '),
                    b'\\' | b'\'' => value.push(*escaped),
                    // Numeric escapes do not occur in the names of programs.
                    other => value.extend([b'\\', *other]),
                }
                after
            }
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, programs: &[&str]) -> Rules {
        let rules = Rules::parse(b"/x.rules", text.as_bytes());
        let path = |dependency: &crate::closure::dependency::Dependency| match &dependency.target {
            Target::File(paths) => paths[0].escape_ascii().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(rules.dependencies.known.iter().map(path).collect::<Vec<_>>(), programs, "{text}");
        rules
    }

    #[test]
    fn programs_of_rules_are_dependencies() {
        check("PROGRAM=\"/bin/a %k\", RESULT==\"x\"", &["/bin/a"]);
        check("PROGRAM==\"b $name\"", &["/usr/lib/udev/b"]);
        check("IMPORT{program}=\"c\" IMPORT{builtin}=\"blkid\" IMPORT{file}=\"/x\"", &["/usr/lib/udev/c"]);
        check(
            "RUN+=\"d\",RUN{program}+=\"e\", RUN{builtin}+=\"kmod load\"",
            &["/usr/lib/udev/d", "/usr/lib/udev/e"],
        );
        check("KERNEL==\"a\\\"b\", RUN = \"'/my programs/f' x\"", &["/my programs/f"]);
        check("RUN=e\"/bin/g\\tx\"", &["/bin/g"]);
        check("ATTR{[dmi/id]x}==i\"y\", RUN+=\"/bin/h\"", &["/bin/h"]);
        check("RUN+=\"/bin/i\"\nRUN+=\"/bin/i\"", &["/bin/i"]);
        check("PROGRAM!=\"/bin/j\"", &[]);
        check("# RUN+=\"/bin/k\"\nRUN+=\"/bin/l\" nonsense RUN+=\"/bin/m\"", &["/bin/l"]);
    }

    #[test]
    fn rules_may_span_several_lines() {
        let text = "  ACTION==\"add\", \\\n# in between\n  RUN+=\"/bin/a\"\nRUN+=\"/bin/b\", \\";
        let rules = check(text, &["/bin/a", "/bin/b"]);
        assert_eq!(rules.dependencies.known[0].reason, "is run by RUN in line 1 of /x.rules");
    }

    #[test]
    fn programs_that_depend_on_the_device_are_reported() {
        let rules = check("RUN+=\"$env{X} a\", PROGRAM=\"/bin/%k\"", &[]);
        assert_eq!(rules.dependencies.unknown.len(), 2);
    }

    #[test]
    fn accounts_and_units_of_rules_are_collected() {
        let text = "GROUP=\"disk\", OWNER:=\"root\", GROUP==\"no\"\nGROUP=\"6\", GROUP=\"$x\"\n\
            ENV{SYSTEMD_WANTS}+=\"a.service b@%k.service\"";
        let rules = check(text, &[]);
        assert_eq!(rules.groups, BTreeSet::from([b"disk".to_vec()]));
        assert_eq!(rules.owners, BTreeSet::from([b"root".to_vec()]));
        assert_eq!(rules.units, BTreeSet::from([b"a.service".to_vec()]));
    }
}
