//! Command lines of units.

use super::name::UnitName;
use super::settings::Settings;
use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, PATH, Target};

/// The keys in each section that start programs.
const COMMANDS: [(&str, &[&str]); 4] = [
    (
        "Service",
        &[
            "ExecCondition",
            "ExecStartPre",
            "ExecStart",
            "ExecStartPost",
            "ExecReload",
            "ExecReloadPost",
            "ExecStop",
            "ExecStopPost",
        ],
    ),
    ("Socket", &["ExecStartPre", "ExecStartPost", "ExecStopPre", "ExecStopPost"]),
    ("Mount", &[]),
    ("Swap", &[]),
];

/// The programs that systemd itself runs for units of a type.
const OF_KIND: [(&[u8], &[&[u8]]); 2] =
    [(b"mount", &[b"mount", b"umount"]), (b"swap", &[b"swapon", b"swapoff"])];

/// The maximum number of words of a command line that are examined.
const MAX_WORDS: usize = 10_000;

/// Adds the programs that a unit starts.
pub(super) fn add_programs(dependencies: &mut Dependencies, name: &UnitName, settings: &Settings) {
    let unit = name.as_bytes().escape_ascii();
    for (section, keys) in COMMANDS {
        for key in keys {
            for value in settings.values(section, key) {
                let search = search_path(settings, section);
                let search: Vec<&[u8]> = search.iter().map(|path| &path[..]).collect();
                for command in commands(value) {
                    let path = name.expand(&command.program);
                    let shown = command.program.escape_ascii();
                    if !path.is_known {
                        dependencies.unknown.push(format!(
                            "{key}= of {unit} starts \"{shown}\", of which a part is known only at run time"
                        ));
                        continue;
                    }
                    let required = !command.may_fail;
                    let target = Target::program(&path.text, &search);
                    dependencies.add(
                        target,
                        Kind::Configured,
                        required,
                        format!("is started by {key}= of {unit}"),
                    );
                    if command.is_for_shell {
                        let reason = format!("is the shell of {key}= of {unit}");
                        dependencies.add(
                            Target::program(b"/bin/sh", &[]),
                            Kind::Configured,
                            required,
                            reason,
                        );
                    }
                }
            }
        }
    }
    for (_, programs) in OF_KIND.iter().filter(|(kind, _)| *kind == name.kind()) {
        for program in *programs {
            let target = Target::program(program, &[b"/usr/bin", b"/bin", b"/usr/sbin", b"/sbin"]);
            dependencies.add(target, Kind::Configured, true, format!("is run by systemd for {unit}"));
        }
    }
}

fn search_path(settings: &Settings, section: &str) -> Vec<Vec<u8>> {
    let stated = settings.values(section, "ExecSearchPath");
    let stated = stated.iter().flat_map(|value| value.split(|byte| *byte == b':'));
    let stated: Vec<Vec<u8>> = stated.filter(|path| path.starts_with(b"/")).map(<[u8]>::to_vec).collect();
    if stated.is_empty() { PATH.iter().map(|path| path.to_vec()).collect() } else { stated }
}

/// One program that a command line starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// The program as written, without quotes; specifiers are not expanded.
    pub(super) program: Vec<u8>,
    /// The prefix `-`: failure is ignored, even if the program does not exist.
    pub(super) may_fail: bool,
    /// The prefix `|`: run by a shell.
    pub(super) is_for_shell: bool,
}

/// Splits a command line into its programs, which are separated by a `;` between spaces.
pub(super) fn commands(line: &[u8]) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut is_first = true;
    let words = Words { rest: line };
    for word in words.take(MAX_WORDS) {
        if word.is_separator {
            is_first = true;
        } else if is_first {
            is_first = false;
            let prefix = word.text.iter().take_while(|byte| b"@-:+!|".contains(byte)).count();
            let (prefix, program) = word.text.split_at(prefix);
            if !program.is_empty() {
                commands.push(Command {
                    program: program.to_vec(),
                    may_fail: prefix.contains(&b'-'),
                    is_for_shell: prefix.contains(&b'|'),
                });
            }
        }
    }
    commands
}

struct Word {
    text: Vec<u8>,
    /// True for an unquoted `;`.
    is_separator: bool,
}

/// Splits a command line as systemd does, with single or double quotes around parts of words, and C
/// escapes.
struct Words<'a> {
    rest: &'a [u8],
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() {
            return None;
        }
        let start = self.rest;
        let mut text = Vec::new();
        let mut quote = None;
        while let [byte, after @ ..] = self.rest {
            self.rest = after;
            match (*byte, quote) {
                (byte, Some(open)) if byte == open => quote = None,
                (byte @ (b'"' | b'\''), None) => quote = Some(byte),
                (b'\\', _) => self.unescape(&mut text),
                (byte, None) if byte.is_ascii_whitespace() => break,
                (byte, _) => text.push(byte),
            }
        }
        let is_separator = text == b";" && start.starts_with(b";");
        Some(Word { text, is_separator })
    }
}

impl Words<'_> {
    /// Decodes the escape after a backslash.
    fn unescape(&mut self, text: &mut Vec<u8>) {
        let escape = self.rest;
        let [byte, after @ ..] = escape else {
            text.push(b'\\');
            return;
        };
        self.rest = after;
        match *byte {
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(0x0c),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'v' => text.push(0x0b),
            b's' => text.push(b' '),
            b'x' => self.number(text, b"\\x", 16, 2),
            b'0'..=b'3' => {
                self.rest = escape;
                self.number(text, b"\\", 8, 3);
            }
            b'\\' | b'"' | b'\'' | b';' => text.push(*byte),
            // Not a valid escape: systemd keeps both bytes.
            other => text.extend([b'\\', other]),
        }
    }

    /// Decodes a byte in `count` digits; if they are not valid digits, adds `otherwise`.
    fn number(&mut self, text: &mut Vec<u8>, otherwise: &[u8], radix: u32, count: usize) {
        let digits = self.rest.get(..count).and_then(|digits| str::from_utf8(digits).ok());
        // The number parser would accept a sign as a digit.
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, radix).ok()) {
            Some(byte) => {
                text.push(byte);
                self.rest = &self.rest[count..];
            }
            None => text.extend(otherwise),
        }
    }
}
