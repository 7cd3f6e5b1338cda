//! The links that enable and disable systemd's units, as `systemctl preset-all` makes them.
//!
//! ```text
//!  system-preset/*.preset ──▶ enable or disable each unit, or instances of a template
//!  [Install] ───────────────▶ enabled: WantedBy=, RequiredBy=, UpheldBy=, Alias=, and Also= in turn
//!                             disabled: every link in /etc/systemd/system to it is removed
//! ```

mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use image_tree::glob::NameGlob;
use image_tree::path::{base_name, join, parent};
use image_tree::resolve::trace_in_root;
use image_tree::{InodeId, Kind, Shown};

use self::rules::{Decision, Rules};
use super::site::Site;
use crate::closure::config::unit;
use crate::closure::config::unit::install::{Install, InstallLink, Installable, install};
use crate::error::{Error, ErrorKind, Result};

/// The directory of links.
const LINKS: &[u8] = b"/etc/systemd/system";
/// The directory of the distribution's units, and its name before `/lib` became a link.
const UNITS: &[u8] = b"/usr/lib/systemd/system";
const OLD_UNITS: &[u8] = b"/lib/systemd/system";

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    let rules = Rules::read(site)?;
    let all = NameGlob::parse(b"*").map_err(|why| Error::new(ErrorKind::BadInput, why))?;
    let (mut enabled, mut disabled) = (Vec::new(), Vec::new());
    for name in unit::matching(site.tree, &all) {
        let found = find(site, &name)?;
        let Some(Installable::Unit(_)) = found else { continue };
        match rules.decide(&name) {
            Decision::Enable => enabled.push((name, found)),
            Decision::EnableInstances(names) => {
                for name in names {
                    let found = find(site, &name)?;
                    enabled.push((name, found));
                }
            }
            Decision::Disable => disabled.push(name),
        }
    }
    disable(site, disabled)?;
    enable(site, enabled)
}

/// Finds the file of a unit, in which links are followed as in a running system.
fn find(site: &Site<'_>, name: &[u8]) -> Result<Option<Installable>> {
    install(site.tree, name).map_err(|error| Error::new(ErrorKind::BadInput, error.to_string()))
}

/// A unit to enable: its name, what was found before any link was made, and the unit that enables
/// it as well.
type Enabled = (Vec<u8>, Option<Installable>, Option<Vec<u8>>);

/// Makes the links of units, and of those that are enabled with them.
fn enable(site: &mut Site<'_>, units: Vec<(Vec<u8>, Option<Installable>)>) -> Result<()> {
    let mut left: VecDeque<Enabled> = units.into_iter().map(|(name, found)| (name, found, None)).collect();
    let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
    while let Some((name, found, by)) = left.pop_front() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let found = match found {
            Some(found) => Some(found),
            None => find(site, &name)?,
        };
        match found {
            Some(Installable::Unit(install)) => {
                link(site, &name, &install)?;
                left.extend(install.also.into_iter().map(|also| (also, None, Some(name.clone()))));
            }
            Some(Installable::Alias(of)) => left.push_front((of, None, by)),
            found => {
                let what = match found {
                    Some(Installable::Masked) => "is masked",
                    Some(Installable::Linked) => "is a link to another file of its name",
                    _ => "is not in the tree",
                };
                let by = by.map_or_else(String::new, |by| format!(", which {} enables as well,", Shown(&by)));
                site.problem(format!("{}{by} {what}", Shown(&name)));
            }
        }
    }
    Ok(())
}

/// Makes the links of one unit.
fn link(site: &mut Site<'_>, name: &[u8], install: &Install) -> Result<()> {
    for invalid in &install.invalid {
        site.problem(format!("{} cannot be linked as \"{}\"", Shown(name), Shown(invalid)));
    }
    let target = linked_path(site, &install.path)?;
    for InstallLink { path, is_alias } in &install.links {
        let path = join(LINKS, path);
        match site.find_link(&path) {
            Some(id) if !matches!(site.tree.get(id).kind, Kind::Symlink(_)) => {
                site.problem(format!("{} is not linked: {} is not a link", Shown(name), Shown(&path)));
            }
            // The same file by another path.
            Some(_) if site.find(&path).is_some() && site.find(&path) == site.find(&target) => {}
            Some(_) if *is_alias => {
                site.problem(format!("{} is not linked: {} leads elsewhere", Shown(name), Shown(&path)));
            }
            _ => site.symlink(&path, &target)?,
        }
    }
    Ok(())
}

/// Returns the path of a unit's file as links have it: a systemd that was built for a `/lib` of its
/// own writes that.
fn linked_path(site: &Site<'_>, path: &[u8]) -> Result<Vec<u8>> {
    let Some(name) = path.strip_prefix(UNITS) else { return Ok(path.to_vec()) };
    if site.find(UNITS).is_some() && site.find(UNITS) == site.find(OLD_UNITS) {
        let list = site.text(b"/var/lib/dpkg/info/systemd.list")?.unwrap_or_default();
        if list.split(|byte| *byte == b'\n').any(|line| line == OLD_UNITS) {
            return Ok([OLD_UNITS, name].concat());
        }
    }
    Ok(path.to_vec())
}

/// Removes the links to units and to those that are disabled with them, and the directories that
/// are empty then.
fn disable(site: &mut Site<'_>, units: Vec<Vec<u8>>) -> Result<()> {
    let mut left: VecDeque<Vec<u8>> = units.into();
    let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
    while let Some(name) = left.pop_front() {
        match find(site, &name)? {
            Some(Installable::Unit(install)) if names.insert(name.clone()) => left.extend(install.also),
            Some(Installable::Alias(of)) => left.push_front(of),
            _ => {}
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    // Links to a link that was removed go as well.
    let mut removed: BTreeSet<Vec<u8>> = BTreeSet::new();
    loop {
        let found = links(site, &names, &removed);
        if found.is_empty() {
            return Ok(());
        }
        for path in found {
            site.remove(&path);
            let above = parent(&path);
            if above != LINKS && site.names(above).is_empty() {
                site.remove(above);
            }
            removed.insert(path);
        }
    }
}

/// Returns the links that have one of the names or lead to a file of one, or to one of the paths.
fn links(site: &Site<'_>, names: &BTreeSet<Vec<u8>>, paths: &BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut add = |path: Vec<u8>, id: InodeId| {
        let Kind::Symlink(target) = &site.tree.get(id).kind else { return };
        let name = base_name(&path);
        let end = trace_in_root(site.tree, &path, &mut 0).map(|end| end.path);
        let end = end.unwrap_or_else(|_| join_link(parent(&path), target.as_bytes()));
        let is_meant = names.contains(name) || names.contains(base_name(&end)) || paths.contains(&end);
        if is_meant && install(site.tree, name).is_ok_and(|found| found.is_some()) {
            found.push(path);
        }
    };
    let directory = |id: InodeId| site.tree.entries(id).into_iter().flat_map(BTreeMap::iter);
    let Some(root) = site.find(LINKS) else { return found };
    for (name, id) in directory(root) {
        let path = join(LINKS, name.as_bytes());
        for (name, id) in directory(*id) {
            add(join(&path, name.as_bytes()), *id);
        }
        add(path, *id);
    }
    found
}

/// Returns the target of a link as a path of the tree.
fn join_link(directory: &[u8], target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") { target.to_vec() } else { join(directory, target) }
}
