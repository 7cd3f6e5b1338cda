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
//! devices. As in udev, a rule with an error is ignored as a whole.

mod command;
mod token;

use std::collections::BTreeSet;

use self::command::{first_word, substituted};
use self::token::{Token, Tokens};

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
        let text = text.strip_suffix(b"\n").unwrap_or(text);
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
        // A rule that continues beyond the end of the file is ignored by udev.
        rules
    }

    /// Adds the dependencies of a rule, unless it has an error.
    fn rule(&mut self, path: &[u8], number: usize, line: &[u8], seen: &mut BTreeSet<Vec<u8>>) {
        let tokens: Option<Vec<Token<'_>>> = Tokens::new(line).collect();
        let Some(tokens) = tokens.filter(|tokens| tokens.iter().all(Token::is_valid)) else { return };
        for token in tokens {
            match (token.key, token.attribute) {
                // These run to be compared, whatever the operator.
                (b"PROGRAM", _) | (b"IMPORT", b"program") | (b"RUN", b"" | b"program") => {
                    self.program(path, number, &token, seen);
                }
                (b"IMPORT", b"file") => self.file(path, number, &token),
                (b"OWNER", _) => add_name(&mut self.owners, &token.value),
                (b"GROUP", _) => add_name(&mut self.groups, &token.value),
                (b"ENV", b"SYSTEMD_WANTS") if !token.operator.is_match() => {
                    let units = token.value.split(u8::is_ascii_whitespace);
                    self.units.extend(units.filter(|unit| !unit.is_empty()).filter_map(substituted));
                }
                _ => {}
            }
        }
    }

    fn program(&mut self, path: &[u8], number: usize, token: &Token<'_>, seen: &mut BTreeSet<Vec<u8>>) {
        let word = first_word(&token.value);
        let place = format!("line {number} of {}", path.escape_ascii());
        let key = token.key.escape_ascii();
        if word.is_empty() || !seen.insert(word.clone()) {
            return;
        }
        let Some(name) = substituted(&word) else {
            let word = word.escape_ascii();
            self.dependencies
                .unknown
                .push(format!("{key} in {place} runs \"{word}\", which depends on the device"));
            return;
        };
        let target = Target::program(&name, &PROGRAMS);
        self.dependencies.add(target, Kind::Configured, false, format!("is run by {key} in {place}"));
    }

    /// Adds a file from which a rule reads properties.
    fn file(&mut self, path: &[u8], number: usize, token: &Token<'_>) {
        let name = substituted(&token.value).filter(|name| name.starts_with(b"/"));
        if let Some(name) = name {
            let reason = format!("is read by IMPORT in line {number} of {}", path.escape_ascii());
            self.dependencies.configured(&name, false, reason);
        }
    }
}

/// Adds a user or group, unless it is numeric or depends on the device.
fn add_name(names: &mut BTreeSet<Vec<u8>>, name: &[u8]) {
    let name = substituted(name).filter(|name| !name.iter().all(u8::is_ascii_digit));
    names.extend(name);
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
        check("IMPORT{program}=\"c\" IMPORT{builtin}=\"blkid\" IMPORT{db}=\"/x\"", &["/usr/lib/udev/c"]);
        check(
            "RUN+=\"d\",RUN{program}+=\"e\", RUN{builtin}+=\"kmod load\"",
            &["/usr/lib/udev/d", "/usr/lib/udev/e"],
        );
        check("KERNEL==\"a\\\"b\", RUN = \"'/my programs/f' x\"", &["/my programs/f"]);
        check("RUN=e\"/bin/g\\tx\"", &["/bin/g"]);
        check("ATTR{[dmi/id]x}==i\"y\", RUN+=\"/bin/h\"", &["/bin/h"]);
        check("RUN+=\"/bin/i\"\nRUN+=\"/bin/i\"", &["/bin/i"]);
        check("# RUN+=\"/bin/k\"\nRUN+=\"/bin/l\"RUN+=\"/bin/m\"", &["/bin/l", "/bin/m"]);
    }

    #[test]
    fn programs_that_are_compared_run_whatever_the_operator() {
        for operator in ["==", "!=", "=", "+=", ":="] {
            check(&format!("PROGRAM{operator}\"/bin/a\""), &["/bin/a"]);
            check(&format!("IMPORT{{program}}{operator}\"/bin/b\""), &["/bin/b"]);
        }
    }

    #[test]
    fn a_rule_with_an_error_is_ignored_as_a_whole() {
        let errors = [
            "nonsense",
            "RUN!=\"x\"",
            "RUN==\"x\"",
            "RUN-=\"x\"",
            "PROGRAM-=\"x\"",
            "PROGRAM{x}=\"y\"",
            "IMPORT=\"x\"",
            "OWNER!=\"root\"",
            "GROUP==\"root\"",
            "NAME+=\"",
            "RUN+=e\"\\q\"",
            "RUN+=ee\"x\"",
            "RUN+=i\"x\"",
            "ENV=\"x\"",
        ];
        for error in errors {
            check(&format!("RUN+=\"/bin/a\", {error}, RUN+=\"/bin/b\"\nRUN+=\"/bin/c\""), &["/bin/c"]);
        }
    }

    #[test]
    fn files_of_properties_are_dependencies() {
        check("IMPORT{file}=\"/etc/x\", IMPORT{file}=\"/run/$env{X}\"", &["/etc/x"]);
    }

    #[test]
    fn rules_may_span_several_lines() {
        let text =
            "  ACTION==\"add\", \\\n# in between\n  RUN+=\"/bin/a\"\nRUN+=\"/bin/b\"\nRUN+=\"/bin/c\", \\\n";
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
        let text = "GROUP=\"disk\", OWNER:=\"root\"\nGROUP=\"6\", GROUP=\"$env{x}\"\n\
            ENV{SYSTEMD_WANTS}+=\"a.service b@%k.service\"";
        let rules = check(text, &[]);
        assert_eq!(rules.groups, BTreeSet::from([b"disk".to_vec()]));
        assert_eq!(rules.owners, BTreeSet::from([b"root".to_vec()]));
        assert_eq!(rules.units, BTreeSet::from([b"a.service".to_vec()]));
    }
}
