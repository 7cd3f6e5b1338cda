//! A dynamic linker, with the libraries that it has found.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use image_tree::{Content, Directories};

use crate::closure::elf::Dynamic;
use crate::closure::files::Files;
use crate::closure::ld_so::{DynamicLinker, Found, Loaded};

/// A dynamic linker that several processes use.
///
/// Most objects have no search path of their own, and neither does what loaded them. The result for
/// a name is the same for all of them, so it is found once.
#[derive(Debug)]
pub(super) struct Linker {
    pub(super) rules: DynamicLinker,
    /// Its number among the dynamic linkers of the search.
    pub(super) number: usize,
    /// The results for names that are searched without a search path.
    found: RefCell<HashMap<Vec<u8>, Rc<Found>>>,
    /// For names, true if they lead to plain libraries alone; see [`plain`](super::plain).
    pub(super) plain: RefCell<HashMap<Vec<u8>, bool>>,
}

/// The result of a search.
pub(super) struct Searched {
    pub(super) found: Rc<Found>,
    /// True if every object without a search path gets this result for the name.
    pub(super) is_shared: bool,
}

impl Linker {
    pub(super) fn new(rules: DynamicLinker, number: usize) -> Self {
        Self { rules, number, found: RefCell::default(), plain: RefCell::default() }
    }

    /// Returns the result for a name that was searched without a search path.
    pub(super) fn known(&self, name: &[u8]) -> Option<Rc<Found>> {
        self.found.borrow().get(name).cloned()
    }

    /// Searches for a library that is not loaded yet.
    pub(super) fn search<T: Directories<Content: Content>>(
        &self,
        files: &mut Files<'_, T>,
        process: Loaded<'_>,
        requester: usize,
        name: &[u8],
    ) -> io::Result<Searched> {
        let is_shared = matches!(self.rules, DynamicLinker::Glibc(_)) && is_plain(process, requester, name);
        if is_shared && let Some(found) = self.found.borrow().get(name) {
            return Ok(Searched { found: Rc::clone(found), is_shared });
        }
        let found = Rc::new(self.rules.search(files, process, requester, name)?);
        if is_shared {
            files.held += (name.len() + size_of::<Found>()) as u64;
            self.found.borrow_mut().insert(name.to_vec(), Rc::clone(&found));
        }
        Ok(Searched { found, is_shared })
    }
}

/// Returns true for a name without tokens and directories.
pub(super) fn is_plain_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| matches!(byte, b'/' | b'$'))
}

/// Returns true if no search path, token or directory has an effect on the result for a name.
fn is_plain(process: Loaded<'_>, requester: usize, name: &[u8]) -> bool {
    let Loaded { objects, library_path } = process;
    if !library_path.is_empty() || !is_plain_name(name) {
        return false;
    }
    let own = objects.get(requester).and_then(|object| object.elf.dynamic.as_ref());
    if own.is_some_and(|own| own.runpath.is_some() || own.no_default_directories) {
        return false;
    }
    let mut next = Some(requester);
    while let Some(object) = next.and_then(|index| objects.get(index)) {
        if object.elf.dynamic.as_ref().and_then(Dynamic::effective_rpath).is_some() {
            return false;
        }
        next = object.loaded_by;
    }
    true
}
