//! Programs whose libraries are the same in every process.
//!
//! Most programs and libraries have no search path, need libraries by plain names, and are found
//! under their own `DT_SONAME`. Then a name leads to the same file whatever else is loaded, and so
//! do the names that this file needs: they are searched and recorded once for all processes.
//! Anything else is left to [`process`](super::process).

use std::rc::Rc;
use std::sync::Arc;

use image_tree::path::base_name;
use image_tree::{Content, Directories};

use super::ledger::Ledger;
use super::linker::{Linker, is_plain_name};
use crate::closure::config::dlopen;
use crate::closure::elf::{DependencyKind, Dynamic, Elf};
use crate::closure::error::Result;
use crate::closure::ld_so::{Candidate, DynamicLinker, Found, Loaded, Object};
use crate::closure::result::reason::{Kind, Reason};

/// A library that is found for a name in every process.
struct Library {
    name: Vec<u8>,
    found: Rc<Found>,
    elf: Arc<Elf>,
}

/// Collects the libraries of a program if all of them are plain. Returns false, without recording
/// anything about the program, if they are not. `objects` are the program and its dynamic linker.
pub(super) fn close<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    linker: &Linker,
    objects: &[Object],
) -> Result<bool> {
    let ([main, dynamic_linker], DynamicLinker::Glibc(glibc)) = (objects, &linker.rules) else {
        return Ok(false);
    };
    let audits = main.elf.dynamic.as_ref().is_some_and(|dynamic| !dynamic.audits.is_empty());
    if glibc.preload.is_some()
        || audits
        || main.soname().is_some()
        || !is_plain(ledger, &main.elf, &main.path)
    {
        return Ok(false);
    }
    for name in needed(&main.elf) {
        if dynamic_linker.soname() != Some(name) && !libraries(ledger, linker, objects, name)? {
            return Ok(false);
        }
    }
    record(ledger, linker, &main.elf, &main.path, dynamic_linker);
    Ok(true)
}

/// Returns true if a name leads to plain libraries alone, which are recorded if they are not yet.
fn libraries<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    linker: &Linker,
    objects: &[Object],
    name: &[u8],
) -> Result<bool> {
    if let Some(is_plain) = linker.plain.borrow().get(name) {
        return Ok(*is_plain);
    }
    let mut reached: Vec<Library> = Vec::new();
    let mut pending = vec![name.to_vec()];
    while let Some(next) = pending.pop() {
        ledger.files.steps += 1;
        ledger.check()?;
        let known = linker.plain.borrow().get(&next).copied();
        if known == Some(true) || reached.iter().any(|library| library.name == next) {
            continue;
        }
        let library = if known.is_none() { library(ledger, linker, objects, &next)? } else { None };
        let Some(library) = library else {
            let mut plain = linker.plain.borrow_mut();
            ledger.files.held += (name.len() + next.len()) as u64 + 128;
            plain.insert(next, false);
            plain.insert(name.to_vec(), false);
            return Ok(false);
        };
        let own = needed(&library.elf).filter(|name| objects[1].soname() != Some(name));
        pending.extend(own.map(<[u8]>::to_vec));
        reached.push(library);
    }
    for Library { name, .. } in &reached {
        ledger.files.held += name.len() as u64 + 64;
        linker.plain.borrow_mut().insert(name.clone(), true);
    }
    for Library { found, elf, .. } in reached {
        let Some(Candidate { opened, file }) = &found.base else { continue };
        record(ledger, linker, &elf, &file.path, &objects[1]);
        ledger.record_loaded(&mut Object::new(elf, file, opened, None), true);
    }
    Ok(true)
}

/// Returns the library for a name, if it is plain.
fn library<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    linker: &Linker,
    objects: &[Object],
    name: &[u8],
) -> Result<Option<Library>> {
    let process = Loaded { objects, library_path: &[] };
    let found = linker.search(ledger.files, process, 0, name)?.found;
    let Found { base: Some(Candidate { file, .. }), variants, fatal: None, warnings, .. } = &*found else {
        return Ok(None);
    };
    let is_loaded = objects.iter().any(|object| object.id == file.id);
    if is_loaded || !variants.is_empty() || !warnings.is_empty() {
        return Ok(None);
    }
    let Ok(elf) = ledger.files.elf(file.id)? else { return Ok(None) };
    let is_own_name = elf.soname().is_none_or(|soname| soname == name);
    let is_plain = is_own_name && is_plain(ledger, &elf, &file.path);
    Ok(is_plain.then(|| Library { name: name.to_vec(), found: Rc::clone(&found), elf }))
}

/// Returns true if an object has no search path, needs libraries by plain names, and opens none.
fn is_plain<T>(ledger: &Ledger<'_, '_, T>, elf: &Elf, path: &[u8]) -> bool {
    let is_searched_plainly = |dynamic: &Dynamic| {
        let has_path = dynamic.rpath.is_some() || dynamic.runpath.is_some();
        let mut needed = dynamic.dependencies.iter();
        !has_path
            && !dynamic.no_default_directories
            && needed.all(|one| one.kind == DependencyKind::Needed && is_plain_name(&one.name))
    };
    elf.dynamic.as_ref().is_none_or(is_searched_plainly)
        && ledger.options.dlopen.as_ref().is_none_or(|policy| {
            dlopen::opened_by(policy, base_name(path), &elf.notes).is_ok_and(|opened| opened.is_empty())
        })
}

/// Returns the names in `DT_NEEDED` of a plain object. The empty name is that of the program.
fn needed(elf: &Elf) -> impl Iterator<Item = &[u8]> {
    let names = elf.dynamic.iter().flat_map(|dynamic| &dynamic.dependencies);
    names.map(|dependency| &dependency.name[..]).filter(|name| !name.is_empty())
}

/// Records what a plain object needs.
fn record<T: Directories<Content: Content>>(
    ledger: &mut Ledger<'_, '_, T>,
    linker: &Linker,
    elf: &Elf,
    path: &[u8],
    dynamic_linker: &Object,
) {
    for name in needed(elf) {
        if let Some(Candidate { file, .. }) = linker.known(name).and_then(|found| found.base.clone()) {
            ledger.keep(&file, Kind::Needed, Some(path), name);
        } else {
            let reason = Reason { kind: Kind::Needed, by: Some(path.to_vec()), name: name.to_vec() };
            ledger.keep_name(&dynamic_linker.path, reason);
        }
    }
}
