//! The settings with command lines, and the programs in them.

use super::words::Words;

/// The keys in each section that start programs.
pub(super) const COMMANDS: [(&str, &[&str]); 4] = [
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
    for word in (Words { rest: line }) {
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
