//! Files of udev rules, the programs that they run, and the units that they start.

use std::collections::BTreeMap;

use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use super::context::Implied;
use crate::closure::config::file::read;
use crate::closure::config::udev;
use crate::closure::config::unit::Walk;
use crate::closure::dependency::{Dependency, Target};
use crate::closure::error::{Error, Result};
use crate::closure::requests::{Keep, NamePattern};
use crate::closure::result::reason::Kind;

/// Adds the requested rules files.
pub(super) fn add<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    walk: &mut Walk<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    for wanted in &keep.rules {
        for path in selected(tree, wanted)? {
            take(tree, &path, walk, found)?;
        }
    }
    Ok(())
}

/// Returns the rules files that a flag selects. A file hides those of the same name in later
/// directories.
fn selected<T: Directories<Content: Content>>(tree: &T, wanted: &NamePattern) -> Result<Vec<Vec<u8>>> {
    let text = &wanted.text;
    if text.starts_with(b"/") {
        return Ok(vec![text.clone()]);
    }
    let mut found: BTreeMap<&[u8], Vec<u8>> = BTreeMap::new();
    for directory in udev::DIRECTORIES {
        let entries = resolve_in_root(tree, directory).and_then(|id| tree.entries(id));
        for name in entries.into_iter().flatten().map(|(name, _)| name.as_bytes()) {
            let is_wanted = wanted.glob.as_ref().map_or(name == text, |glob| glob.matches(name));
            if is_wanted && name.ends_with(b".rules") {
                found.entry(name).or_insert_with(|| [directory, b"/", name].concat());
            }
        }
    }
    if found.is_empty() {
        return Err(Error::RulesNotFound(text.clone()));
    }
    Ok(found.into_values().collect())
}

/// Adds a rules file, the programs that it runs, and the accounts that own its devices; and
/// the units that its devices want to a walk.
pub(super) fn take<T: Directories<Content: Content>>(
    tree: &T,
    path: &[u8],
    walk: &mut Walk<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    // A link to /dev/null disables the rules of that name, and is kept unchanged.
    let (target, kind) = (Target::Name(path.to_vec()), Kind::Configured);
    found.dependencies.push(Dependency {
        target,
        kind,
        required: true,
        reason: "is a file of udev's rules".to_owned(),
        by: None,
    });
    let Some(text) = read(tree, path)? else { return Ok(()) };
    found.configured(path, "is a file of udev's rules");
    let rules = udev::Rules::parse(path, &text);
    found.take(rules.dependencies);
    for (names, accounts) in [(&rules.owners, &b"/etc/passwd"[..]), (&rules.groups, b"/etc/group")] {
        if !names.is_empty() {
            found.configured(accounts, "has accounts to which udev's rules give devices");
        }
    }
    // As with every relation by Wants=, the units may belong to packages that are not installed.
    rules.units.iter().for_each(|unit| walk.want_by(unit, path));
    rules.owners.iter().for_each(|name| found.accounts.add_user(name));
    rules.groups.iter().for_each(|name| found.accounts.add_group(name));
    Ok(())
}
