//! Libraries that a program opens at run time, as declared in its ELF dlopen metadata (UAPI.12).
//!
//! ```text
//! PT_NOTE   namesz 4, descsz, type 0x407c0c0a | "FDO\0" | JSON, its NUL, padding
//!           [{"soname": ["libx.so.2", "libx.so.1"], "feature": "x", "priority": "recommended"}]
//! ```
//!
//! A file may have several such notes. The names of one entry are alternatives, of which the first
//! that exists is opened. Objects older than the notes are covered by a short table,
//! `heuristics`.

use serde::Deserialize;
use thiserror::Error;

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, Target};
use crate::closure::elf::NoteSegment;
use image_tree::glob::NameGlob;

mod heuristics;
mod of_object;

pub use heuristics::heuristics;
pub use of_object::opened_by;

/// `NT_FDO_DLOPEN_METADATA`.
const NOTE_TYPE: u32 = 0x407c_0c0a;
const OWNER: &[u8] = b"FDO\0";

/// The maximum size of the JSON that is read from one file, in bytes.
pub const MAX_JSON_LEN: usize = 1024 * 1024;
/// The maximum number of entries that are read from one file.
pub const MAX_ENTRIES: usize = 1024;
/// The maximum number of alternatives in an entry.
const MAX_SONAMES: usize = 64;
/// The maximum length of a library name in bytes: that of a file name.
const MAX_SONAME_LEN: usize = 255;

/// One library that a program may open.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dlopen {
    /// The names of the library, of which the first that exists is used.
    pub soname: Vec<String>,
    /// The name of the feature that needs it; empty if not stated.
    #[serde(default)]
    pub feature: String,
    /// A description of its purpose; empty if not stated.
    #[serde(default)]
    pub description: String,
    /// The importance of the library to the program.
    #[serde(default, deserialize_with = "priority")]
    pub priority: Priority,
}

/// The importance of a library to a program, in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Optional, and rarely needed.
    Suggested,
    /// Expected to be present. The default for entries without a priority.
    #[default]
    Recommended,
    /// The program is not useful without it.
    Required,
}

/// The policy that selects the libraries to keep.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The lowest priority that is kept.
    pub least: Priority,
    /// Libraries that are kept whatever their priority.
    pub allow: Vec<Rule>,
    /// Libraries that are never kept. Takes precedence over the other fields.
    pub deny: Vec<Rule>,
}

/// Features of objects, selected by shell patterns.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The pattern for the object's file name.
    pub object: NameGlob,
    /// The pattern for the feature.
    pub feature: NameGlob,
}

/// The reason why the notes of a file are invalid.
#[derive(Debug, Error)]
pub enum DlopenError {
    /// A note extends past the end of its segment.
    #[error("a note at byte {0} of its segment is longer than the segment")]
    Truncated(usize),
    /// The notes exceed a limit.
    #[error(
        "its dlopen notes have more than {MAX_JSON_LEN} bytes, {MAX_ENTRIES} entries, or {MAX_SONAMES} names each"
    )]
    TooMany,
    /// The note is not valid JSON, or does not have the expected structure.
    #[error("its dlopen note cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A name is missing, or is not a valid file name.
    #[error("its dlopen note names a library \"{}\", which is not a file name", .0.escape_debug())]
    Soname(String),
}

impl Policy {
    /// Returns true if a library that the object with the file name `object` opens is kept.
    #[must_use]
    pub fn takes(&self, object: &[u8], dlopen: &Dlopen) -> bool {
        let is_in = |rules: &[Rule]| rules.iter().any(|rule| rule.is_about(object, dlopen));
        !is_in(&self.deny) && (dlopen.priority >= self.least || is_in(&self.allow))
    }

    /// Returns the dependencies of the object with this file name. If `is_heuristic` is set, the
    /// reasons say so.
    #[must_use]
    pub fn dependencies(&self, object: &[u8], opened: &[Dlopen], is_heuristic: bool) -> Dependencies {
        let mut dependencies = Dependencies::default();
        for dlopen in opened.iter().filter(|dlopen| self.takes(object, dlopen)) {
            let names = dlopen.soname.iter().map(|name| name.clone().into_bytes()).collect();
            let required = dlopen.priority == Priority::Required;
            dependencies.add(Target::Library(names), Kind::Dlopen, required, dlopen.reason(is_heuristic));
        }
        dependencies
    }
}

impl Rule {
    /// Parses `OBJECT:FEATURE`, or `FEATURE` for every object.
    ///
    /// # Errors
    /// Returns an error if one of them is not a valid pattern.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let (object, feature) = match text.iter().position(|byte| *byte == b':') {
            Some(colon) => (&text[..colon], &text[colon + 1..]),
            None => (&b"*"[..], text),
        };
        Ok(Self { object: NameGlob::parse(object)?, feature: NameGlob::parse(feature)? })
    }

    fn is_about(&self, object: &[u8], dlopen: &Dlopen) -> bool {
        self.object.matches(object) && self.feature.matches(dlopen.feature.as_bytes())
    }
}

impl Dlopen {
    fn reason(&self, is_heuristic: bool) -> String {
        let priority = match self.priority {
            Priority::Suggested => "suggested",
            Priority::Recommended => "recommended",
            Priority::Required => "required",
        };
        let source = if is_heuristic { "heuristic" } else { "dlopen note" };
        let feature = if self.feature.is_empty() { "a feature without a name" } else { &self.feature };
        format!("is {priority} for {} ({source})", feature.escape_debug())
    }

    fn check(&self) -> Result<(), DlopenError> {
        if self.soname.len() > MAX_SONAMES {
            return Err(DlopenError::TooMany);
        }
        let is_bad = |name: &&String| {
            name.is_empty() || name.len() > MAX_SONAME_LEN || name.contains('\0') || name.contains('/')
        };
        match self.soname.iter().find(is_bad) {
            Some(name) => Err(DlopenError::Soname(name.clone())),
            None if self.soname.is_empty() => Err(DlopenError::Soname(String::new())),
            None => Ok(()),
        }
    }
}

/// Returns every entry of the notes in file order, without duplicates.
///
/// # Errors
/// Returns an error if a note is damaged or exceeds a limit.
pub fn parse(segments: &[NoteSegment]) -> Result<Vec<Dlopen>, DlopenError> {
    let mut found: Vec<Dlopen> = Vec::new();
    let mut read = 0;
    for segment in segments {
        for note in segment.notes() {
            let note = note.map_err(DlopenError::Truncated)?;
            if note.kind != NOTE_TYPE || note.owner != OWNER {
                continue;
            }
            let end = note.description.iter().position(|byte| *byte == 0);
            let json = &note.description[..end.unwrap_or(note.description.len())];
            read += json.len();
            if read > MAX_JSON_LEN {
                return Err(DlopenError::TooMany);
            }
            let entries: Vec<Dlopen> = serde_json::from_slice(json)?;
            for entry in entries {
                entry.check()?;
                if !found.contains(&entry) {
                    found.push(entry);
                }
                if found.len() > MAX_ENTRIES {
                    return Err(DlopenError::TooMany);
                }
            }
        }
    }
    Ok(found)
}

/// Reads a priority. An unknown word, of a later specification, counts as the default.
fn priority<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Priority, D::Error> {
    Ok(match String::deserialize(deserializer)?.as_str() {
        "required" => Priority::Required,
        "suggested" => Priority::Suggested,
        _ => Priority::Recommended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::elf::notes::HEADER_LEN;

    fn note(owner: &[u8], kind: u32, description: &[u8], align: usize) -> Vec<u8> {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_le_bytes();
        let mut note = [len(owner), len(description), kind.to_le_bytes()].concat();
        note.extend(owner);
        note.resize(note.len().next_multiple_of(align), 0);
        note.extend(description);
        note.resize(note.len().next_multiple_of(align), 0);
        note
    }

    fn segment(bytes: Vec<u8>) -> NoteSegment {
        NoteSegment { bytes, align: 4, big_endian: false }
    }

    fn read(json: &str) -> Result<Vec<Dlopen>, DlopenError> {
        parse(&[segment(note(OWNER, NOTE_TYPE, json.as_bytes(), 4))])
    }

    fn entry(soname: &[&str], feature: &str, priority: Priority) -> Dlopen {
        let soname = soname.iter().map(|name| (*name).to_owned()).collect();
        Dlopen { soname, feature: feature.to_owned(), description: String::new(), priority }
    }

    #[test]
    fn notes_of_other_owners_are_skipped() {
        let mut bytes = note(b"GNU\0", 3, b"0123456789abcdefghi", 4);
        bytes.extend(note(b"FDO\0", 0xcafe_1a7e, b"{\"type\":\"deb\"}", 4));
        bytes.extend(note(OWNER, NOTE_TYPE, b"[{\"soname\":[\"liba.so.1\"]}]\0", 4));
        bytes.extend(note(OWNER, NOTE_TYPE, b"[{\"soname\":[\"libb.so.1\"],\"feature\":\"b\"}]", 4));
        bytes.extend([0; 8]);
        let segments = [segment(bytes.clone()), segment(bytes)];
        let found = parse(&segments).expect("it can be read");
        let default = Priority::Recommended;
        assert_eq!(found, [entry(&["liba.so.1"], "", default), entry(&["libb.so.1"], "b", default)]);
    }

    #[test]
    fn notes_of_both_byte_orders_and_alignments_are_parsed() {
        let mut bytes = note(OWNER, NOTE_TYPE, b"[{\"soname\":[\"liba.so.1\"]}]", 8);
        bytes.extend(note(OWNER, NOTE_TYPE, b"[{\"soname\":[\"libb.so.1\"]}]", 8));
        for word in [0, 4, 8] {
            let second = bytes.len() / 2;
            bytes[word..word + 4].reverse();
            bytes[second + word..second + word + 4].reverse();
        }
        let found = parse(&[NoteSegment { bytes, align: 8, big_endian: true }]).expect("it can be read");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn priorities_decide_which_libraries_are_required() {
        let json = r#"[{"soname":["a.so"],"priority":"required","new key":[1]},
            {"soname":["b.so"],"priority":"suggested","description":"B"}, {"soname":["c.so"],"priority":"other"}]"#;
        let found = read(json).expect("it can be read");
        let priorities: Vec<Priority> = found.iter().map(|entry| entry.priority).collect();
        assert_eq!(priorities, [Priority::Required, Priority::Suggested, Priority::Recommended]);
        let dependencies = Policy::default().dependencies(b"x", &found, false).known;
        let required: Vec<bool> = dependencies.iter().map(|dependency| dependency.required).collect();
        assert_eq!(required, [true, false]);
        assert_eq!(dependencies[0].reason, "is required for a feature without a name (dlopen note)");
    }

    #[test]
    fn rules_override_priorities() {
        let kmod = entry(&["libkmod.so.2"], "kmod", Priority::Recommended);
        let mount = entry(&["libmount.so.1"], "mount", Priority::Suggested);
        let rule = |text: &str| Rule::parse(text.as_bytes()).expect("a rule");
        let policy = Policy {
            least: Priority::Recommended,
            allow: vec![rule("libsystemd-*:mount"), rule("kmod")],
            deny: vec![rule("*udev*:k*")],
        };
        assert!(policy.takes(b"libsystemd-shared-257.so", &mount));
        assert!(!policy.takes(b"mount", &mount));
        assert!(policy.takes(b"libsystemd-shared-257.so", &kmod));
        assert!(!policy.takes(b"systemd-udevd", &kmod));
        assert!([&b":x"[..], b"x:", b"", b"[:x"].iter().all(|text| Rule::parse(text).is_err()));
    }

    #[test]
    fn malformed_notes_are_errors() {
        let good = note(OWNER, NOTE_TYPE, b"[{\"soname\":[\"liba.so.1\"]}]", 4);
        for len in HEADER_LEN..good.len() - 2 {
            assert!(
                matches!(parse(&[segment(good[..len].to_vec())]), Err(DlopenError::Truncated(0))),
                "{len}"
            );
        }
        assert!(matches!(read("{}"), Err(DlopenError::Json(_))));
        assert!(matches!(read(&"[".repeat(100_000)), Err(DlopenError::Json(_))));
        for name in ["", "../x", "a\\u0000b"] {
            let json = format!("[{{\"soname\":[\"{name}\"]}}]");
            assert!(matches!(read(&json), Err(DlopenError::Soname(_))), "{name}");
        }
        assert!(matches!(read("[{\"soname\":[]}]"), Err(DlopenError::Soname(_))));
        let long = format!("[{{\"soname\":[\"a\"],\"description\":\"{}\"}}]", "x".repeat(MAX_JSON_LEN));
        assert!(matches!(read(&long), Err(DlopenError::TooMany)));
    }

    #[test]
    fn objects_without_notes_are_recognized_by_name() {
        let found = heuristics(b"libsystemd-shared-252.so");
        assert!(found.iter().any(|entry| entry.soname == ["libcryptsetup.so.12"]));
        let reason = &Policy::default().dependencies(b"x", &found, true).known;
        assert!(reason.is_empty() || reason[0].reason.ends_with("(heuristic)"));
        assert_eq!(heuristics(b"libc.so.6"), []);
    }
}
