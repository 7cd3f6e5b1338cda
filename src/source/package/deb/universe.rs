//! All packages that may be selected: one version for each name and architecture, as apt's policy
//! chooses it.

use std::collections::HashMap;

use super::index::{Index, Listed, MultiArch};
use super::preferences::{Preferences, ReleaseFacts};
use super::relation::Relation;
use super::version;

/// An index with the properties of its archive that decide between versions.
pub struct Ranked<'i> {
    /// The index.
    pub index: &'i Index,
    /// The priority of its packages without preferences; packages of a priority below 0 are left out.
    pub priority: i32,
    /// The properties that preferences match; `None` for files of the host, which always win.
    pub release: Option<ReleaseFacts<'i>>,
}

/// The number of a package in a universe.
pub type Id = u32;

/// A package that may be selected.
#[derive(Clone, Copy, Debug)]
pub struct Package<'i> {
    /// Its entry in the index.
    pub listed: Listed<'i>,
    /// The number of its name.
    pub name: u32,
    /// The number of its architecture; that of `all` is the native one.
    pub architecture: usize,
    /// The number of its index.
    pub index: usize,
    /// Its priority by the archive and preferences.
    priority: i32,
    /// Its number in the index.
    entry: usize,
}

/// All packages that may be selected.
pub struct Universe<'i> {
    indices: &'i [Ranked<'i>],
    /// The architectures, the native one first.
    architectures: Vec<String>,
    numbers: HashMap<&'i [u8], u32>,
    names: Vec<&'i [u8]>,
    packages: Vec<Package<'i>>,
    /// The package of each name and architecture.
    slots: Vec<Option<Id>>,
    /// Provided names with packages and versions, in the order of names.
    provided: Vec<(u32, Id, Option<&'i [u8]>)>,
}

impl<'i> Universe<'i> {
    /// Returns the packages of indices in order, for these architectures, the native one first.
    #[must_use]
    pub fn new(indices: &'i [Ranked<'i>], architectures: Vec<String>, preferences: &Preferences) -> Self {
        let mut universe = Self {
            indices,
            architectures,
            numbers: HashMap::new(),
            names: Vec::new(),
            packages: Vec::new(),
            slots: Vec::new(),
            provided: Vec::new(),
        };
        let globals: Vec<Vec<u32>> = indices.iter().map(|one| universe.number_names(one.index)).collect();
        universe.slots = vec![None; universe.names.len() * universe.architectures.len()];
        for (number, (one, global)) in indices.iter().zip(&globals).enumerate() {
            universe.choose(number, one, global, preferences);
        }
        for (number, (one, global)) in indices.iter().zip(&globals).enumerate() {
            universe.list_provided(number, one.index, global);
        }
        // The order of packages of one name is that of their numbers.
        universe.provided.sort_unstable_by_key(|(name, package, _)| (*name, *package));
        universe
    }

    /// Gives numbers to the names of an index, and returns them.
    fn number_names(&mut self, index: &'i Index) -> Vec<u32> {
        let Self { numbers, names, .. } = self;
        numbers.reserve(index.names().len());
        let number = |name: &'i [u8]| {
            let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
            *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                next
            })
        };
        index.names().map(number).collect()
    }

    /// Takes the packages of an index that are preferred to those that were taken.
    fn choose(&mut self, index: usize, one: &Ranked<'i>, global: &[u32], preferences: &Preferences) {
        for (entry, listed) in one.index.packages().enumerate() {
            let Some(architecture) = self.architecture(listed.architecture) else { continue };
            let name = global[listed.name];
            let priority = match &one.release {
                Some(release) => {
                    preferences.priority(self.names[name as usize], listed.version, release, one.priority)
                }
                None => i32::MAX,
            };
            if priority < 0 {
                continue;
            }
            let package = Package { listed, name, architecture, index, priority, entry };
            let slot = &mut self.slots[name as usize * self.architectures.len() + architecture];
            match *slot {
                Some(id) => {
                    let other = &mut self.packages[id as usize];
                    let order = priority.cmp(&other.priority);
                    // Of equal ones, the first counts.
                    if order.then_with(|| version::compare(listed.version, other.listed.version)).is_gt() {
                        *other = package;
                    }
                }
                None => {
                    *slot = Some(u32::try_from(self.packages.len()).unwrap_or(u32::MAX));
                    self.packages.push(package);
                }
            }
        }
    }

    fn list_provided(&mut self, number: usize, index: &'i Index, global: &[u32]) {
        for (name, entry, version) in index.provided() {
            let Some(listed) = index.package(entry) else { continue };
            let Some(architecture) = self.architecture(listed.architecture) else { continue };
            let slot = self.slot(global[listed.name], architecture);
            let is_chosen = |id: &Id| {
                let package = &self.packages[*id as usize];
                (package.index, package.entry) == (number, entry)
            };
            if let Some(id) = slot.filter(is_chosen) {
                self.provided.push((global[name], id, version));
            }
        }
    }

    /// Takes another version of a package: that of an index by its number there.
    pub fn take(&mut self, id: Id, version: &[u8]) -> bool {
        let old = self.packages[id as usize];
        let found = self.versions(old.name).find(|(_, listed)| {
            listed.version == version && self.architecture(listed.architecture) == Some(old.architecture)
        });
        let Some((index, listed)) = found else { return false };
        let entry = self.indices[index].index.packages().position(|one| one == listed);
        let entry = entry.unwrap_or_default();
        if (old.index, old.entry) == (index, entry) {
            return true;
        }
        self.packages[id as usize] = Package { listed, index, entry, ..old };
        self.provided.retain(|(_, package, _)| *package != id);
        let indices = self.indices;
        let one = indices[index].index;
        let names: Vec<&[u8]> = one.names().collect();
        let provided = one.provided().filter(|(_, package, _)| *package == entry);
        let provided =
            provided.filter_map(|(name, _, version)| Some((*self.numbers.get(names[name])?, id, version)));
        let provided: Vec<_> = provided.collect();
        self.provided.extend(provided);
        self.provided.sort_unstable_by_key(|(name, package, _)| (*name, *package));
        true
    }

    /// Returns the properties of the release of an index; `None` for files of the host.
    #[must_use]
    pub fn release(&self, index: usize) -> Option<ReleaseFacts<'i>> {
        self.indices[index].release
    }

    /// All packages that may be selected.
    #[must_use]
    pub fn packages(&self) -> &[Package<'i>] {
        &self.packages
    }

    /// Returns a package.
    #[must_use]
    pub fn package(&self, id: Id) -> &Package<'i> {
        &self.packages[id as usize]
    }

    /// The architectures, the native one first.
    #[must_use]
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// Returns the name of a package for messages, with its architecture if that is a foreign one.
    #[must_use]
    pub fn display_name(&self, id: Id) -> String {
        let package = self.package(id);
        let name = self.names[package.name as usize].escape_ascii();
        match package.architecture {
            0 => name.to_string(),
            foreign => format!("{name}:{}", self.architectures[foreign]),
        }
    }

    /// Returns the package of a name: the native one, or that of an architecture after a colon.
    #[must_use]
    pub fn find(&self, name: &[u8], architecture: Option<&[u8]>) -> Option<Id> {
        let number = *self.numbers.get(name)?;
        let native = 0..self.architectures.len();
        match architecture {
            None => native.into_iter().find_map(|one| self.slot(number, one)),
            Some(b"native") => self.slot(number, 0),
            Some(architecture) => self.slot(number, self.architecture(architecture)?),
        }
    }

    /// All versions of a name in all indices, with the number of the index.
    pub fn versions_of(&self, name: &[u8]) -> impl Iterator<Item = (usize, Listed<'i>)> {
        self.numbers.get(name).into_iter().flat_map(|number| self.versions(*number))
    }

    fn versions(&self, name: u32) -> impl Iterator<Item = (usize, Listed<'i>)> {
        let name = self.names[name as usize];
        let indices = self.indices.iter().enumerate();
        indices.flat_map(move |(number, one)| {
            let of_name = one.index.names().position(|other| other == name);
            let packages = one.index.packages().filter(move |listed| Some(listed.name) == of_name);
            packages.map(move |listed| (number, listed))
        })
    }

    /// All packages of a name that are provided by others: the package and its version.
    pub fn providers(&self, name: &[u8]) -> impl Iterator<Item = (Id, Option<&'i [u8]>)> {
        let number = self.numbers.get(name).copied();
        let range = number.map_or(0..0, |number| {
            let start = self.provided.partition_point(|(name, ..)| *name < number);
            let end = self.provided.partition_point(|(name, ..)| *name <= number);
            start..end
        });
        self.provided[range].iter().map(|(_, id, version)| (*id, *version))
    }

    /// Returns the packages that meet a dependency of a package of an architecture, the one that apt
    /// prefers first.
    #[must_use]
    pub fn targets(&self, relation: &Relation<'_>, architecture: usize) -> Vec<Id> {
        let mut targets = Vec::new();
        let number = self.numbers.get(relation.name).copied();
        for other in number.iter().flat_map(|_| 0..self.architectures.len()) {
            let Some(id) = number.and_then(|number| self.slot(number, other)) else { continue };
            let Listed { multi_arch, version, .. } = self.package(id).listed;
            let is_met = match relation.architecture {
                None => other == architecture || multi_arch == MultiArch::Foreign,
                Some(b"any") => multi_arch == MultiArch::Allowed,
                Some(b"native") => other == 0,
                Some(name) => self.architectures[other].as_bytes() == name,
            };
            if is_met && relation.accepts(version) {
                targets.push(id);
            }
        }
        for (id, version) in self.providers(relation.name) {
            let package = self.package(id);
            let is_met = match relation.architecture {
                None => {
                    package.architecture == architecture || package.listed.multi_arch == MultiArch::Foreign
                }
                Some(b"any") => package.listed.multi_arch == MultiArch::Allowed,
                Some(b"native") => package.architecture == 0,
                Some(name) => self.architectures[package.architecture].as_bytes() == name,
            };
            if is_met && relation.accepts_provided(version) && !targets.contains(&id) {
                targets.push(id);
            }
        }
        if let Some(b"any") = relation.architecture {
            // A name with `:any` can be provided as such.
            let name = [relation.name, b":any"].concat();
            let providers = self.providers(&name).filter(|(_, version)| relation.accepts_provided(*version));
            targets.extend(providers.map(|(id, _)| id));
        }
        targets.sort_by_key(|id| self.preference(*id, number));
        targets.dedup();
        targets
    }

    /// Returns the packages that a package refuses by a relation: those of all architectures.
    #[must_use]
    pub fn refused(&self, relation: &Relation<'_>, by: Id) -> Vec<Id> {
        let mut refused = Vec::new();
        let number = self.numbers.get(relation.name).copied();
        let is_of = |architecture: usize| match relation.architecture {
            None | Some(b"any") => true,
            Some(b"native") => architecture == 0,
            Some(name) => self.architectures[architecture].as_bytes() == name,
        };
        for other in 0..self.architectures.len() {
            let id = number.and_then(|number| self.slot(number, other)).filter(|_| is_of(other));
            refused.extend(id.filter(|id| relation.accepts(self.package(*id).listed.version)));
        }
        for (id, version) in self.providers(relation.name) {
            if is_of(self.package(id).architecture)
                && relation.accepts_provided(version)
                && !refused.contains(&id)
            {
                refused.push(id);
            }
        }
        // A package is not in conflict with itself, of whichever architecture.
        refused.retain(|id| *id != by && (self.package(*id).name != self.package(by).name));
        refused
    }

    /// Returns the packages that cannot be installed together with one because of the architecture.
    pub fn rivals(&self, id: Id) -> impl Iterator<Item = Id> {
        let own = self.package(id);
        let (name, same) = (own.name, own.listed.multi_arch == MultiArch::Same);
        let others = (0..self.architectures.len()).filter(move |other| *other != own.architecture);
        others.filter_map(move |other| self.slot(name, other)).filter(move |other| {
            let other = &self.package(*other).listed;
            let together = same && other.multi_arch == MultiArch::Same && other.version == own.listed.version;
            !together
        })
    }

    /// The order in which apt tries packages that meet a dependency on a name.
    fn preference(&self, id: Id, name: Option<u32>) -> impl Ord + use<> {
        let package = self.package(id);
        let listed = &package.listed;
        // Of equal ones, apt takes that which was mentioned last.
        let last = u32::MAX - package.name;
        (Some(package.name) != name, !listed.is_essential, package.architecture, listed.priority, last)
    }

    fn slot(&self, name: u32, architecture: usize) -> Option<Id> {
        self.slots.get(name as usize * self.architectures.len() + architecture).copied().flatten()
    }

    /// Returns the number of an architecture; `None` for one that packages are not selected of.
    fn architecture(&self, name: &[u8]) -> Option<usize> {
        if name == b"all" {
            return Some(0);
        }
        self.architectures.iter().position(|one| one.as_bytes() == name)
    }
}
