//! The collector: keeps files and follows what they need until no file needs anything more.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use image_tree::{Content, Directories, InodeId, Kind as FileKind};

use image_tree::glob::Glob;
use image_tree::path::{base_name, join, parent};
use image_tree::resolve::{ResolveError, Resolved};

use super::ledger::Ledger;
use super::options::Options;
use super::process;
use super::unreadable::Unreadable;
use crate::closure::config::script::{MAX_SCRIPTS, MAX_START, Shebang};
use crate::closure::dependency::{Dependencies, Dependency, Target};
use crate::closure::elf::Malformed;
use crate::closure::error::Result;
use crate::closure::files::Files;
use crate::closure::requests::Request;
use crate::closure::result::Closure;
use crate::closure::result::missing::{Cause, Missing};
use crate::closure::result::reason::{Kind, Reason};

pub(super) struct Collector<'f, 't, T> {
    ledger: Ledger<'f, 't, T>,
    /// Directories that are kept with their whole content.
    whole: BTreeSet<InodeId>,
    /// Files that are kept and not yet examined.
    pending: Vec<Pending>,
    /// Parts of kept directories or packages, which are examined after all others: what only they
    /// need may be missing.
    parts: Vec<Pending>,
    /// Files already examined, by inode and path: `$ORIGIN` depends on the path. True for those
    /// that were examined as parts.
    visited: BTreeMap<(InodeId, Vec<u8>), bool>,
    /// Libraries that are kept and must be examined if no program loads them.
    libraries: Vec<Library>,
    /// Libraries that are opened by name in an unspecified program.
    opened: Vec<Dependency>,
    /// Files that may not be read.
    unreadable: Vec<Unreadable>,
}

/// A library that is kept.
struct Library {
    file: Resolved,
    /// True if only parts of kept directories or packages need it.
    is_part: bool,
}

/// The way in which a file is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// By its exact path.
    Named,
    /// By a pattern.
    Matched,
    /// As one of the many files of a directory or package.
    Part,
}

/// A file that is kept.
struct Pending {
    file: Resolved,
    /// True if its exact path was requested.
    is_named: bool,
    /// The number of scripts in the interpreter chain that leads to it.
    scripts: usize,
}

/// Returns the reason to keep what was requested by this name.
fn requested(name: &[u8]) -> Reason {
    Reason { kind: Kind::Requested, by: None, name: name.to_vec() }
}

impl<'f, 't, T: Directories<Content: Content>> Collector<'f, 't, T> {
    pub(super) fn new(files: &'f mut Files<'t, T>, options: &'f Options<'f>) -> Self {
        Self {
            ledger: Ledger::new(files, options),
            whole: BTreeSet::new(),
            pending: Vec::new(),
            parts: Vec::new(),
            visited: BTreeMap::new(),
            libraries: Vec::new(),
            opened: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Keeps what is requested and what it needs, in addition to the requests of earlier calls.
    /// Returns false if a single call with all requests so far may have another result.
    pub(super) fn add(&mut self, requests: &[Request]) -> Result<bool> {
        self.ledger.begin_round();
        for request in requests {
            self.keep_request(request);
            self.ledger.check()?;
        }
        let tree = self.ledger.files.tree;
        let is_regular = |id: &InodeId| matches!(tree.get(*id).kind, FileKind::Regular(_));
        let mut seen = BTreeSet::new();
        let all = self.pending.iter().chain(&self.parts);
        let ids = all.map(|next| next.file.id).filter(is_regular);
        let ids: Vec<InodeId> = ids.filter(|id| seen.insert(*id)).collect();
        self.ledger.files.parse(&ids, self.ledger.options.pool)?;
        // Reversed, so that files are visited in the order of the request.
        self.pending.reverse();
        self.parts.reverse();
        self.visit_all()?;
        // A library that a program loads finds its dependencies in that process, often by the
        // search path of that program. Only the others are examined on their own.
        let mut alone = Vec::new();
        for library in std::mem::take(&mut self.libraries) {
            self.ledger.check()?;
            let Library { file, is_part } = library;
            if let Ok(elf) = self.ledger.files.elf(file.id)?
                && !self.ledger.loaded.contains(&file.id)
            {
                alone.push(file.id);
                self.ledger.is_harmless = is_part;
                process::close(&mut self.ledger, &file, &elf)?;
            }
        }
        self.ledger.is_harmless = false;
        for dependency in std::mem::take(&mut self.opened) {
            self.open(&dependency)?;
        }
        self.ledger.end_round(alone);
        Ok(self.ledger.is_as_at_once)
    }

    /// The kept part so far.
    pub(super) fn closure(&self) -> &Closure {
        &self.ledger.closure
    }

    /// Starts again, without any request.
    pub(super) fn restarted(self) -> Self {
        let Ledger { files, options, .. } = self.ledger;
        Self::new(files, options)
    }

    /// Returns the kept part, and the kept files that may not be read, in the order of discovery.
    pub(super) fn finish(self) -> (Closure, Vec<Unreadable>) {
        (self.ledger.into_closure(), self.unreadable)
    }

    fn visit_all(&mut self) -> Result<()> {
        while let Some((next, is_part)) = self.next() {
            self.ledger.check()?;
            self.ledger.is_harmless = is_part;
            match self.visited.entry((next.file.id, next.file.path.clone())) {
                Entry::Vacant(entry) => {
                    entry.insert(is_part);
                    self.visit(&next)?;
                }
                // What it needs was examined as harmless.
                Entry::Occupied(entry) if *entry.get() && !is_part => self.ledger.is_as_at_once = false,
                Entry::Occupied(_) => {}
            }
        }
        Ok(())
    }

    /// Returns the next file to examine, and true if it is a part of a kept directory or package.
    fn next(&mut self) -> Option<(Pending, bool)> {
        let part = |next| (next, true);
        self.pending.pop().map(|next| (next, false)).or_else(|| self.parts.pop().map(part))
    }

    /// Opens a library with each dynamic linker found, in a process of which nothing but the
    /// dynamic linker is known.
    fn open(&mut self, dependency: &Dependency) -> Result<()> {
        let dynamic_linkers = self.ledger.dynamic_linkers();
        let mut found = false;
        for (path, linker) in dynamic_linkers {
            if let Ok(file) = self.ledger.files.trace(&path) {
                found |= process::open(&mut self.ledger, &file, linker, dependency)?;
            }
        }
        if !found && dependency.required {
            let Target::Library(names) = &dependency.target else { return Ok(()) };
            let (name, kind) = (names.first().cloned().unwrap_or_default(), dependency.kind);
            self.ledger.missing(Missing::new(name, kind, Vec::new(), Cause::NoDynamicLinker));
        }
        Ok(())
    }

    fn keep_request(&mut self, request: &Request) {
        match request {
            Request::Path(path) => match self.ledger.files.trace(path) {
                Ok(file) => self.keep_whole(&file, &requested(path), Role::Named),
                Err(error) => {
                    let cause = Cause::Path(self.ledger.files.unresolved(path, error));
                    self.ledger.missing(Missing::new(path.clone(), Kind::Requested, Vec::new(), cause));
                }
            },
            Request::Dependency(dependency) => {
                self.require(dependency.by.as_deref(), dependency, 0);
            }
            Request::Member { path, origin } => self.keep_member(path, origin),
            Request::Glob { text, glob } => {
                if !self.keep_matches(text, glob) {
                    let (name, kind) = (text.clone(), Kind::Requested);
                    self.ledger.missing(Missing::new(name, kind, Vec::new(), Cause::NoMatch));
                }
            }
            Request::First(paths) => match paths.iter().find(|path| self.ledger.files.trace(path).is_ok()) {
                Some(first) => self.keep_request(&Request::Path(first.clone())),
                None => {
                    let (name, cause) = self.nowhere(paths);
                    self.ledger.missing(Missing::new(name, Kind::Requested, Vec::new(), cause));
                }
            },
            Request::Optional(request) => match &**request {
                Request::Path(path) if self.ledger.files.trace(path).is_err() => {}
                Request::Glob { text, glob } => _ = self.keep_matches(text, glob),
                request => self.keep_request(request),
            },
        }
    }

    /// Keeps every name that matches. Returns false if none does.
    fn keep_matches(&mut self, text: &[u8], glob: &Glob) -> bool {
        let is_deep = text.windows(2).any(|pair| pair == b"**");
        let role = if is_deep { Role::Part } else { Role::Matched };
        let mut matches = false;
        // Directories that are still to be read, the next one last: a walk in the order of
        // paths, parents first.
        let mut pending = vec![(InodeId::ROOT, Vec::new())];
        // The limits are checked, and reported as an error, before the search continues.
        while let Some((id, path)) = pending.pop().filter(|_| !self.ledger.files.exhausted()) {
            let shown = if path.is_empty() { &b"/"[..] } else { &path };
            if glob.matches(shown) {
                matches = true;
                self.keep_match(shown, text, role);
            }
            let tree = self.ledger.files.tree;
            if tree.is_directory(id) && glob.may_match_beneath(shown) {
                let entries = tree.entries(id).into_iter().flatten().rev();
                pending.extend(entries.map(|(name, id)| (*id, [&path, &b"/"[..], name.as_bytes()].concat())));
            }
        }
        matches
    }

    /// Keeps a name of the tree, even if it does not resolve.
    fn keep_match(&mut self, path: &[u8], name: &[u8], role: Role) {
        match self.ledger.files.trace(path) {
            Ok(file) => self.keep_whole(&file, &requested(name), role),
            Err(error) => {
                let error = self.ledger.files.unresolved(path, error);
                self.ledger.keep_name(path, requested(name));
                self.ledger.keep_parents(path, name);
                let path = path.escape_ascii();
                self.ledger.warn(format!("{path} is kept although its target does not resolve: {error}"));
            }
        }
    }

    /// Keeps a name, a directory without its content. A name that does not exist is not kept.
    fn keep_member(&mut self, path: &[u8], origin: &[u8]) {
        let Ok(above) = self.ledger.files.trace(parent(path)) else { return };
        let tree = self.ledger.files.tree;
        let Some(id) = tree.lookup(above.id, base_name(path)) else { return };
        self.ledger.keep(&above, Kind::Parent, None, origin);
        let file = Resolved { id, path: join(&above.path, base_name(path)), traversed: above.traversed };
        self.ledger.keep_name(&file.path, requested(origin));
        match &tree.get(id).kind {
            FileKind::Directory(_) => {}
            FileKind::Symlink(_) => self.keep_link_target(&file.path, &requested(origin)),
            _ => self.examine_part(file),
        }
    }

    /// Keeps a file, a directory with its whole content.
    fn keep_whole(&mut self, file: &Resolved, reason: &Reason, role: Role) {
        self.ledger.keep(file, reason.kind, reason.by.as_deref(), &reason.name);
        let pending = Pending { file: file.clone(), is_named: role == Role::Named, scripts: 0 };
        if role == Role::Part {
            self.parts.push(pending)
        } else {
            self.pending.push(pending)
        }
        // An explicit stack, so that deeply nested directories cannot exhaust the call stack.
        let mut directories = vec![(file.id, file.path.clone())];
        // The limits are checked, and reported as an error, before the search continues.
        while let Some((id, path)) = directories.pop().filter(|_| !self.ledger.files.exhausted()) {
            let Some(entries) = self.ledger.files.tree.entries(id).filter(|_| self.whole.insert(id)) else {
                continue;
            };
            for (entry, id) in entries {
                let path = join(&path, entry.as_bytes());
                self.ledger.keep_name(&path, reason.clone());
                match &self.ledger.files.tree.get(*id).kind {
                    FileKind::Directory(_) => directories.push((*id, path)),
                    FileKind::Symlink(_) => self.keep_link_target(&path, reason),
                    _ => self.examine_part(Resolved { id: *id, path, traversed: Vec::new() }),
                }
            }
        }
    }

    /// Keeps the target of a link in a directory that is kept. If the target is a directory
    /// outside, only the directory itself is kept: a link to the root would bring in everything.
    fn keep_link_target(&mut self, path: &[u8], reason: &Reason) {
        match self.ledger.files.trace(path) {
            Ok(file) => {
                self.ledger.keep(&file, reason.kind, reason.by.as_deref(), &reason.name);
                self.examine_part(file);
            }
            // The link is dangling, or its target is created at run time.
            Err(ResolveError::Missing | ResolveError::NotADirectory) => {}
            Err(error) => self.ledger.warn(format!("{} is kept as it is: {error}", path.escape_ascii())),
        }
    }

    fn examine_part(&mut self, file: Resolved) {
        self.parts.push(Pending { file, is_named: false, scripts: 0 });
    }

    /// Examines a file later, which is a part if the one that needs it is.
    fn examine_later(&mut self, file: Resolved, scripts: usize) {
        let pending = Pending { file, is_named: false, scripts };
        if self.ledger.is_harmless { self.parts.push(pending) } else { self.pending.push(pending) }
    }

    /// Examines a file for its dependencies.
    fn visit(&mut self, next: &Pending) -> Result<()> {
        let file = &next.file;
        let parsed = match self.ledger.files.elf(file.id) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.unreadable.push(Unreadable { path: file.path.clone(), error });
                return Ok(());
            }
            parsed => parsed?,
        };
        match parsed {
            Ok(elf) if elf.is_loadable() && elf.interpreter.is_some() => {
                process::close(&mut self.ledger, file, &elf)?
            }
            Ok(elf) if elf.is_loadable() => {
                self.libraries.push(Library { file: file.clone(), is_part: self.ledger.is_harmless });
            }
            Ok(_) => {}
            Err(Malformed::NotElf) => self.visit_script(next)?,
            Err(malformed) => self.report_broken(next, &malformed.to_string()),
        }
        Ok(())
    }

    /// Resolves the interpreter of an executable file that is not ELF.
    fn visit_script(&mut self, next: &Pending) -> Result<()> {
        let file = &next.file;
        if self.ledger.files.tree.get(file.id).metadata.mode & 0o111 == 0 {
            return Ok(());
        }
        let head = self.ledger.files.head(file.id, MAX_START)?;
        match Shebang::parse(&head) {
            Ok(None) => {}
            Ok(Some(_)) if next.scripts >= MAX_SCRIPTS => {
                let why = format!("it is a script for a script, and so on, more than {MAX_SCRIPTS} times");
                self.report_broken(next, &why);
            }
            Ok(Some(shebang)) => self.require_all(&file.path, &shebang.dependencies(), next.scripts + 1),
            Err(error) => self.report_broken(next, &error.to_string()),
        }
        Ok(())
    }

    /// Reports a file whose dependencies cannot be determined.
    fn report_broken(&mut self, next: &Pending, why: &str) {
        let path = &next.file.path;
        if next.is_named || next.scripts > 0 {
            let cause = Cause::Unusable { path: path.clone(), why: why.to_owned() };
            self.ledger.missing(Missing::new(path.clone(), Kind::Requested, Vec::new(), cause));
        } else {
            self.ledger
                .warn(format!("{} is kept, but its dependencies are not known: {why}", path.escape_ascii()));
        }
    }

    /// Keeps everything that a file needs.
    fn require_all(&mut self, by: &[u8], dependencies: &Dependencies, scripts: usize) {
        for unknown in &dependencies.unknown {
            self.ledger.warn(format!("{}: {unknown}", by.escape_ascii()));
        }
        for dependency in &dependencies.known {
            self.require(Some(by), dependency, scripts);
        }
    }

    /// Keeps a needed file, if it exists.
    fn require(&mut self, by: Option<&[u8]>, dependency: &Dependency, scripts: usize) {
        match &dependency.target {
            Target::File(paths) => {
                for path in paths {
                    if let Ok(file) = self.ledger.files.trace(path) {
                        self.ledger.keep(&file, dependency.kind, by, path);
                        return self.examine_later(file, scripts);
                    }
                }
                if dependency.required {
                    let chain = by.map(<[u8]>::to_vec).into_iter().collect();
                    let (name, cause) = self.nowhere(paths);
                    self.ledger.missing(Missing::new(name, dependency.kind, chain, cause));
                }
            }
            Target::Name(path) => self.keep_unresolved(path, by, dependency),
            Target::Whole(directory) => self.whole(directory, by, dependency),
            Target::Directory(path) => {
                if let Ok(file) = self.ledger.files.trace(path) {
                    let (by, name) = (by.map(<[u8]>::to_vec), path.clone());
                    self.keep_whole(&file, &Reason { kind: dependency.kind, by, name }, Role::Part);
                }
            }
            Target::FilesIn { directory, suffix } => {
                let Ok(found) = self.ledger.files.trace(directory) else { return };
                let entries = self.ledger.files.tree.entries(found.id).into_iter().flatten();
                for (name, _) in entries.filter(|(name, _)| name.as_bytes().ends_with(suffix)) {
                    if let Ok(file) = self.ledger.files.in_directory(&found, name.as_bytes()) {
                        self.ledger.keep(&file, dependency.kind, by, &join(directory, name.as_bytes()));
                        self.examine_later(file, 0);
                    }
                }
            }
            Target::Library(_) => self.opened.push(dependency.clone()),
        }
    }

    /// Keeps a directory with its whole content, without looking into files.
    fn whole(&mut self, directory: &[u8], by: Option<&[u8]>, need: &Dependency) {
        let found = match self.ledger.files.trace(directory) {
            Ok(found) => found,
            Err(error) if need.required => {
                let (name, kind) = (directory.to_vec(), need.kind);
                let chain = by.map(<[u8]>::to_vec).into_iter().collect();
                let cause = Cause::Path(self.ledger.files.unresolved(directory, error));
                return self.ledger.missing(Missing::new(name, kind, chain, cause));
            }
            Err(_) => return,
        };
        self.ledger.keep(&found, need.kind, by, directory);
        let mut directories = vec![(found.id, found.path)];
        // The limits are checked, and reported as an error, before the search continues.
        while let Some((id, path)) = directories.pop().filter(|_| !self.ledger.files.exhausted()) {
            for (entry, id) in self.ledger.files.tree.entries(id).into_iter().flatten() {
                self.ledger.files.steps += 1;
                let path = join(&path, entry.as_bytes());
                let (by, name) = (by.map(<[u8]>::to_vec), directory.to_vec());
                self.ledger.keep_name(&path, Reason { kind: need.kind, by, name });
                directories.push((*id, path));
            }
        }
    }

    /// Keeps a name without resolving it.
    fn keep_unresolved(&mut self, path: &[u8], by: Option<&[u8]>, dependency: &Dependency) {
        let found = self.ledger.files.trace(parent(path)).ok();
        let entry = found
            .and_then(|found| self.ledger.files.tree.lookup(found.id, base_name(path)).map(|id| (found, id)));
        if let Some((found, id)) = entry {
            let whole =
                Resolved { id, path: join(&found.path, base_name(path)), traversed: found.traversed.clone() };
            self.ledger.keep(&found, Kind::Parent, by, path);
            self.ledger.keep(&whole, dependency.kind, by, path);
        } else if dependency.required {
            let chain = by.map(<[u8]>::to_vec).into_iter().collect();
            let cause = Cause::Path(ResolveError::Missing.into());
            self.ledger.missing(Missing::new(path.to_vec(), dependency.kind, chain, cause));
        }
    }

    /// Returns the name for paths of which none resolves, and the cause.
    fn nowhere(&mut self, paths: &[Vec<u8>]) -> (Vec<u8>, Cause) {
        let name = paths.first().cloned().unwrap_or_default();
        let mut errors = Vec::new();
        for path in paths {
            if let Err(error) = self.ledger.files.trace(path) {
                errors.push(self.ledger.files.unresolved(path, error));
            }
        }
        let link = errors.iter().find_map(|error| error.link.clone());
        if let ([_], Some(error)) = (paths, errors.pop()) {
            return (name, Cause::Path(error));
        }
        let base = base_name(&name);
        if paths.iter().all(|path| base_name(path) == base) {
            let tried = paths.iter().map(|path| parent(path).to_vec()).collect();
            return (base.to_vec(), Cause::Nowhere { tried, link });
        }
        (name, Cause::Nowhere { tried: paths.to_vec(), link })
    }
}
