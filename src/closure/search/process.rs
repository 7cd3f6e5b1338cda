//! One process image: a program and the objects that its dynamic linker loads for it, in the
//! dynamic linker's order.

use std::rc::Rc;
use std::sync::Arc;

use image_tree::path::base_name;
use image_tree::resolve::Resolved;
use image_tree::{Content, Directories};

use super::ledger::{Ledger, Recorded};
use super::linker::{Linker, Searched};
use super::plain;
use crate::closure::config::dlopen;
use crate::closure::dependency::{Dependency, Target};
use crate::closure::elf::{DependencyKind, Elf};
use crate::closure::error::Result;
use crate::closure::ld_so::{Candidate, DynamicLinker, Found, Loaded, Object, of_library};
use crate::closure::result::missing::{Cause, Missing};
use crate::closure::result::reason::{Kind, Reason};

/// A process under construction.
pub(super) struct Process<'p, 'f, 't, T> {
    ledger: &'p mut Ledger<'f, 't, T>,
    linker: Rc<Linker>,
    objects: Vec<Object>,
    /// The value of `LD_LIBRARY_PATH`; empty without one.
    library_path: Vec<u8>,
}

/// A name that an object requests.
struct Wanted<'w> {
    requester: usize,
    kind: Kind,
    name: &'w [u8],
    /// True if the process works without it.
    optional: bool,
    /// The index of the dependency in the object; `None` if the object only opens it.
    index: Option<usize>,
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
        ledger.missing(Missing::new(name, Kind::Needed, chain, Cause::NoDynamicLinker));
        return Ok(());
    };
    let Some((linker, found)) = dynamic_linker(ledger, file, elf, &path)? else { return Ok(()) };
    let is_program = elf.interpreter.is_some();
    let mut main = Object::new(Arc::clone(elf), file, &file.path, None);
    if ledger.options.before_proc && is_program {
        main.origin = None;
    }
    let mut objects = vec![main];
    let parsed = ledger.files.elf(found.id)?;
    if let Ok(own) = parsed {
        let mut object = Object::new(own, &found, &path, Some(0));
        object.names.push(path);
        object.is_dynamic_linker = true;
        objects.push(object);
    }
    let library_path = if is_program { ledger.library_path(file) } else { Vec::new() };
    if is_program && library_path.is_empty() && plain::close(ledger, &linker, &objects)? {
        return Ok(());
    }
    let mut process = Process { ledger, linker, objects, library_path };
    if is_program {
        process.load_audits()?;
        process.preload(file)?;
    }
    process.run(0)
}

/// Returns the dynamic linker of a program, and keeps it.
fn dynamic_linker<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    file: &Resolved,
    elf: &Elf,
    path: &[u8],
) -> Result<Option<(Rc<Linker>, Resolved)>> {
    let kind = Kind::Interpreter;
    let missing = |cause| Missing::new(path.to_vec(), kind, vec![file.path.clone()], cause);
    let found = match ledger.files.trace(path) {
        Ok(found) => found,
        Err(error) => {
            let unresolved = ledger.files.unresolved(path, error);
            ledger.missing(missing(Cause::Path(unresolved)));
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
    if let DynamicLinker::Musl(musl) = &linker.rules
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
    linker: Rc<Linker>,
    dependency: &Dependency,
) -> Result<bool> {
    let Target::Library(names) = &dependency.target else { return Ok(false) };
    let Ok(elf) = ledger.files.elf(file.id)? else { return Ok(false) };
    let main = Object { is_dynamic_linker: true, ..Object::new(elf, file, &file.path, None) };
    let mut process = Process { ledger, linker, objects: vec![main], library_path: Vec::new() };
    let found = process.first_of(0, dependency.kind, names)?;
    process.run(0)?;
    Ok(found)
}

impl<T: Directories<Content: Content>> Process<'_, '_, '_, T> {
    /// Loads the libraries that glibc loads to watch a program. Each has a namespace of its own, in
    /// which it and its dependencies are searched as for the dynamic linker.
    fn load_audits(&mut self) -> Result<()> {
        let DynamicLinker::Glibc(_) = &self.linker.rules else { return Ok(()) };
        let elf = Arc::clone(&self.objects[0].elf);
        let (requester, first) = (self.objects.len() - 1, self.objects.len());
        for name in elf.dynamic.iter().flat_map(|dynamic| &dynamic.audits) {
            let (linker, objects) = (Rc::clone(&self.linker), self.objects.clone());
            let library_path = self.library_path.clone();
            let mut namespace = Process { ledger: &mut *self.ledger, linker, objects, library_path };
            if !namespace.want(&Wanted { requester, kind: Kind::Audit, name, optional: true, index: None })? {
                let (name, by) = (name.escape_ascii(), namespace.objects[0].path.escape_ascii());
                let warning = format!("{by}: its auditing library {name} is not found, and glibc ignores it");
                namespace.ledger.warn(warning);
            }
            namespace.run(first)?;
        }
        Ok(())
    }

    /// Loads the libraries of `/etc/ld.so.preload`, and keeps that file.
    fn preload(&mut self, program: &Resolved) -> Result<()> {
        let DynamicLinker::Glibc(glibc) = &self.linker.rules else { return Ok(()) };
        let Some(preload) = glibc.preload.clone() else { return Ok(()) };
        self.ledger.keep(&preload.file, Kind::Configured, Some(&program.path), &preload.file.path);
        for name in &preload.names {
            if !self.want(&Wanted { requester: 0, kind: Kind::Preload, name, optional: true, index: None })? {
                let name = name.escape_ascii();
                let warning = format!("{name} of /etc/ld.so.preload is not found, and glibc ignores it");
                self.ledger.warn(warning);
            }
        }
        Ok(())
    }

    /// Loads the dependencies of each object from the first one on in breadth-first order, then the
    /// libraries that they open at run time, each with its own dependencies.
    fn run(mut self, first: usize) -> Result<()> {
        let (mut next, mut opening) = (first, first);
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
            let dependencies = elf.dynamic.iter().flat_map(|dynamic| &dynamic.dependencies);
            for (index, dependency) in dependencies.enumerate() {
                let kind = match dependency.kind {
                    DependencyKind::Needed => Kind::Needed,
                    DependencyKind::Filter => Kind::Filter,
                    DependencyKind::Auxiliary => Kind::Auxiliary,
                };
                let optional = dependency.kind == DependencyKind::Auxiliary;
                let is_glibc = matches!(self.linker.rules, DynamicLinker::Glibc(_));
                // For glibc the empty name is that of the program, which is loaded.
                if is_glibc && dependency.name.is_empty() {
                    continue;
                }
                // musl does not support filters.
                if kind == Kind::Needed || is_glibc {
                    let (requester, name, index) = (*next, &dependency.name[..], Some(index));
                    self.want(&Wanted { requester, kind, name, optional, index })?;
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
        let opened = match dlopen::opened_by(policy, base_name(&object.path), &object.elf.notes) {
            Ok(opened) => opened,
            Err(error) => {
                let path = object.path.escape_ascii();
                self.ledger.warn(format!("{path}: the libraries that it opens are not known: {error}"));
                return Ok(());
            }
        };
        for dependency in opened {
            let Target::Library(names) = &dependency.target else { continue };
            if !self.first_of(index, dependency.kind, names)? && dependency.required {
                let (name, chain) = (names.first().cloned().unwrap_or_default(), self.chain(index));
                let cause =
                    Cause::NotFound { searched: Vec::new(), searched_more: true, foreign: Vec::new() };
                self.ledger.missing(Missing::new(name, dependency.kind, chain, cause));
            }
        }
        Ok(())
    }

    /// Loads the first of several names that exists.
    fn first_of(&mut self, requester: usize, kind: Kind, names: &[Vec<u8>]) -> Result<bool> {
        for name in names {
            if self.want(&Wanted { requester, kind, name, optional: true, index: None })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Loads one name. Returns true if it exists.
    fn want(&mut self, wanted: &Wanted<'_>) -> Result<bool> {
        self.ledger.files.steps += self.objects.len() as u64;
        if let Some(index) = self.linker.rules.loaded(&self.objects, wanted.name) {
            self.ledger.check()?;
            self.record_loaded(wanted, index);
            return Ok(true);
        }
        let process = Loaded { objects: &self.objects, library_path: &self.library_path };
        let Searched { found, is_shared } =
            self.linker.search(self.ledger.files, process, wanted.requester, wanted.name)?;
        self.ledger.check()?;
        for warning in &found.warnings {
            self.ledger.warn(warning.clone());
        }
        let Found { base, variants, searched, searched_more, foreign, fatal, .. } = &*found;
        let is_there = base.is_some() || !variants.is_empty();
        // The reasons are the same for every process that has this library.
        let is_new = !is_shared || self.is_new(wanted, None);
        if let Some(candidate) = base {
            self.load(wanted, candidate, wanted.kind, is_new)?;
        } else if !variants.is_empty() && fatal.is_none() {
            let by = self.objects[wanted.requester].path.escape_ascii();
            let name = wanted.name.escape_ascii();
            let warning = format!("{name}, needed by {by}, exists only as a glibc-hwcaps variant");
            self.ledger.warn(warning);
        } else if let Some(met) = self.met_by_programs(wanted, fatal.is_some())? {
            let by = self.on_behalf_of(wanted.requester).map(|object| object.path.clone());
            self.ledger.keep(&met, wanted.kind, by.as_deref(), wanted.name);
            return Ok(true);
        } else if !wanted.optional {
            let cause = match fatal.clone() {
                Some((path, why)) => Cause::Unusable { path, why },
                None => Cause::NotFound {
                    searched: searched.clone(),
                    searched_more: *searched_more,
                    foreign: foreign.clone(),
                },
            };
            let chain = self.chain(wanted.requester);
            self.ledger.missing(Missing::new(wanted.name.to_vec(), wanted.kind, chain, cause));
        }
        for candidate in variants {
            self.load(wanted, candidate, Kind::Hwcaps, is_new)?;
        }
        Ok(is_there)
    }

    /// Returns true if the reasons for a dependency are not recorded yet: on an object that was
    /// loaded before, or on what is found without a search path.
    fn is_new(&mut self, wanted: &Wanted<'_>, loaded: Option<u32>) -> bool {
        let by = self.objects.get(wanted.requester).and_then(|object| object.number);
        let (Some(by), Some(index)) = (by, wanted.index) else { return true };
        let linker = if loaded.is_some() { 0 } else { self.linker.number };
        self.ledger.is_new(Recorded { by, index, loaded, linker })
    }

    /// Records the dependency on an object that is loaded, which is an additional reason for it.
    fn record_loaded(&mut self, wanted: &Wanted<'_>, index: usize) {
        let number = self.objects[index].number;
        if number.is_some() && !self.is_new(wanted, number) {
            return;
        }
        let path = self.objects[index].path.clone();
        let by = self.on_behalf_of(wanted.requester).map(|object| object.path.clone());
        if by.as_ref() == Some(&path) {
            return;
        }
        if self.ledger.is_kept(&path) {
            let (kind, name) = (wanted.kind, wanted.name.to_vec());
            self.ledger.keep_name(&path, Reason { kind, by, name });
        } else if let Ok(file) = self.ledger.files.trace(&path) {
            self.ledger.keep(&file, wanted.kind, by.as_deref(), wanted.name);
        }
    }

    /// Returns the object with which a program that is kept meets a need of a library that no program
    /// loads: a plugin finds what its program has loaded.
    fn met_by_programs(&mut self, wanted: &Wanted<'_>, is_fatal: bool) -> Result<Option<Resolved>> {
        let Some(main) = self.objects.first() else { return Ok(None) };
        if is_fatal || main.is_dynamic_linker || main.elf.interpreter.is_some() {
            return Ok(None);
        }
        self.ledger.loaded_by_programs(main.elf.abi, wanted.name)
    }

    /// Keeps and loads a library; its reasons are recorded if they are new.
    fn load(&mut self, wanted: &Wanted<'_>, candidate: &Candidate, kind: Kind, is_new: bool) -> Result<()> {
        let Candidate { opened, file } = candidate;
        if is_new {
            let by = self.on_behalf_of(wanted.requester).map(|object| object.path.clone());
            self.ledger.keep(file, kind, by.as_deref(), wanted.name);
        }
        let is_variant = kind == Kind::Hwcaps || self.objects[wanted.requester].is_variant;
        let known = self.objects.iter().position(|object| object.id == file.id);
        if let Some(index) = known {
            if !is_variant {
                self.objects[index].names.push(wanted.name.to_vec());
                // The file is now loaded on every processor.
                self.objects[index].is_variant = false;
            }
            return Ok(());
        }
        let parsed = self.ledger.files.elf(file.id)?;
        if let Ok(elf) = parsed {
            let mut object = Object::new(elf, file, opened, Some(wanted.requester));
            if !is_variant {
                object.names.push(wanted.name.to_vec());
                if opened != wanted.name {
                    object.names.push(opened.clone());
                }
            }
            object.is_variant = is_variant;
            let is_program = self.objects.first().is_some_and(|main| main.elf.interpreter.is_some());
            self.ledger.record_loaded(&mut object, is_program && !is_variant);
            self.objects.push(object);
        }
        Ok(())
    }

    /// Returns the object to which a dependency is attributed. The dynamic linker may not be kept by
    /// itself, so its dependencies are attributed to the program; if only the dynamic linker is known,
    /// the dependency was requested.
    fn on_behalf_of(&self, index: usize) -> Option<&Object> {
        let objects = [self.objects.get(index), self.objects.first()];
        objects.into_iter().flatten().find(|object| !object.is_dynamic_linker)
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
