//! The walk from the requested modules to those that they need.

use std::collections::{BTreeSet, VecDeque};

use image_tree::path::join;
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Content, Directories};
use kmod_index::{Catalog, Config, Found, Listed};

use super::error::{Error, Result};
use super::firmware::Firmware;
use super::read;
use super::select::Selected;
use super::version::Version;
use crate::closure::dependency::{Dependencies, Dependency, Target};
use crate::closure::result::reason::Kind;

/// The most modules that others need, or have as soft or weak dependencies, each counted for each of
/// these.
const MAX_NEEDS: usize = 1 << 20;

/// A module that is needed.
struct Needed {
    name: Vec<u8>,
    /// The file of the module that needs it; `None` if it was requested.
    by: Option<Vec<u8>>,
    /// The origin, as a clause about its file.
    reason: String,
    /// True if it must exist, in a file or built in.
    required: bool,
}

pub(super) struct Walk<'w, T> {
    tree: &'w T,
    version: &'w Version,
    catalog: &'w Catalog,
    config: &'w Config,
    weak: bool,
    builtin: BTreeSet<&'w [u8]>,
    /// The modules whose needs are found.
    seen: BTreeSet<Vec<u8>>,
    pending: VecDeque<Needed>,
    /// The needs that were followed.
    needs: usize,
    firmware: Firmware,
    found: Dependencies,
}

impl<'w, T: Directories<Content: Content>> Walk<'w, T> {
    pub(super) fn new(
        tree: &'w T,
        version: &'w Version,
        catalog: &'w Catalog,
        config: &'w Config,
        weak: bool,
    ) -> Self {
        Self {
            tree,
            version,
            catalog,
            config,
            weak,
            builtin: catalog.builtin().collect(),
            seen: BTreeSet::new(),
            pending: VecDeque::new(),
            needs: 0,
            firmware: Firmware::default(),
            found: Dependencies::default(),
        }
    }

    /// Adds the modules that a request selects.
    pub(super) fn request(&mut self, text: &[u8], selected: Selected, required: bool) {
        for name in selected.names {
            let shown = name.escape_ascii();
            if selected.by_alias && self.config.is_blacklisted(&name) {
                let text = text.escape_ascii();
                self.found.unknown.push(format!(
                    "{text} is an alias of module {shown}, which modprobe.d puts on the blacklist: \
                     modprobe does not load it by an alias"
                ));
            }
            let reason = format!("is kernel module {shown}, requested by {}", text.escape_ascii());
            self.pending.push_back(Needed { name, by: None, reason, required });
        }
    }

    /// Follows what modules need, and returns all files.
    pub(super) fn run(mut self) -> Result<Dependencies> {
        while let Some(needed) = self.pending.pop_front() {
            self.take(needed)?;
        }
        self.found.unknown.extend(self.firmware.missing());
        Ok(self.found)
    }

    fn take(&mut self, needed: Needed) -> Result<()> {
        let Needed { name, by, reason, required } = needed;
        let Some(listed) = self.catalog.module(&name) else {
            self.report_commands(&name);
            let has_command = self.config.install_command(&name).is_some();
            if required && !has_command && !self.builtin.contains(&name[..]) {
                let path = join(&self.version.named, &[&name, &b".ko"[..]].concat());
                self.add(path, Kind::Module, true, reason, by);
            }
            return Ok(());
        };
        let path = join(&self.version.named, &listed.path);
        if !required && resolve_in_root(self.tree, &path).is_none() {
            return Ok(());
        }
        self.add(path.clone(), Kind::Module, true, reason, by);
        if self.seen.insert(name.clone()) {
            self.report_commands(&name);
            self.follow(&name, listed, &path)?;
        }
        Ok(())
    }

    fn follow(&mut self, name: &[u8], listed: &Listed, path: &[u8]) -> Result<()> {
        // A file that does not exist is reported as missing.
        let Ok(file) = trace_in_root(self.tree, path, &mut 0) else { return Ok(()) };
        let (shown, by) = (name.escape_ascii(), Some(file.path.clone()));
        for needed in &listed.dependencies {
            self.count()?;
            let reason = format!("is a module that {shown} needs");
            self.pending.push_back(Needed { name: needed.clone(), by: by.clone(), reason, required: true });
        }
        if let Some(soft) = self.config.soft_dependencies(name) {
            for wanted in soft.pre.iter().chain(&soft.post) {
                self.add_if_there(wanted, &by, &format!("is a soft dependency of module {shown}"))?;
            }
        }
        if self.weak {
            for wanted in self.config.weak_dependencies(name) {
                self.add_if_there(wanted, &by, &format!("is a weak dependency of module {shown}"))?;
            }
        }
        let info = read::info(self.tree, file.id, path)?;
        for wanted in &info.firmware {
            for path in self.firmware.find(self.tree, &self.version.name, name, wanted) {
                let reason = format!("is firmware of module {shown}");
                self.add(path, Kind::Firmware, false, reason, by.clone());
            }
        }
        Ok(())
    }

    /// Counts a need against the limit.
    fn count(&mut self) -> Result<()> {
        self.needs += 1;
        if self.needs > MAX_NEEDS {
            let why = format!("its modules need more than {MAX_NEEDS} others in all");
            return Err(Error::unusable(&self.version.path, why));
        }
        Ok(())
    }

    /// Adds the modules of a name or alias, as far as they have files.
    fn add_if_there(&mut self, wanted: &[u8], by: &Option<Vec<u8>>, reason: &str) -> Result<()> {
        self.count()?;
        let (Found::Configured(names) | Found::Modules(names)) = self.catalog.lookup(self.config, wanted)
        else {
            return Ok(());
        };
        for name in names {
            let (name, by, reason) = (name.to_vec(), by.clone(), reason.to_owned());
            self.pending.push_back(Needed { name, by, reason, required: false });
        }
        Ok(())
    }

    /// Reports the commands that modprobe runs in place of loading and removing a module.
    fn report_commands(&mut self, name: &[u8]) {
        let commands =
            [("loading", self.config.install_command(name)), ("removing", self.config.remove_command(name))];
        for (what, command) in commands {
            if let Some(command) = command {
                self.found.unknown.push(format!(
                    "in place of {what} module {} modprobe runs the command of modprobe.d \"{}\", \
                     whose needs are not known",
                    name.escape_ascii(),
                    command.escape_ascii()
                ));
            }
        }
    }

    fn add(&mut self, path: Vec<u8>, kind: Kind, required: bool, reason: String, by: Option<Vec<u8>>) {
        let target = Target::File(vec![path]);
        self.found.known.push(Dependency { target, kind, required, reason, by });
    }
}
