//! The closure of all requests, including the dependencies that kept files imply.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::path::parent;
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Content, Directories};
use rayon::ThreadPool;

use super::collect::Collector;
use super::implied::{self, Implied, Requested};
use super::optional;
use super::options::Options;
use super::unreadable::{OptionalFiles, Unreadable};
use super::{Search, units};
use crate::closure::accounts::NamedAccounts;
use crate::closure::config::systemd::is_systemd;
use crate::closure::dependency::{Dependency, Target};
use crate::closure::error::{Error, Result};
use crate::closure::ld_so::{cache, conf};
use crate::closure::packages::{self, Owners};
use crate::closure::requests::{Keep, Request};
use crate::closure::result::Closure;

/// The maximum number of rounds. Each adds dependencies that become known only with a dynamic
/// linker or library directory found in the previous one. In common systems the second round does
/// not add anything.
const MAX_ROUNDS: usize = 8;

/// The origins of dependencies, by the file that needs them, if it is known, and by their name.
pub type Notes = BTreeMap<(Option<Vec<u8>>, Vec<u8>), String>;

/// The kept part of a tree, and the messages about the search.
#[derive(Debug)]
pub struct Found {
    /// The kept part.
    pub closure: Closure,
    /// True if `/etc/ld.so.cache` is to be written for the kept part.
    pub needs_ld_cache: bool,
    /// True if systemd is kept with all that it needs.
    pub has_systemd: bool,
    /// The users and groups that kept units, rules and the like name.
    pub accounts: NamedAccounts,
    /// Warnings about dependencies that cannot be determined.
    pub unknown: Vec<String>,
    /// The packages that own the kept files, if they were to be looked up.
    pub owners: Owners,
    requested: Vec<Request>,
    implied: Vec<Dependency>,
}

impl Found {
    /// Finds the needed files, including those that the configuration of kept files requires.
    ///
    /// # Errors
    /// Returns an error if a request does not match anything, a file that states dependencies
    /// cannot be read, or the search exceeds its limits.
    pub fn new<T: Directories<Content: Content>>(
        tree: &T,
        keep: &Keep,
        pool: Option<&ThreadPool>,
        writes_ld_cache: bool,
    ) -> Result<Self> {
        let of_units = implied::requested(tree, keep)?;
        let library_paths = [&keep.library_paths[..], &of_units.found.library_paths].concat();
        let options = Options {
            hwcaps: keep.hwcaps.clone(),
            dlopen: keep.dlopen.clone(),
            pool,
            library_paths: &library_paths,
            before_proc: false,
        };
        let stated = of_units.found.dependencies.iter().cloned().map(Request::Dependency);
        let requested: Vec<Request> =
            keep.requests.iter().cloned().chain(stated).chain(of_units.members.iter().cloned()).collect();
        let mut found = Self {
            closure: Closure::default(),
            needs_ld_cache: writes_ld_cache,
            has_systemd: false,
            unknown: of_units.found.unknown.clone(),
            accounts: of_units.found.accounts.clone(),
            owners: Owners::new(),
            requested,
            implied: Vec::new(),
        };
        let mut search = Search::new(tree);
        let unreadable = found.search(&mut search, &options, tree, keep, &of_units)?;
        found.has_systemd =
            keep.systemd && (of_units.has_systemd || found.closure.kept.keys().any(|path| is_systemd(path)));
        found.optional_files().leave_out_all(&mut found.closure, unreadable)?;
        optional::warn_of_missing(&mut found.closure);
        found.look_up_owners(tree, keep)?;
        if !found.closure.missing.is_empty() {
            let notes = found.notes();
            units::add_to_chains(&mut found.closure, &notes);
        }
        Ok(found)
    }

    /// Searches in rounds, until what is kept does not imply anything more. Returns the kept files
    /// that may not be read.
    fn search<T: Directories<Content: Content>>(
        &mut self,
        search: &mut Search<'_, T>,
        options: &Options<'_>,
        tree: &T,
        keep: &Keep,
        of_units: &Requested,
    ) -> Result<Vec<Unreadable>> {
        let mut collector = Collector::new(search.files(), options);
        collector.add(&self.requested)?;
        for _ in 0..=MAX_ROUNDS {
            self.needs_ld_cache |= needs_ld_cache(tree, collector.closure())?;
            let Implied { dependencies, mut unknown, accounts, .. } =
                implied::implied(tree, keep, of_units, collector.closure(), self.needs_ld_cache)?;
            if dependencies == self.implied {
                self.unknown.append(&mut unknown);
                self.accounts.extend(accounts);
                let (closure, unreadable) = collector.finish();
                self.closure = closure;
                return Ok(unreadable);
            }
            let added = added(&self.implied, &dependencies);
            self.implied = dependencies;
            let is_whole = match added {
                Some(added) => collector.add(&added)?,
                None => false,
            };
            if !is_whole {
                collector = collector.restarted();
                let more = self.implied.iter().cloned().map(Request::Dependency);
                let requests: Vec<Request> = self.requested.iter().cloned().chain(more).collect();
                collector.add(&requests)?;
            }
        }
        Err(Error::TooManyRounds(MAX_ROUNDS))
    }

    /// Looks up the packages that own the kept files. A database that cannot be used is a warning:
    /// nothing is kept by it.
    fn look_up_owners<T: Directories<Content: Content>>(&mut self, tree: &T, keep: &Keep) -> Result<()> {
        if !keep.owners {
            return Ok(());
        }
        match packages::owners(tree, |path| self.closure.kept.contains_key(path)) {
            Ok(owners) => self.owners = owners,
            Err(packages::Error::Read(error)) => return Err(error.into()),
            Err(error) => self.unknown.push(format!("the owners of files are not known: {error}")),
        }
        Ok(())
    }

    /// Returns the dependencies that no program or library states.
    fn dependencies(&self) -> impl Iterator<Item = &Dependency> {
        let requested = self.requested.iter().filter_map(|request| match request {
            Request::Dependency(dependency) => Some(dependency),
            Request::Path(_)
            | Request::Glob { .. }
            | Request::Optional(_)
            | Request::First(_)
            | Request::Member { .. } => None,
        });
        requested.chain(&self.implied)
    }

    /// Returns the dependencies on files that need not exist.
    #[must_use]
    pub fn optional_files(&self) -> OptionalFiles {
        OptionalFiles::of(self.dependencies(), &self.requested)
    }

    /// Returns the origin of each dependency that is not that of a program or library: each
    /// completes a sentence. The first origin wins.
    #[must_use]
    pub fn notes(&self) -> Notes {
        let mut notes = BTreeMap::new();
        for dependency in self.dependencies() {
            for name in dependency.target.names() {
                let key = (dependency.by.clone(), name.clone());
                notes.entry(key).or_insert_with(|| dependency.reason.clone());
            }
        }
        notes
    }

    /// Returns a message for each file that is kept by implication, with the reason.
    pub fn implications<T: Directories>(&self, tree: &T) -> Vec<String> {
        let reasons = self.closure.kept.values().flatten();
        let named: BTreeSet<&[u8]> = reasons.map(|reason| reason.name.as_slice()).collect();
        let mut messages = Vec::new();
        for dependency in &self.implied {
            let kept = match &dependency.target {
                Target::File(names) | Target::Library(names) => {
                    names.iter().find(|name| named.contains(name.as_slice()))
                }
                Target::Name(name) => Some(name),
                Target::FilesIn { directory, .. }
                | Target::Whole(directory)
                | Target::Directory(directory) => {
                    Some(directory).filter(|directory| resolve_in_root(tree, directory).is_some())
                }
            };
            if let Some(kept) = kept {
                messages.push(format!("kept: {}, which {}", kept.escape_ascii(), dependency.reason));
            }
        }
        messages
    }
}

/// Returns the dependencies that are new, as requests; `None` if an earlier one is not among them
/// any more.
fn added(before: &[Dependency], now: &[Dependency]) -> Option<Vec<Request>> {
    let mut before = before.iter().peekable();
    let new = now.iter().filter(|one| before.next_if(|earlier| earlier == one).is_none());
    let new = new.cloned().map(Request::Dependency).collect();
    before.next().is_none().then_some(new)
}

/// Returns true if the kept part of a tree needs a cache: if the tree has one, or if a library is
/// kept in a directory that only `/etc/ld.so.conf` names. Only glibc's dynamic linker reads it.
fn needs_ld_cache<T: Directories<Content: Content>>(tree: &T, closure: &Closure) -> Result<bool> {
    if closure.library_directories.is_empty() {
        return Ok(false);
    }
    if resolve_in_root(tree, cache::PATH).is_some() {
        return Ok(true);
    }
    let directories = conf::configured(tree)?.directories;
    let real = |path: &Vec<u8>| Some(trace_in_root(tree, path, &mut 0).ok()?.path);
    let directories: BTreeSet<Vec<u8>> = directories.iter().filter_map(real).collect();
    Ok(closure.kept.keys().any(|path| directories.contains(parent(path))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::reason::Kind;

    #[test]
    fn what_is_new_is_found_if_nothing_is_gone() {
        let all = ["/a", "/b", "/c"].map(|path| Dependency {
            target: Target::Name(path.as_bytes().to_vec()),
            kind: Kind::Known,
            required: false,
            reason: String::new(),
            by: None,
        });
        let [a, b, c] = all.clone();
        let request = |one: &Dependency| Request::Dependency(one.clone());
        assert_eq!(added(&[], &all), Some(all.iter().map(request).collect()));
        assert_eq!(added(&[a.clone(), c.clone()], &all), Some(vec![request(&b)]));
        assert_eq!(added(&all, &all), Some(Vec::new()));
        assert_eq!(added(&all, &[a.clone(), c.clone()]), None);
        assert_eq!(added(&[c, a.clone()], &all), None);
        assert_eq!(added(&[b], &[a]), None);
    }
}
