//! One process image: a program and the objects that its dynamic linker loads for it, in the
//! dynamic linker's order.

use std::sync::Arc;

use image_tree::path::base_name;
use image_tree::resolve::Resolved;
use image_tree::{Content, Directories};

use super::ledger::Ledger;
use crate::closure::config::dlopen::{self, heuristics};
use crate::closure::dependency::{Dependency, Target};
use crate::closure::elf::{DependencyKind, Elf};
use crate::closure::error::Result;
use crate::closure::ld_so::{Candidate, DynamicLinker, Found, Object, of_library};
use crate::closure::result::missing::{Cause, Missing};
use crate::closure::result::reason::Kind;

/// A process under construction.
pub(super) struct Process<'p, 'f, 't, T> {
    ledger: &'p mut Ledger<'f, 't, T>,
    linker: DynamicLinker,
    objects: Vec<Object>,
}

/// A name that an object requests.
struct Wanted<'w> {
    requester: usize,
    kind: Kind,
    name: &'w [u8],
    /// True if the process works without it.
    optional: bool,
}

/// Collects everything that a program, or a library opened by programs, needs to be loaded.
pub(super) fn close<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    file: &Resolved,
    elf: &Arc<Elf>,
) -> Result<()> {
    let has_dependencies = elf.dynamic.as_ref().is_some_and(|dynamic| !dynamic.dependencies.is_empty());
    let interpreter = match &elf.interpreter {
        Some(path) => Some(path.clone()),
        // As with a static program, there is nothing to load.
        None if !has_dependencies => return Ok(()),
        None => of_library(ledger.files, elf)?,
    };
    let Some(path) = interpreter else {
        let first = elf.dynamic.as_ref().and_then(|dynamic| dynamic.dependencies.first());
        let name = first.map(|dependency| dependency.name.clone()).unwrap_or_default();
        let chain = vec![file.path.clone()];
        ledger.missing(Missing { name, kind: Kind::Needed, chain, cause: Cause::NoDynamicLinker });
        return Ok(());
    };
    let Some((linker, found)) = dynamic_linker(ledger, file, elf, &path)? else { return Ok(()) };
    let main = Object::new(Arc::clone(elf), file, &file.path, None);
    let mut objects = vec![main];
    let parsed = ledger.files.elf(found.id)?;
    if let Ok(own) = parsed {
        let mut object = Object::new(own, &found, &path, Some(0));
        object.names.insert(path);
        object.is_dynamic_linker = true;
        objects.push(object);
    }
    Process { ledger, linker, objects }.run()
}

/// Returns the dynamic linker of a program, and keeps it.
fn dynamic_linker<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    file: &Resolved,
    elf: &Elf,
    path: &[u8],
) -> Result<Option<(DynamicLinker, Resolved)>> {
    let kind = Kind::Interpreter;
    let missing = |cause| Missing { name: path.to_vec(), kind, chain: vec![file.path.clone()], cause };
    let found = match ledger.files.trace(path) {
        Ok(found) => found,
        Err(error) => {
            ledger.missing(missing(Cause::Path(error)));
            return Ok(None);
        }
    };
    // The assumed dynamic linker of a library is kept only if the library depends on it.
    if elf.interpreter.is_some() {
        ledger.keep(&found, kind, Some(&file.path), path);
    }
    let parsed = ledger.files.elf(found.id)?;
    let unusable = match &parsed {
        Err(malformed) => Some(malformed.to_string()),
        Ok(own) if own.abi != elf.abi => Some("it is for another machine".to_owned()),
        Ok(_) => None,
    };
    if let Some(why) = unusable {
        ledger.missing(missing(Cause::Unusable { path: found.path, why }));
        return Ok(None);
    }
    let Some(linker) = ledger.dynamic_linker(path, &found, elf.abi)? else {
        if elf.dynamic.as_ref().is_some_and(|dynamic| !dynamic.dependencies.is_empty()) {
            ledger.missing(missing(Cause::UnknownDynamicLinker));
        }
        return Ok(None);
    };
    if let DynamicLinker::Musl(musl) = &linker
        && let Some(configuration) = &musl.configuration
    {
        ledger.keep(configuration, Kind::Configured, Some(&file.path), &configuration.path);
    }
    Ok(Some((linker, found)))
}

/// Opens a library in a process of which only the dynamic linker is known. Returns true if it
/// exists.
pub(super) fn open<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    file: &Resolved,
    linker: DynamicLinker,
    dependency: &Dependency,
) -> Result<bool> {
    let Target::Library(names) = &dependency.target else { return Ok(false) };
    let Ok(elf) = ledger.files.elf(file.id)? else { return Ok(false) };
    let main = Object { is_dynamic_linker: true, ..Object::new(elf, file, &file.path, None) };
    let mut process = Process { ledger, linker, objects: vec![main] };
    let found = process.first_of(0, dependency.kind, names)?;
    process.run()?;
    Ok(found)
}

impl<T: Directories<Content: Content>> Process<'_, '_, '_, T> {
    /// Loads the dependencies of each object in breadth-first order, then the libraries that they
    /// open at run time, each with its own dependencies.
    fn run(mut self) -> Result<()> {
        let (mut next, mut opening) = (0, 0);
        loop {
            self.load_dependencies(&mut next)?;
            if opening >= self.objects.len() {
                return Ok(());
            }
            self.open_noted(opening)?;
            opening += 1;
        }
    }

    fn load_dependencies(&mut self, next: &mut usize) -> Result<()> {
        while let Some(object) = self.objects.get(*next) {
            let elf = Arc::clone(&object.elf);
            for dependency in elf.dynamic.iter().flat_map(|dynamic| &dynamic.dependencies) {
                let kind = match dependency.kind {
                    DependencyKind::Needed => Kind::Needed,
                    DependencyKind::Filter => Kind::Filter,
                    DependencyKind::Auxiliary => Kind::Auxiliary,
                };
                let optional = dependency.kind == DependencyKind::Auxiliary;
                // musl does not support filters.
                if kind == Kind::Needed || matches!(self.linker, DynamicLinker::Glibc(_)) {
                    self.want(&Wanted { requester: *next, kind, name: &dependency.name, optional })?;
                }
            }
            *next += 1;
        }
        Ok(())
    }

    /// Loads the libraries that an object declares or is known to open, subject to the policy.
    fn open_noted(&mut self, index: usize) -> Result<()> {
        let Some(policy) = &self.ledger.options.dlopen else { return Ok(()) };
        let object = &self.objects[index];
        let name = base_name(&object.path);
        let noted = match dlopen::parse(&object.elf.notes) {
            Ok(noted) => noted,
            Err(error) => {
                let path = object.path.escape_ascii();
                self.ledger.warn(format!("{path}: the libraries that it opens are not known: {error}"));
                return Ok(());
            }
        };
        let is_heuristic = noted.is_empty();
        let noted = if is_heuristic { heuristics(name) } else { noted };
        for dependency in policy.dependencies(name, &noted, is_heuristic).known {
            let Target::Library(names) = &dependency.target else { continue };
            if !self.first_of(index, dependency.kind, names)? && dependency.required {
                let (name, chain) = (names.first().cloned().unwrap_or_default(), self.chain(index));
                let cause =
                    Cause::NotFound { searched: Vec::new(), searched_more: true, foreign: Vec::new() };
                self.ledger.missing(Missing { name, kind: dependency.kind, chain, cause });
            }
        }
        Ok(())
    }

    /// Loads the first of several names that exists.
    fn first_of(&mut self, requester: usize, kind: Kind, names: &[Vec<u8>]) -> Result<bool> {
        for name in names {
            if self.want(&Wanted { requester, kind, name, optional: true })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Loads one name. Returns true if it exists.
    fn want(&mut self, wanted: &Wanted<'_>) -> Result<bool> {
        self.ledger.files.steps += self.objects.len() as u64;
        let found = self.linker.search(self.ledger.files, &self.objects, wanted.requester, wanted.name)?;
        self.ledger.check()?;
        for warning in &found.warnings {
            self.ledger.warn(warning.clone());
        }
        let by = self.on_behalf_of(wanted.requester);
        if let Some(index) = found.loaded {
            // It is already loaded; the dependency of this object is an additional reason.
            let path = self.objects[index].path.clone();
            if by.as_ref() != Some(&path)
                && let Ok(file) = self.ledger.files.trace(&path)
            {
                self.ledger.keep(&file, wanted.kind, by.as_deref(), wanted.name);
            }
            return Ok(true);
        }
        let Found { base, variants, searched, searched_more, foreign, fatal, .. } = found;
        let has_variant = !variants.is_empty();
        let is_there = base.is_some() || has_variant;
        if let Some(candidate) = base {
            self.load(wanted, candidate, wanted.kind, by.as_deref())?;
        } else if has_variant && fatal.is_none() {
            let by = self.objects[wanted.requester].path.escape_ascii();
            let name = wanted.name.escape_ascii();
            let warning = format!("{name}, needed by {by}, exists only as a glibc-hwcaps variant");
            self.ledger.warn(warning);
        } else if !wanted.optional {
            let cause = match fatal {
                Some((path, why)) => Cause::Unusable { path, why },
                None => Cause::NotFound { searched, searched_more, foreign },
            };
            let chain = self.chain(wanted.requester);
            self.ledger.missing(Missing { name: wanted.name.to_vec(), kind: wanted.kind, chain, cause });
        }
        for candidate in variants {
            self.load(wanted, candidate, Kind::Hwcaps, by.as_deref())?;
        }
        Ok(is_there)
    }

    fn load(
        &mut self,
        wanted: &Wanted<'_>,
        candidate: Candidate,
        kind: Kind,
        by: Option<&[u8]>,
    ) -> Result<()> {
        let Candidate { opened, file } = candidate;
        self.ledger.keep(&file, kind, by, wanted.name);
        let is_variant = kind == Kind::Hwcaps || self.objects[wanted.requester].is_variant;
        let known = self.objects.iter().position(|object| object.id == file.id);
        if let Some(index) = known {
            if !is_variant {
                self.objects[index].names.insert(wanted.name.to_vec());
                // The file is now loaded on every processor.
                self.objects[index].is_variant = false;
            }
            return Ok(());
        }
        let parsed = self.ledger.files.elf(file.id)?;
        if let Ok(elf) = parsed {
            self.ledger.loaded.insert(file.id);
            let mut object = Object::new(elf, &file, &opened, Some(wanted.requester));
            if !is_variant {
                object.names.insert(wanted.name.to_vec());
                object.names.insert(opened);
            }
            object.is_variant = is_variant;
            self.objects.push(object);
        }
        Ok(())
    }

    /// Returns the path of the object to which a dependency is attributed. The dynamic linker may
    /// not be kept by itself, so its dependencies are attributed to the program; if only the
    /// dynamic linker is known, the dependency was requested.
    fn on_behalf_of(&self, index: usize) -> Option<Vec<u8>> {
        let objects = [self.objects.get(index), self.objects.first()];
        objects
            .into_iter()
            .flatten()
            .find(|object| !object.is_dynamic_linker)
            .map(|object| object.path.clone())
    }

    /// Returns the object and those that caused it to be loaded, up to the program.
    fn chain(&self, index: usize) -> Vec<Vec<u8>> {
        let mut chain = Vec::new();
        let mut next = Some(index);
        while let Some(object) = next.and_then(|index| self.objects.get(index)) {
            chain.push(object.path.clone());
            next = object.loaded_by;
        }
        chain
    }
}
