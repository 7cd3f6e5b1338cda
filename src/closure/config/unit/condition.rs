//! Conditions and assertions of units about paths.
//!
//! ```text
//! ConditionPathExists=/a          met if /a exists        AND
//! ConditionPathExists=!/b         met if /b does not      AND
//! ConditionPathExists=|/c         \  one of those with a "|" is enough
//! ConditionFileNotEmpty=|/d       /
//! ```
//!
//! A unit with a condition that the whole tree does not meet is not started, nor would it be in a
//! guest with the whole tree. Conditions about paths that are made at boot, and all others, depend
//! on the guest. What a condition asks for is kept: without it the unit would not be started.

use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Content, Directories, InodeId, Kind};

use super::examined::Unit;
use super::name::UnitName;
use super::paths::{Matches, exists, is_runtime, matches};
use super::settings::Settings;
use crate::closure::dependency::{Dependencies, Target};

const SECTION: &str = "Unit";

/// One condition about a path.
struct Condition {
    test: Test,
    path: Vec<u8>,
    negated: bool,
    /// With a `|`: one of those is enough.
    is_alternative: bool,
}

/// The test of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Exists,
    ExistsGlob,
    Directory,
    SymbolicLink,
    Executable,
    NotEmpty,
    DirectoryNotEmpty,
    /// A property that depends on the guest.
    Other,
}

impl Condition {
    /// Returns the conditions of one kind: `Condition` or `Assert`. An empty value resets all.
    fn of(name: &UnitName, settings: &Settings, kind: &'static str) -> Vec<Self> {
        let mut found = Vec::new();
        for (key, value) in settings.with_prefix(SECTION, kind) {
            if value.is_empty() {
                found.clear();
            } else if let Some(test) = Test::of(key) {
                let is_alternative = value.starts_with(b"|");
                let value = value.strip_prefix(b"|").unwrap_or(value).trim_ascii_start();
                let negated = value.starts_with(b"!");
                let value = value.strip_prefix(b"!").unwrap_or(value).trim_ascii_start();
                let path = name.expand(value);
                let is_path = path.is_known && path.text.starts_with(b"/");
                let test = if is_path { test } else { Test::Other };
                found.push(Self { test, path: path.text, negated, is_alternative });
            } else {
                // Its result is known only in the guest, so that it may be the one that is enough.
                let is_alternative = value.starts_with(b"|");
                found.push(Self { test: Test::Other, path: Vec::new(), negated: false, is_alternative });
            }
        }
        found
    }

    /// Returns true if the condition may be met in a guest with this tree.
    fn may_be_met<T: Directories<Content: Content>>(&self, tree: &T) -> bool {
        if self.test == Test::Other || is_runtime(&self.path) {
            return true;
        }
        self.test.holds(tree, &self.path) != self.negated
    }
}

impl Test {
    fn of(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"PathExists" => Self::Exists,
            b"PathExistsGlob" => Self::ExistsGlob,
            b"PathIsDirectory" => Self::Directory,
            b"PathIsSymbolicLink" => Self::SymbolicLink,
            b"FileIsExecutable" => Self::Executable,
            b"FileNotEmpty" => Self::NotEmpty,
            b"DirectoryNotEmpty" => Self::DirectoryNotEmpty,
            b"PathIsMountPoint" | b"PathIsReadWrite" | b"PathIsEncrypted" => Self::Other,
            _ => return None,
        })
    }

    fn holds<T: Directories<Content: Content>>(self, tree: &T, path: &[u8]) -> bool {
        let id: Option<InodeId> = resolve_in_root(tree, path);
        let kind = id.map(|id| &tree.get(id).kind);
        match self {
            Self::Exists => id.is_some(),
            Self::ExistsGlob => {
                let Matches { paths, is_complete } = matches(tree, path);
                !is_complete || paths.iter().any(|path| exists(tree, path))
            }
            Self::Directory => matches!(kind, Some(Kind::Directory(_))),
            Self::SymbolicLink => is_link(tree, path),
            Self::Executable => {
                let mode = id.map(|id| tree.get(id).metadata.mode);
                matches!(kind, Some(Kind::Regular(_))) && mode.is_some_and(|mode| mode & 0o111 != 0)
            }
            Self::NotEmpty => matches!(kind, Some(Kind::Regular(content)) if content.len() > 0),
            Self::DirectoryNotEmpty => {
                id.and_then(|id| tree.entries(id)).is_some_and(|entries| !entries.is_empty())
            }
            Self::Other => true,
        }
    }
}

fn is_link<T: Directories>(tree: &T, path: &[u8]) -> bool {
    let (directory, name) = image_tree::path::split_last(path);
    let directory = if directory.is_empty() { b"/" } else { directory };
    let Ok(directory) = trace_in_root(tree, directory, &mut 0) else { return false };
    let entry = tree.lookup(directory.id, name);
    entry.is_some_and(|id| matches!(tree.get(id).kind, Kind::Symlink(_)))
}

/// Returns false if a condition or assertion of the unit cannot be met in a guest with this tree.
pub(super) fn may_start<T: Directories<Content: Content>>(
    tree: &T,
    name: &UnitName,
    settings: &Settings,
) -> bool {
    ["Condition", "Assert"].into_iter().all(|kind| {
        let all = Condition::of(name, settings, kind);
        let (alternatives, all): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|condition| condition.is_alternative);
        all.iter().all(|condition| condition.may_be_met(tree))
            && (alternatives.is_empty() || alternatives.iter().any(|condition| condition.may_be_met(tree)))
    })
}

/// Adds the paths without which a condition of the unit would not be met.
pub(super) fn add<T: Directories>(tree: &T, unit: &Unit<'_>, found: &mut Dependencies) {
    for kind in ["Condition", "Assert"] {
        for Condition { test, path, negated, .. } in Condition::of(unit.name, unit.settings, kind) {
            if negated || is_runtime(&path) {
                continue;
            }
            let targets = match test {
                Test::Other => Vec::new(),
                Test::SymbolicLink => vec![Target::Name(path)],
                Test::DirectoryNotEmpty => vec![Target::FilesIn { directory: path, suffix: Vec::new() }],
                Test::ExistsGlob => {
                    let paths = matches(tree, &path).reported(&path, &mut found.unknown);
                    paths.into_iter().map(|path| Target::File(vec![path])).collect()
                }
                _ => vec![Target::File(vec![path])],
            };
            for target in targets {
                unit.add(found, target, false, format_args!("is tested by {kind}…="));
            }
        }
    }
}
