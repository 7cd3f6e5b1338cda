//! systemd units: the files of a unit, the units that it pulls in, and the programs that it starts.
//!
//! ```text
//!  name ──▶ search path ──▶ link to another unit: that one (an alias);  to /dev/null, or empty: masked
//!                     └───▶ file  +  NAME.d/*.conf  ──▶ settings ──▶ Exec...=      programs
//!                           NAME.wants/ .requires/ .upholds/    └──▶ Requires= ... units, and so on
//! ```
//!
//! `foo@bar.service` is the instance `bar` of `foo@.service` if it has no file of its own. Units
//! that generators create at boot are not in the tree; conditions and environments are ignored,
//! since they depend on the guest.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content, Directories};

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, Target};
use crate::closure::error::Result;
use image_tree::glob::NameGlob;

mod command;
mod load;
mod name;
mod search_path;
mod settings;

use load::{Loaded, load};
use name::UnitName;
pub use search_path::SEARCH_PATH;
use settings::Settings;

/// The maximum number of units in a closure. A distribution has some hundreds.
const MAX_UNITS: usize = 10_000;

/// The relations that are followed from unit to unit. Each choice includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follow {
    /// None.
    None,
    /// Units started together: `Wants=`, `Requires=`, `Requisite=`, `BindsTo=`, `Upholds=`,
    /// `Sockets=`, and the `sysinit.target` that a service requires by default.
    Dependencies,
    /// Also units that a socket, a timer, a path or an automount activates, and `OnFailure=` and
    /// `OnSuccess=`.
    All,
}

/// Returns the files of units, and the programs that they start.
///
/// Requested units must exist, as must those that are required by others. A unit that does not
/// exist is reported in [`Dependencies::unknown`], unless it is only wanted.
///
/// # Errors
/// Returns an error if a unit name is invalid, a requested unit is not in the tree, or a file
/// cannot be read.
pub fn dependencies<T: Directories<Content: Content>>(
    tree: &T,
    units: &[Vec<u8>],
    follow: Follow,
) -> Result<Dependencies> {
    let mut closure = UnitClosure {
        tree,
        dependencies: Dependencies::default(),
        seen: BTreeMap::new(),
        pending: Vec::new(),
    };
    for unit in units.iter().rev() {
        let name = UnitName::parse(unit).ok_or_else(|| name::not_a_unit(unit))?;
        closure.pending.push(Request { name, pull: Pull::Requested, by: Vec::new() });
    }
    while let Some(request) = closure.pending.pop() {
        closure.take(&request, follow)?;
    }
    Ok(closure.dependencies)
}

/// The strength of the relation that pulls in a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pull {
    Wanted,
    Required,
    Requested,
}

struct Request {
    name: UnitName,
    pull: Pull,
    by: Vec<u8>,
}

struct UnitClosure<'t, T> {
    tree: &'t T,
    dependencies: Dependencies,
    /// The units already examined, with the strongest pull so far.
    seen: BTreeMap<Vec<u8>, Pull>,
    pending: Vec<Request>,
}

impl<T: Directories<Content: Content>> UnitClosure<'_, T> {
    fn take(&mut self, request: &Request, follow: Follow) -> Result<()> {
        let name = request.name.as_bytes();
        match self.seen.get(name) {
            Some(before) if *before >= request.pull => return Ok(()),
            // Already examined; only its being mandatory is new.
            Some(_) => {}
            None if self.seen.len() == MAX_UNITS => {
                let message = format!("more than {MAX_UNITS} units are pulled in; the rest are skipped");
                if self.dependencies.unknown.last() != Some(&message) {
                    self.dependencies.unknown.push(message);
                }
                return Ok(());
            }
            None => {}
        }
        self.seen.insert(name.to_vec(), request.pull);
        let Some(loaded) = load(self.tree, &request.name)? else {
            return self.missing(request);
        };
        self.add_files(request, &loaded);
        if let Some(settings) = &loaded.settings {
            self.dependencies_of(&loaded.name, settings, follow);
        }
        if follow >= Follow::Dependencies {
            for (directory_kind, unit) in &loaded.linked {
                let pull = if directory_kind == b"requires" { Pull::Required } else { Pull::Wanted };
                self.push(unit, pull, &loaded.name);
            }
        }
        Ok(())
    }

    fn missing(&mut self, request: &Request) -> Result<()> {
        let name = request.name.as_bytes().escape_ascii();
        match request.pull {
            Pull::Requested => return Err(name::not_in_tree(request.name.as_bytes())),
            Pull::Required => {
                let by = request.by.escape_ascii();
                self.dependencies
                    .unknown
                    .push(format!("the unit {name}, which {by} requires, is not in the tree"));
            }
            Pull::Wanted => {}
        }
        Ok(())
    }

    fn add_files(&mut self, request: &Request, loaded: &Loaded) {
        let unit = request.name.as_bytes().escape_ascii();
        let reason = match request.pull {
            Pull::Requested => format!("is the unit {unit}"),
            Pull::Required => format!("is the unit {unit}, which {} requires", request.by.escape_ascii()),
            Pull::Wanted => format!("is the unit {unit}, which {} pulls in", request.by.escape_ascii()),
        };
        for file in &loaded.files {
            self.dependencies.configured(file, true, reason.clone());
        }
        for name in &loaded.names {
            self.dependencies.add(Target::Name(name.clone()), Kind::Configured, true, reason.clone());
        }
    }

    fn dependencies_of(&mut self, name: &UnitName, settings: &Settings, follow: Follow) {
        command::add_programs(&mut self.dependencies, name, settings);
        if follow >= Follow::Dependencies {
            for (key, pull) in [
                ("Requires", Pull::Required),
                ("Requisite", Pull::Required),
                ("BindsTo", Pull::Required),
                ("Wants", Pull::Wanted),
                ("Upholds", Pull::Wanted),
            ] {
                self.push_all(settings.list("Unit", key), pull, name);
            }
            self.push_all(settings.list("Service", "Sockets"), Pull::Wanted, name);
            self.push_implicit(name, settings);
        }
        if follow == Follow::All {
            self.push_all(settings.list("Unit", "OnFailure"), Pull::Wanted, name);
            self.push_all(settings.list("Unit", "OnSuccess"), Pull::Wanted, name);
            self.push_triggered(name, settings);
        }
    }

    /// Adds the implicit requirements of a unit, which depend on its type.
    fn push_implicit(&mut self, name: &UnitName, settings: &Settings) {
        let is_early = settings.last("Unit", "DefaultDependencies").is_some_and(|value| {
            matches!(value.to_ascii_lowercase().as_slice(), b"no" | b"n" | b"false" | b"f" | b"off" | b"0")
        });
        let has_sysinit = [&b"service"[..], b"socket", b"timer", b"path"].contains(&name.kind());
        if has_sysinit && !is_early {
            self.push(b"sysinit.target", Pull::Required, name);
        }
        if let Some(slice) = settings.list_of_any("Slice").last() {
            self.push(&name.expand(slice).text, Pull::Required, name);
        }
    }

    fn push_triggered(&mut self, name: &UnitName, settings: &Settings) {
        let stated = match name.kind() {
            b"socket" => settings.last("Socket", "Service"),
            b"timer" => settings.last("Timer", "Unit"),
            b"path" => settings.last("Path", "Unit"),
            b"automount" => None,
            _ => return,
        };
        let accepts = settings.last("Socket", "Accept");
        let is_yes = |value: &[u8]| matches!(value, b"yes" | b"true" | b"on" | b"1" | b"y" | b"t");
        let triggered = match stated {
            Some(unit) => name.expand(unit).text,
            None if name.kind() == b"automount" => name.with_kind(b"mount"),
            // Each connection has its own instance, whose name is known only at run time.
            None if accepts.is_some_and(is_yes) => name.template_of_kind(b"service"),
            None => name.with_kind(b"service"),
        };
        self.push(&triggered, Pull::Required, name);
    }

    fn push_all(&mut self, units: Vec<Vec<u8>>, pull: Pull, by: &UnitName) {
        for unit in units {
            let expanded = by.expand(&unit);
            if expanded.is_known {
                self.push(&expanded.text, pull, by);
            } else {
                self.dependencies.unknown.push(format!(
                    "{} pulls in \"{}\", of which a part is known only at run time",
                    by.as_bytes().escape_ascii(),
                    unit.escape_ascii()
                ));
            }
        }
    }

    fn push(&mut self, unit: &[u8], pull: Pull, by: &UnitName) {
        match UnitName::parse(unit) {
            Some(name) => self.pending.push(Request { name, pull, by: by.as_bytes().to_vec() }),
            None => self.dependencies.unknown.push(format!(
                "{} pulls in \"{}\", which is not the name of a unit",
                by.as_bytes().escape_ascii(),
                unit.escape_ascii()
            )),
        }
    }
}

/// Returns the names of the units in the tree that match a shell pattern, sorted; for recipes that
/// request many.
#[must_use]
pub fn matching<T: Directories>(tree: &T, pattern: &NameGlob) -> BTreeSet<Vec<u8>> {
    let directories = SEARCH_PATH.iter().filter_map(|path| image_tree::resolve::resolve_in_root(tree, path));
    let names = directories.filter_map(|inode| tree.entries(inode)).flat_map(BTreeMap::keys);
    let names = names.map(|name| name.as_bytes()).filter(|name| UnitName::parse(name).is_some());
    names.filter(|name| pattern.matches(name)).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
