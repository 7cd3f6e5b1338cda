//! The selection of packages by name, and of those on which they depend.

use std::collections::BTreeSet;

use image_tree::{Content, Directories};

use super::error::{Error, Result};
use super::installed::{Installed, System};
use super::model::Requirement;
use super::providers::Providers;
use crate::closure::requests::NamePattern;
use crate::closure::similar::similar;

/// A selected package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    /// Its index.
    pub(super) index: usize,
    /// The position of the selected package that depends on it; `None` if its name was given.
    pub(super) by: Option<usize>,
}

/// Returns the installed packages that names and patterns select, in the order of these.
///
/// # Errors
/// Returns an error if one of them selects nothing.
pub(super) fn by_name<T: Directories<Content: Content>>(
    installed: &Installed<'_, T>,
    wanted: &[NamePattern],
) -> Result<Vec<Selected>> {
    let databases = installed.databases()?;
    let mut selected = Vec::new();
    let mut seen = BTreeSet::new();
    for pattern in wanted {
        let found = matching(installed, pattern);
        if found.is_empty() {
            let (name, near) = (pattern.text.clone(), near(installed, &pattern.text));
            return Err(Error::NotInstalled { name, databases, near });
        }
        let new = found.into_iter().filter(|index| seen.insert(*index));
        selected.extend(new.map(|index| Selected { index, by: None }));
    }
    Ok(selected)
}

/// Returns the packages that a pattern selects. Without an architecture, it selects those of dpkg's
/// own architecture, and others only if there are none of these.
fn matching<T: Directories<Content: Content>>(
    installed: &Installed<'_, T>,
    pattern: &NamePattern,
) -> Vec<usize> {
    let matches = |name: &[u8]| match &pattern.glob {
        Some(glob) => glob.matches(name),
        None => pattern.text == name,
    };
    let (mut found, mut foreign) = (Vec::new(), Vec::new());
    for (index, entry) in installed.entries.iter().enumerate() {
        let package = &entry.package;
        let qualified = |between: &[u8]| [&package.name, between, &package.architecture].concat();
        let is_native = package.architecture == b"all" || package.architecture == installed.native();
        let is_qualified = pattern.text.contains(&b':') && matches(&qualified(b":"));
        if is_qualified || (entry.system == System::Rpm && matches(&qualified(b"."))) {
            found.push(index);
        } else if matches(&package.name) {
            match entry.system == System::Dpkg && !is_native {
                false => found.push(index),
                true => foreign.push(index),
            }
        }
    }
    let names: BTreeSet<&[u8]> =
        found.iter().map(|index| &installed.entries[*index].package.name[..]).collect();
    let alone =
        foreign.into_iter().filter(|index| !names.contains(&installed.entries[*index].package.name[..]));
    let alone: Vec<usize> = alone.collect();
    found.extend(alone);
    found.sort_unstable();
    found
}

/// Returns installed names that are similar to one that is not, the most similar first.
fn near<T>(installed: &Installed<'_, T>, name: &[u8]) -> Vec<String> {
    let bare = name.split(|byte| *byte == b':').next().unwrap_or_default();
    similar(bare, installed.entries.iter().map(|entry| entry.package.name.escape_ascii().to_string()))
}

/// Adds the packages on which the selected ones depend, and a sentence for each dependency that no
/// installed package meets.
///
/// # Errors
/// Returns an error if a list of files cannot be read, which a dependency on a path needs.
pub(super) fn add_dependencies<T: Directories<Content: Content>>(
    installed: &Installed<'_, T>,
    selected: &mut Vec<Selected>,
    unknown: &mut Vec<String>,
) -> Result<()> {
    let providers = Providers::new(installed)?;
    let mut seen: BTreeSet<usize> = selected.iter().map(|one| one.index).collect();
    let mut next = 0;
    while let Some(Selected { index, .. }) = selected.get(next).copied() {
        for requirement in &installed.entries[index].package.requires {
            let mut found = Vec::new();
            if !providers.meet(requirement, index, &seen, &mut found) {
                let name = installed.shown(index);
                unknown.push(format!(
                    "package {name} depends on {}, which no installed package provides",
                    shown(requirement)
                ));
            }
            let new = found.into_iter().filter(|index| seen.insert(*index));
            selected.extend(new.map(|index| Selected { index, by: Some(next) }));
        }
        next += 1;
    }
    Ok(())
}

fn shown(requirement: &Requirement) -> String {
    let list = |all: &[Requirement], between| all.iter().map(shown).collect::<Vec<_>>().join(between);
    match requirement {
        Requirement::Package(capability) => capability.name.escape_ascii().to_string(),
        Requirement::Any(all) => list(all, " or "),
        Requirement::All(all) => list(all, " and "),
        Requirement::If { then, otherwise, .. } => {
            then.iter().chain(otherwise).map(|one| shown(one)).collect::<Vec<_>>().join(" or ")
        }
    }
}
