//! Changes of keys in files of sections: units of systemd, ini files, and `KEY=VALUE` files.
//!
//! Comments, blank lines and the order of everything else remain. As in units, a line that ends in
//! a backslash continues in the next one, and comments may be in between; an indented line without
//! `=` continues the one before, as in ini files.

use std::ops::Range;

use crate::closure::config::unit::ends_in_continuation;

/// The mark of UTF-8 at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEdit {
    /// The name of the section; empty for what precedes the first one.
    pub section: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
    /// The change.
    pub change: Change,
}

/// The change of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key has this value alone.
    Set(Vec<u8>),
    /// The key has this value besides those that it has.
    Add(Vec<u8>),
    /// The key is removed with all its values.
    Remove,
}

/// A part of a file with one name.
struct Section<'t> {
    name: &'t [u8],
    /// Its lines, without the header.
    lines: Range<usize>,
    assignments: Vec<Assignment<'t>>,
}

/// A key with a value.
struct Assignment<'t> {
    key: &'t [u8],
    lines: Range<usize>,
    /// True for blanks before the `=`.
    is_spaced: bool,
}

impl KeyEdit {
    /// Returns the changed text, or `None` if there is nothing to remove.
    ///
    /// # Errors
    /// Returns an error if there is no such section.
    pub fn apply(&self, text: &[u8]) -> Result<Option<Vec<u8>>, String> {
        // systemd and others ignore it.
        let (mark, text) = text.split_at(if text.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 });
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let sections = sections(&lines);
        let ours: Vec<&Section<'_>> =
            sections.iter().filter(|section| section.name == self.section).collect();
        let Some(last) = ours.last() else {
            return Err(format!("has no section [{}]", self.section.escape_ascii()));
        };
        let same: Vec<&Assignment<'_>> = ours
            .iter()
            .flat_map(|section| &section.assignments)
            .filter(|assignment| assignment.key == self.key)
            .collect();
        let any = sections.iter().flat_map(|section| &section.assignments).next();
        let is_spaced = same.last().copied().or(any).is_some_and(|assignment| assignment.is_spaced);
        let (value, at, dropped) = match &self.change {
            Change::Remove if same.is_empty() => return Ok(None),
            Change::Remove => (None, 0, &same[..]),
            Change::Set(value) => {
                let at = same.first().map_or_else(|| last.end(&lines), |first| first.lines.start);
                (Some(value), at, &same[..])
            }
            Change::Add(value) => {
                let at = same.last().map_or_else(|| last.end(&lines), |last| last.lines.end);
                (Some(value), at, &[][..])
            }
        };
        let end_of_line =
            if lines.first().is_some_and(|line| line.ends_with(b"\r\n")) { "\r\n" } else { "\n" };
        let new = value.map(|value| {
            let equals: &[u8] = if is_spaced { b" = " } else { b"=" };
            [&self.key, equals, value, end_of_line.as_bytes()].concat()
        });
        let mut is_dropped = vec![false; lines.len()];
        for assignment in dropped {
            if let Some(lines) = is_dropped.get_mut(assignment.lines.clone()) {
                lines.fill(true);
            }
        }
        let mut out = Vec::with_capacity(text.len() + 64);
        out.extend_from_slice(mark);
        for number in 0..=lines.len() {
            if let Some(new) = new.as_ref().filter(|_| number == at) {
                if out.len() > mark.len() && out.last().is_some_and(|byte| *byte != b'\n') {
                    out.extend_from_slice(end_of_line.as_bytes());
                }
                out.extend_from_slice(new);
            }
            if let (Some(line), Some(false)) = (lines.get(number), is_dropped.get(number)) {
                out.extend_from_slice(line);
            }
        }
        Ok(Some(out))
    }
}

impl Section<'_> {
    /// Returns the line before which a new key is inserted: after the last one, as comments below
    /// it may be those of the next section.
    fn end(&self, lines: &[&[u8]]) -> usize {
        if let Some(last) = self.assignments.last() {
            return last.lines.end;
        }
        if !self.name.is_empty() {
            return self.lines.start;
        }
        let is_blank = |number: &usize| lines.get(*number).is_none_or(|line| line.trim_ascii().is_empty());
        self.lines.clone().rev().find(|number| !is_blank(number)).map_or(0, |number| number + 1)
    }
}

/// Returns the sections; the first one precedes all headers and has no name.
fn sections<'t>(lines: &[&'t [u8]]) -> Vec<Section<'t>> {
    let mut current = Section { name: b"", lines: 0..0, assignments: Vec::new() };
    let mut sections = Vec::new();
    let mut number = 0;
    while let Some(line) = lines.get(number).map(|line| line.trim_ascii()) {
        let start = number;
        number += 1;
        if let Some(name) = line.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
            current.lines.end = start;
            let next = Section { name: name.trim_ascii(), lines: number..number, assignments: Vec::new() };
            sections.push(std::mem::replace(&mut current, next));
            continue;
        }
        if is_comment(line) {
            continue;
        }
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
        let (key, _) = line.split_at(equals);
        number = end_of_value(lines, start);
        let is_spaced = key.ends_with(b" ") || key.ends_with(b"\t");
        current.assignments.push(Assignment { key: key.trim_ascii_end(), lines: start..number, is_spaced });
    }
    current.lines.end = lines.len();
    sections.push(current);
    sections
}

fn is_comment(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'#' | b';'))
}

/// Returns the number of the line behind a value that begins in a line.
fn end_of_value(lines: &[&[u8]], start: usize) -> usize {
    let continues = |line: &[u8]| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        ends_in_continuation(line.strip_suffix(b"\r").unwrap_or(line))
    };
    let mut open = lines.get(start).is_some_and(|line| continues(line));
    let mut end = start + 1;
    let mut number = end;
    while let Some(line) = lines.get(number) {
        let trimmed = line.trim_ascii();
        let is_indented = matches!(line.first(), Some(b' ' | b'\t')) && !trimmed.is_empty();
        if open && is_comment(trimmed) {
            number += 1;
            continue;
        }
        if !open && (!is_indented || is_comment(trimmed) || trimmed.contains(&b'=')) {
            break;
        }
        open = continues(line);
        number += 1;
        end = number;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "\
# about
[Unit]
Description=A
After=a.service \\
# inside
  b.service
After=c.service
Requires=a.service

# about the service
[Service]
ExecStart=/bin/a
[Install]
";

    fn apply(text: &str, section: &str, key: &str, change: Change) -> Result<Option<String>, String> {
        let edit = KeyEdit { section: section.into(), key: key.into(), change };
        let changed = edit.apply(text.as_bytes())?;
        Ok(changed.map(|text| String::from_utf8(text).expect("ASCII")))
    }

    #[track_caller]
    fn check(section: &str, key: &str, change: Change, from: &str, to: &str) {
        assert!(UNIT.contains(from));
        assert_eq!(apply(UNIT, section, key, change), Ok(Some(UNIT.replacen(from, to, 1))));
    }

    #[test]
    fn keys_are_set_added_and_removed_in_place() {
        let after = "After=a.service \\\n# inside\n  b.service\nAfter=c.service\n";
        check("Unit", "After", Change::Set(b"x".to_vec()), after, "After=x\n");
        check("Unit", "After", Change::Remove, after, "");
        let add = |value: &str| Change::Add(value.into());
        check("Unit", "After", add("x"), "After=c.service\n", "After=c.service\nAfter=x\n");
        check("Unit", "Wants", add("x"), "Requires=a.service\n", "Requires=a.service\nWants=x\n");
        check("Install", "Alias", Change::Set(b"x".to_vec()), "[Install]\n", "[Install]\nAlias=x\n");
        check("", "A", add("x"), "# about\n", "# about\nA=x\n");
        assert_eq!(apply(UNIT, "Service", "After", Change::Remove), Ok(None));
        assert_eq!(apply(UNIT, "Socket", "A", add("x")), Err("has no section [Socket]".to_owned()));
    }

    #[test]
    fn the_style_of_ini_files_remains() {
        let text = "[a]\r\nx = 1\r\n  more\r\ny= 2\r\n[b]\r\nx = 3";
        let set = |value: &str| Change::Set(value.into());
        assert_eq!(
            apply(text, "a", "x", set("9")),
            Ok(Some("[a]\r\nx = 9\r\ny= 2\r\n[b]\r\nx = 3".to_owned()))
        );
        let added = "[a]\r\nx = 1\r\n  more\r\ny= 2\r\n[b]\r\nx = 3\r\nz = 4\r\n";
        assert_eq!(apply(text, "b", "z", set("4")), Ok(Some(added.to_owned())));
        assert_eq!(apply("", "", "A", set("1")), Ok(Some("A=1\n".to_owned())));
        assert_eq!(apply("A=0\nB=1\n", "", "A", set("")), Ok(Some("A=\nB=1\n".to_owned())));
    }

    #[test]
    fn a_byte_order_mark_remains_first() {
        let set = || Change::Set(b"1".to_vec());
        let text = "\u{feff}[a]\nx=0\n";
        assert_eq!(apply(text, "a", "x", set()), Ok(Some("\u{feff}[a]\nx=1\n".to_owned())));
        assert_eq!(apply("\u{feff}", "", "x", set()), Ok(Some("\u{feff}x=1\n".to_owned())));
    }

    #[test]
    fn lines_continue_as_in_units() {
        for (text, expected) in [
            ("A=x\\\\\nB=1\n", "B=1\n"),
            ("A=x\\ \nB=1\n", "B=1\n"),
            ("A=x\\\r\nB=1\r\nC=2\r\n", "C=2\r\n"),
            ("A=x \\\n# c\nB=1 \\\n; d\nC=2\nD=3\n", "D=3\n"),
            ("A=x \\\n# c\n", "# c\n"),
        ] {
            assert_eq!(apply(text, "", "A", Change::Remove), Ok(Some(expected.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn comments_and_indented_keys_do_not_belong_to_a_value() {
        let added = apply("[S]\nA=1\n# B=2\n", "S", "C", Change::Add(b"3".to_vec()));
        assert_eq!(added, Ok(Some("[S]\nA=1\nC=3\n# B=2\n".to_owned())));
        for (text, expected) in [("A=1\n B=2\n", " B=2\n"), ("A=1\n  # c\n  more\n", "  # c\n  more\n")] {
            assert_eq!(apply(text, "", "A", Change::Remove), Ok(Some(expected.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn keys_with_many_values_take_linear_time() {
        let text = "A=\n".repeat(300_000);
        assert_eq!(apply(&text, "", "A", Change::Set(b"1".to_vec())), Ok(Some("A=1\n".to_owned())));
    }

    #[test]
    fn every_section_of_a_name_counts() {
        let text = "[a]\nx=1\n[b]\n[a]\nx=2\n";
        assert_eq!(apply(text, "a", "x", Change::Remove), Ok(Some("[a]\n[b]\n[a]\n".to_owned())));
        let set = apply(text, "a", "x", Change::Set(b"3".to_vec()));
        assert_eq!(set, Ok(Some("[a]\nx=3\n[b]\n[a]\n".to_owned())));
    }
}
