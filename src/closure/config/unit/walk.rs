//! The walk from requested units to all that they pull in.

use std::collections::{BTreeMap, VecDeque};

use image_tree::{Content, Directories};

use super::chain::{Chains, OF, Pull, REQUIRED, STARTED, UNIT, WANTED};
use super::examined::Unit;
use super::load::{Link, Loaded, load};
use super::model::{Follow, Units};
use super::name::{self, UnitName};
use super::settings::Settings;
use super::{command, condition, needs, root};
use crate::closure::Kind;
use crate::closure::dependency::Target;
use crate::closure::error::Result;

/// The maximum number of units in a closure. A distribution has some hundreds.
const MAX_UNITS: usize = 10_000;

/// The maximum number of files that units name. A distribution's name some thousands.
const MAX_FILES: usize = 200_000;

/// The maximum number of relations between units that are followed: many units may be links to one
/// file with many relations.
const MAX_RELATIONS: usize = 1_000_000;

/// The part of a unit's relations that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// As for the default target: what it requires, and targets that it wants. Of other wanted
    /// units only the links are kept, and only of those that something else pulls in.
    Frame,
    /// All.
    Full,
}

/// A unit to be examined.
struct Request {
    name: UnitName,
    pull: Pull,
    extent: Extent,
    node: usize,
}

/// A walk through the units of a tree.
pub struct Walk<'t, T> {
    tree: &'t T,
    follow: Follow,
    chains: Chains,
    units: Units,
    /// The units already examined, with the strongest pull and the widest extent so far.
    seen: BTreeMap<Vec<u8>, (Pull, Extent)>,
    /// The units to examine, the next one first: near ones before those that these pull in, so that
    /// chains are short.
    pending: VecDeque<Request>,
    /// Links to units in the `.wants` directories of a frame.
    links: Vec<(Link, usize)>,
}

impl<'t, T: Directories<Content: Content>> Walk<'t, T> {
    /// Starts a walk.
    #[must_use]
    pub fn new(tree: &'t T, follow: Follow) -> Self {
        Self {
            tree,
            follow,
            chains: Chains::default(),
            units: Units::default(),
            seen: BTreeMap::new(),
            pending: VecDeque::new(),
            links: Vec::new(),
        }
    }

    /// Adds a unit that must exist.
    ///
    /// # Errors
    /// Returns an error if the name is not that of a unit.
    pub fn request(&mut self, unit: &[u8]) -> Result<()> {
        let name = UnitName::parse(unit).ok_or_else(|| name::not_a_unit(unit))?;
        let node = self.chains.add(unit, "requested", None);
        self.pending.push_back(Request { name, pull: Pull::Requested, extent: Extent::Full, node });
        Ok(())
    }

    /// Adds a unit that need not exist, with the origin of the wish: "started by udev". A name that
    /// is not valid is ignored, as by systemd.
    pub fn want(&mut self, unit: &[u8], origin: &'static str) {
        let node = self.chains.add(unit, origin, None);
        self.add(unit, Pull::Wanted, Extent::Full, node);
    }

    /// Adds a unit that a file wants, which need not exist.
    pub fn want_by(&mut self, unit: &[u8], file: &[u8]) {
        let by = self.chains.add(file, "a file that is kept", None);
        let node = self.chains.add(unit, WANTED, Some(by));
        self.add(unit, Pull::Wanted, Extent::Full, node);
    }

    /// Adds a target of which only the frame is kept: what it requires, and the targets that it
    /// wants. A link to another unit that it wants is kept if that unit is.
    pub fn frame(&mut self, unit: &[u8], origin: &'static str) {
        let node = self.chains.add(unit, origin, None);
        self.add(unit, Pull::Wanted, Extent::Frame, node);
    }

    fn add(&mut self, unit: &[u8], pull: Pull, extent: Extent, node: usize) {
        if let Some(name) = UnitName::parse(unit) {
            self.pending.push_back(Request { name, pull, extent, node });
        }
    }

    /// Examines all units added so far, and those that they pull in.
    ///
    /// # Errors
    /// Returns an error if a requested unit is not in the tree, or a file cannot be read.
    pub fn run(&mut self) -> Result<()> {
        while let Some(request) = self.pending.pop_front() {
            self.take(&request)?;
        }
        Ok(())
    }

    /// Returns true if the tree has a unit.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read.
    pub fn exists(&self, unit: &[u8]) -> Result<bool> {
        let name = UnitName::parse(unit).ok_or_else(|| name::not_a_unit(unit))?;
        Ok(load(self.tree, &name)?.is_some())
    }

    /// Returns the units found so far.
    #[must_use]
    pub fn units(&self) -> &Units {
        &self.units
    }

    /// Returns true if a unit is in the closure with all that it pulls in.
    #[must_use]
    pub fn has(&self, unit: &[u8]) -> bool {
        self.seen.get(unit).is_some_and(|(_, extent)| *extent == Extent::Full)
    }

    /// Returns the result.
    #[must_use]
    pub fn finish(mut self) -> Units {
        for (link, node) in std::mem::take(&mut self.links) {
            if self.units.names.contains(&link.unit) {
                let reason = format!("is a link{OF}{}", self.chains.text(node));
                self.units.dependencies.add(Target::Name(link.path), Kind::Configured, true, reason);
            }
        }
        self.units
    }

    fn take(&mut self, request: &Request) -> Result<()> {
        let name = request.name.as_bytes();
        let place = (request.pull, request.extent);
        match self.seen.get(name) {
            Some((pull, extent)) if *pull >= place.0 && *extent >= place.1 => return Ok(()),
            // Already examined; only its being mandatory, or what it wants, is new.
            Some(_) => {}
            None if self.seen.len() == MAX_UNITS => {
                self.limit(format!("more than {MAX_UNITS} units are pulled in; the rest are skipped"));
                return Ok(());
            }
            None => {}
        }
        let before = self.seen.get(name).copied().unwrap_or(place);
        self.seen.insert(name.to_vec(), (before.0.max(place.0), before.1.max(place.1)));
        let Some(loaded) = load(self.tree, &request.name)? else {
            return self.missing(request);
        };
        if self.units.dependencies.known.len() > MAX_FILES {
            self.limit(format!("units name more than {MAX_FILES} files; those of the rest are skipped"));
            return Ok(());
        }
        self.units.names.extend([name.to_vec(), loaded.name.as_bytes().to_vec()]);
        self.add_files(request, &loaded);
        if let Some(settings) = &loaded.settings {
            self.examine(request, &loaded.name, settings);
        }
        self.follow_links(request, loaded.linked);
        Ok(())
    }

    fn limit(&mut self, message: String) {
        let unknown = &mut self.units.dependencies.unknown;
        if !unknown.contains(&message) {
            unknown.push(message);
        }
    }

    fn missing(&mut self, request: &Request) -> Result<()> {
        let name = request.name.as_bytes();
        match request.pull {
            Pull::Requested => Err(name::not_in_tree(name)),
            Pull::Required if !request.name.may_be_made_at_boot() => {
                let chain = self.chains.text(request.node);
                self.units.dependencies.unknown.push(format!("the unit {chain}, is not in the tree"));
                Ok(())
            }
            Pull::Required | Pull::Wanted => Ok(()),
        }
    }

    fn add_files(&mut self, request: &Request, loaded: &Loaded) {
        let reason = format!("{UNIT}{}", self.chains.text(request.node));
        for file in &loaded.files {
            self.units.dependencies.configured(file, true, reason.clone());
        }
        for name in &loaded.names {
            self.units.dependencies.add(Target::Name(name.clone()), Kind::Configured, true, reason.clone());
        }
    }

    /// Adds what the settings of a unit name.
    fn examine(&mut self, request: &Request, name: &UnitName, settings: &Settings) {
        let chain = self.chains.text(request.node);
        let starts = condition::may_start(self.tree, name, settings);
        let unit = Unit { name, settings, chain: &chain, starts };
        let found = &mut self.units.dependencies;
        self.units.programs.extend(command::add_programs(&unit, found));
        root::add(self.tree, &unit, found);
        needs::add(self.tree, &unit, found);
        condition::add(self.tree, &unit, found);
        needs::add_accounts(&unit, &mut self.units.accounts);
        self.units.pam.extend(needs::pam(&unit));
        self.relations(request, name, settings);
    }

    fn relations(&mut self, request: &Request, name: &UnitName, settings: &Settings) {
        if self.follow >= Follow::Dependencies {
            for (key, pull) in [
                ("Requires", Pull::Required),
                ("Requisite", Pull::Required),
                ("BindsTo", Pull::Required),
                ("Wants", Pull::Wanted),
                ("Upholds", Pull::Wanted),
            ] {
                self.push_all(request, name, settings.list("Unit", key), pull);
            }
            self.push_all(request, name, settings.list("Service", "Sockets"), Pull::Wanted);
            self.push_implicit(request, name, settings);
        }
        if self.follow == Follow::All && request.extent == Extent::Full {
            for key in ["OnFailure", "OnSuccess"] {
                self.push_all(request, name, settings.list("Unit", key), Pull::Wanted);
            }
            self.push_triggered(request, name, settings);
        }
    }

    fn follow_links(&mut self, request: &Request, links: Vec<Link>) {
        for link in links {
            let pull = if link.relation == b"requires" { Pull::Required } else { Pull::Wanted };
            if self.follow >= Follow::Dependencies {
                self.push(request, &link.unit, pull);
            }
            if request.extent == Extent::Frame {
                self.links.push((link, request.node));
            } else {
                let reason = format!("is a link{OF}{}", self.chains.text(request.node));
                self.units.dependencies.add(Target::Name(link.path), Kind::Configured, true, reason);
            }
        }
    }

    /// Adds the implicit requirements of a unit, which depend on its type.
    fn push_implicit(&mut self, request: &Request, name: &UnitName, settings: &Settings) {
        let is_early = settings.boolean("Unit", "DefaultDependencies") == Some(false);
        let has_sysinit = [&b"service"[..], b"socket", b"timer", b"path"].contains(&name.kind());
        if has_sysinit && !is_early {
            self.push(request, b"sysinit.target", Pull::Required);
        }
        let on_bus = match settings.last("Service", "Type") {
            Some(kind) => kind == b"dbus",
            None => settings.last("Service", "BusName").is_some(),
        };
        if on_bus {
            self.push(request, b"dbus.socket", Pull::Required);
        }
        if let Some(slice) = settings.list_of_any("Slice").last() {
            self.push(request, &name.expand(slice).text, Pull::Required);
        }
        // A mount unit of such a name need not exist.
        let mounts = ["RequiresMountsFor", "WantsMountsFor"].map(|key| settings.list("Unit", key));
        for path in mounts.into_iter().flatten().map(|path| name.expand(&path)).filter(|path| path.is_known) {
            for unit in name::mounts_for(&path.text) {
                self.push(request, &unit, Pull::Wanted);
            }
        }
    }

    fn push_triggered(&mut self, request: &Request, name: &UnitName, settings: &Settings) {
        let stated = match name.kind() {
            b"socket" => settings.last("Socket", "Service"),
            b"timer" => settings.last("Timer", "Unit"),
            b"path" => settings.last("Path", "Unit"),
            b"automount" => None,
            _ => return,
        };
        let triggered = match stated {
            Some(unit) => name.expand(unit).text,
            None if name.kind() == b"automount" => name.with_kind(b"mount"),
            // Each connection has its own instance, whose name is known only at run time.
            None if settings.boolean("Socket", "Accept") == Some(true) => name.template_of_kind(b"service"),
            None => name.with_kind(b"service"),
        };
        self.push_as(request, &triggered, Pull::Required, STARTED);
    }

    fn push_all(&mut self, request: &Request, by: &UnitName, units: Vec<Vec<u8>>, pull: Pull) {
        for unit in units {
            let expanded = by.expand(&unit);
            if expanded.is_known {
                self.push(request, &expanded.text, pull);
            } else {
                let chain = self.chains.text(request.node);
                self.units.dependencies.unknown.push(format!(
                    "\"{}\" is pulled in by {chain}: a part is known only at run time",
                    unit.escape_ascii()
                ));
            }
        }
    }

    fn push(&mut self, request: &Request, unit: &[u8], pull: Pull) {
        let relation = if pull == Pull::Wanted { WANTED } else { REQUIRED };
        self.push_as(request, unit, pull, relation);
    }

    fn push_as(&mut self, request: &Request, unit: &[u8], pull: Pull, relation: &'static str) {
        let Some(name) = UnitName::parse(unit) else {
            // A template pulls in ".device" for "%i.device", which only an instance completes.
            if request.name.instance() == Some(b"") {
                return;
            }
            let chain = self.chains.text(request.node);
            self.units.dependencies.unknown.push(format!(
                "\"{}\" is pulled in by {chain}: it is not the name of a unit",
                unit.escape_ascii()
            ));
            return;
        };
        let extent = match request.extent {
            Extent::Full => Extent::Full,
            // It sets up the system for everything else.
            Extent::Frame if unit == b"sysinit.target" => Extent::Full,
            Extent::Frame if name.kind() == b"target" => Extent::Frame,
            Extent::Frame if pull == Pull::Required => Extent::Full,
            Extent::Frame => return,
        };
        if self.chains.len() == MAX_RELATIONS {
            self.limit(format!("units have more than {MAX_RELATIONS} relations; the rest are skipped"));
            return;
        }
        let node = self.chains.add(unit, relation, Some(request.node));
        self.pending.push_back(Request { name, pull, extent, node });
    }
}
