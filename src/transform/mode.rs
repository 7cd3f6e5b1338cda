//! Modes in the syntax of `chmod(1)`.

/// A mode to set: octal, or symbolic changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All twelve bits.
    Octal(u16),
    /// Changes, in order.
    Symbolic(Vec<Change>),
}

/// One change of a symbolic mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The bits of the selected classes: owner, group, others, each with its set-id or sticky bit.
    who: u16,
    operator: Operator,
    /// The bits, for all classes.
    bits: u16,
    /// `X`: the execute bit for directories and files that already have one.
    conditional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

const USER: u16 = 0o4700;
const GROUP: u16 = 0o2070;
const OTHER: u16 = 0o1007;
const EXECUTE: u16 = 0o111;
const STICKY: u16 = 0o1000;

impl Mode {
    /// Parses `0755` or `u+rwx,go=rX`: the classes (`u`, `g`, `o`, `a`; none means all, independent
    /// of the umask), `+`, `-` or `=`, and any of `r`, `w`, `x`, `X`, `s`, `t`.
    ///
    /// # Errors
    /// Returns a message if it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(mode) = octal(text) {
            return Ok(Self::Octal(mode));
        }
        let changes: Option<Vec<Vec<Change>>> = text.split(',').map(clause).collect();
        let changes = changes
            .ok_or_else(|| format!("\"{text}\" is not a mode such as 0755, at most 7777, or u+rwx,go=rX"))?;
        Ok(Self::Symbolic(changes.concat()))
    }

    /// Returns the new mode of a file with mode `mode`.
    #[must_use]
    pub fn apply(&self, mode: u16, is_directory: bool) -> u16 {
        match self {
            Mode::Octal(mode) => *mode,
            Mode::Symbolic(changes) => changes.iter().fold(mode, |mode, change| {
                let executable = is_directory || mode & EXECUTE != 0;
                let execute = if change.conditional && executable { EXECUTE } else { 0 };
                let bits = (change.bits | execute) & change.who;
                match change.operator {
                    Operator::Add => mode | bits,
                    Operator::Remove => mode & !bits,
                    Operator::Set => (mode & !change.who) | bits,
                }
            }),
        }
    }
}

/// Parses one to five octal digits with a value of at most 7777.
#[must_use]
pub fn octal(text: &str) -> Option<u16> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    u16::from_str_radix(text, 8).ok().filter(|mode| digits && *mode <= 0o7777)
}

/// Parses `ug+r-w`: classes, and one or more operators with their bits.
fn clause(text: &str) -> Option<Vec<Change>> {
    let start = text.find(['+', '-', '='])?;
    let (classes, mut rest) = text.split_at(start);
    let mut who = 0;
    for class in classes.bytes() {
        who |= match class {
            b'u' => USER,
            b'g' => GROUP,
            b'o' => OTHER,
            b'a' => USER | GROUP | OTHER,
            _ => return None,
        };
    }
    let all_classes = classes.is_empty();
    let mut changes = Vec::new();
    while let Some(sign) = rest.bytes().next() {
        let operator = match sign {
            b'+' => Operator::Add,
            b'-' => Operator::Remove,
            _ => Operator::Set,
        };
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
        let mut change =
            Change { who: if all_classes { 0o7777 } else { who }, operator, bits: 0, conditional: false };
        for letter in rest[1..end].bytes() {
            match letter {
                b'r' => change.bits |= 0o444,
                b'w' => change.bits |= 0o222,
                b'x' => change.bits |= EXECUTE,
                b'X' => change.conditional = true,
                b's' => change.bits |= 0o6000,
                b't' => {
                    change.bits |= STICKY;
                    // `t` applies to the directory, whatever the classes.
                    change.who |= STICKY;
                }
                _ => return None,
            }
        }
        changes.push(change);
        rest = &rest[end..];
    }
    Some(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_modes_as_chmod() {
        for (text, before, directory, after) in [
            ("755", 0o4644, false, 0o755),
            ("04755", 0, false, 0o4755),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("u=rwx,go=rx", 0o600, false, 0o755),
            ("go=", 0o4755, false, 0o4700),
            ("u+s,g+s", 0o755, false, 0o6755),
            ("u-s", 0o6755, false, 0o2755),
            ("+t", 0o777, true, 0o1777),
            ("a+X", 0o644, false, 0o644),
            ("a+X", 0o744, false, 0o755),
            ("a+X", 0o644, true, 0o755),
            ("ug+r-w", 0o220, false, 0o440),
        ] {
            let mode = Mode::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(mode.apply(before, directory), after, "{text} of {before:o}");
        }
    }

    #[test]
    fn refuses_invalid_modes() {
        for text in
            ["", "8", "10000", "777777", "0x1", "-1", "u", "u+q", "z+r", "u+x,", ",", "+7", "u=g", "é+r"]
        {
            assert!(Mode::parse(text).is_err(), "{text}");
        }
    }
}
