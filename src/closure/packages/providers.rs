//! The packages that provide a capability.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content, Directories};

use super::error::Result;
use super::installed::{Installed, System};
use super::model::{Capability, MultiArch, Package, Requirement};

/// The installed packages by what they provide.
pub(super) struct Providers<'i, 't, T> {
    installed: &'i Installed<'t, T>,
    /// Each with its position in the list of what the package provides; `None` for its name.
    by_name: BTreeMap<&'i [u8], Vec<(usize, Option<usize>)>>,
    /// The packages that have a file, for the paths that some package requires.
    by_path: BTreeMap<&'i [u8], Vec<usize>>,
}

impl<'i, 't, T: Directories<Content: Content>> Providers<'i, 't, T> {
    /// Indexes what the packages provide.
    ///
    /// # Errors
    /// Returns an error if a list of files cannot be read.
    pub(super) fn new(installed: &'i Installed<'t, T>) -> Result<Self> {
        let mut by_name: BTreeMap<&[u8], Vec<(usize, Option<usize>)>> = BTreeMap::new();
        let mut paths = BTreeSet::new();
        for (index, entry) in installed.entries.iter().enumerate() {
            let Package { name, provides, requires, .. } = &entry.package;
            by_name.entry(name).or_default().push((index, None));
            for (position, capability) in provides.iter().enumerate() {
                by_name.entry(&capability.name).or_default().push((index, Some(position)));
            }
            if entry.system == System::Rpm {
                requires.iter().for_each(|requirement| add_paths(requirement, &mut paths));
            }
        }
        paths.retain(|path| !by_name.contains_key(path));
        let by_path = by_path(installed, &paths)?;
        Ok(Self { installed, by_name, by_path })
    }

    /// Finds packages that meet a dependency of one, and adds them. Returns false if a part of it
    /// is not met. A package that is selected already has precedence.
    pub(super) fn meet(
        &self,
        requirement: &Requirement,
        from: usize,
        selected: &BTreeSet<usize>,
        found: &mut Vec<usize>,
    ) -> bool {
        match requirement {
            Requirement::Package(capability) => match self.provider(capability, from, selected) {
                Some(index) => {
                    found.push(index);
                    true
                }
                None => false,
            },
            Requirement::Any(alternatives) => {
                let mut first = None;
                for alternative in alternatives {
                    let mut one = Vec::new();
                    if self.meet(alternative, from, selected, &mut one) {
                        if one.iter().all(|index| selected.contains(index)) {
                            return true;
                        }
                        first = first.or(Some(one));
                    }
                }
                let is_met = first.is_some();
                found.extend(first.into_iter().flatten());
                is_met
            }
            Requirement::All(all) => {
                let met = all.iter().filter(|one| self.meet(one, from, selected, found)).count();
                met == all.len()
            }
            Requirement::If { condition, then, otherwise } => {
                let is_met = self.meet(condition, from, selected, &mut Vec::new());
                let next = if is_met { then } else { otherwise };
                next.as_ref().is_none_or(|next| self.meet(next, from, selected, found))
            }
        }
    }

    /// Returns the package that provides a capability to another. Of several, the one that is
    /// selected already, that has the version, has the capability as its name, or is of the same
    /// architecture, in this order; else the first of the database.
    fn provider(&self, wanted: &Capability, from: usize, selected: &BTreeSet<usize>) -> Option<usize> {
        let entry = |index: usize| &self.installed.entries[index];
        let named = self.by_name.get(&wanted.name[..]).into_iter().flatten().copied();
        let owning = self.by_path.get(&wanted.name[..]).into_iter().flatten().map(|index| (*index, None));
        let usable = named.chain(owning).filter(|(index, _)| {
            entry(*index).system == entry(from).system && self.may_serve(wanted, from, *index)
        });
        let rank = |(index, position): &(usize, Option<usize>)| {
            let package = &entry(*index).package;
            let version = position.and_then(|position| package.provides[position].version.as_ref());
            let has_version = wanted.version.is_none() || wanted.version.as_ref() == version;
            let is_same = package.architecture == entry(from).package.architecture;
            (*index != from, !has_version, !selected.contains(index), position.is_some(), !is_same, *index)
        };
        usable.min_by_key(rank).map(|(index, _)| index)
    }

    /// Returns true if dpkg accepts a package of that architecture. Names in the other databases
    /// have the architecture if it matters.
    fn may_serve(&self, wanted: &Capability, from: usize, index: usize) -> bool {
        let package = &self.installed.entries[index].package;
        let native = self.installed.native();
        let of = |architecture: &[u8]| {
            if architecture == b"all" { native.to_vec() } else { architecture.to_vec() }
        };
        let own = of(&self.installed.entries[from].package.architecture);
        let its = of(&package.architecture);
        match wanted.architecture.as_deref() {
            _ if self.installed.entries[index].system != System::Dpkg => true,
            None => its == own || package.multi_arch == MultiArch::Foreign,
            Some(b"any") => its == own || package.multi_arch != MultiArch::Same,
            Some(b"native") => its == native,
            Some(architecture) => its == architecture,
        }
    }
}

fn add_paths<'r>(requirement: &'r Requirement, paths: &mut BTreeSet<&'r [u8]>) {
    match requirement {
        Requirement::Package(capability) if capability.name.starts_with(b"/") => {
            paths.insert(&capability.name);
        }
        Requirement::Package(_) => {}
        Requirement::Any(all) | Requirement::All(all) => all.iter().for_each(|one| add_paths(one, paths)),
        Requirement::If { condition, then, otherwise } => {
            add_paths(condition, paths);
            then.iter().chain(otherwise).for_each(|one| add_paths(one, paths));
        }
    }
}

/// Returns the packages of rpm that have a file at one of the paths; with a merged `/usr`,
/// `/bin/x` is `/usr/bin/x`.
fn by_path<'p, T: Directories<Content: Content>>(
    installed: &Installed<'_, T>,
    paths: &BTreeSet<&'p [u8]>,
) -> Result<BTreeMap<&'p [u8], Vec<usize>>> {
    let mut found: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    if paths.is_empty() {
        return Ok(found);
    }
    let merged = paths.iter().map(|path| match path.strip_prefix(b"/usr") {
        Some(rest) if rest.starts_with(b"/") => (rest.to_vec(), *path),
        _ => ([b"/usr", *path].concat(), *path),
    });
    let merged: BTreeMap<Vec<u8>, &[u8]> = merged.collect();
    for (index, _) in installed.entries.iter().enumerate().filter(|(_, entry)| entry.system == System::Rpm) {
        for listed in installed.files(index)?.unwrap_or_default() {
            let path = paths.get(&listed.path[..]).or_else(|| merged.get(&listed.path));
            if let Some(path) = path {
                found.entry(path).or_default().push(index);
            }
        }
    }
    Ok(found)
}
