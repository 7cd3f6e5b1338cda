//! The library search of glibc (`_dl_map_object` of `elf/dl-load.c`).
//!
//! ```text
//! a name with '/'        that path
//! DT_RPATH               of the object, of what loaded it, and so on to the program;
//!                        none if the object has DT_RUNPATH
//! LD_LIBRARY_PATH        if the caller states it
//! DT_RUNPATH             of the object alone
//! the cache              as ldconfig would make it: the directories of ld.so.conf, then the default ones
//! the default ones       compiled into the dynamic linker
//! ```
//!
//! Before all others, a program loads the libraries of `/etc/ld.so.preload`. Not considered, since
//! they are not part of the tree or the program: `LD_PRELOAD` and the ISA level of a file
//! (`GNU_PROPERTY_X86_ISA_1_NEEDED`): a dynamic linker skips a file that its processor cannot run.

mod built_in;

use std::io;
use std::rc::Rc;

use image_tree::{Content, Directories, InodeId};

use self::built_in::{compiled_in, library_part, platform, usual};
use super::candidate::{Candidate, Found, MAX_SEARCHED, Verdict, goes_on, verdict};
use super::object::{Loaded, Object};
use super::preload::{self, Preload};
use crate::closure::elf::{Abi, Dynamic};
use crate::closure::files::Files;
use crate::closure::ld_so::cache::scan::is_library_name;
use crate::closure::ld_so::conf;
use crate::closure::ld_so::hwcaps::Hwcaps;
use image_tree::path::{join, parent, without_trailing_slashes};
use image_tree::resolve::Resolved;

/// A glibc dynamic linker.
#[derive(Clone, Debug)]
pub(in crate::closure) struct Glibc {
    abi: Abi,
    /// The compiled-in directories.
    system: Vec<Vec<u8>>,
    /// The expansion of `$LIB`.
    lib: Vec<u8>,
    /// The directories that `ldconfig` would scan for the cache.
    cached: Vec<Vec<u8>>,
    /// The subdirectories of `glibc-hwcaps` that are kept, best first.
    hwcaps: Vec<&'static [u8]>,
    /// The libraries that every program loads first; `None` without such a file.
    pub(in crate::closure) preload: Option<Rc<Preload>>,
    /// Warnings about the configuration.
    pub(in crate::closure) warnings: Rc<[String]>,
}

/// The maximum number of bytes of a dynamic linker that are searched for its directories. A dynamic
/// linker has about 250,000.
const MAX_DYNAMIC_LINKER: usize = 8 << 20;

impl Glibc {
    pub(super) fn of<T: Directories<Content: Content>>(
        files: &mut Files<'_, T>,
        found: &Resolved,
        abi: Abi,
        hwcaps: &Hwcaps,
    ) -> io::Result<Self> {
        let bytes = files.head(found.id, MAX_DYNAMIC_LINKER)?;
        let system = compiled_in(&bytes).unwrap_or_else(|| usual(parent(&found.path), abi));
        let conf = conf::read(files)?;
        let mut cached = Vec::new();
        let mut seen: Vec<InodeId> = Vec::new();
        for path in conf.directories.iter().chain(&system) {
            // ldconfig skips a directory that it has already seen under another path.
            match files.directory(path) {
                Some(directory) if !seen.contains(&directory.id) => {
                    seen.push(directory.id);
                    cached.push(path.clone());
                }
                _ => {}
            }
        }
        let lib = library_part(&system);
        let preload = preload::read(files)?.map(Rc::new);
        let warnings = conf.warnings.into();
        Ok(Self { abi, system, lib, cached, hwcaps: hwcaps.of(abi), preload, warnings })
    }

    /// Returns the directories that `ldconfig` scans for the cache, in its order.
    pub(in crate::closure) fn cached(&self) -> &[Vec<u8>] {
        &self.cached
    }

    /// Searches for a library that is not loaded yet.
    pub(super) fn search<T: Directories<Content: Content>>(
        &self,
        files: &mut Files<'_, T>,
        process: Loaded<'_>,
        requester: usize,
        name: &[u8],
    ) -> io::Result<Found> {
        let mut found = Found::default();
        let object = &process.objects[requester];
        let Some(name) = self.expand(object, name, &mut found.warnings) else { return Ok(found) };
        if name.contains(&b'/') {
            self.open(files, &name, &mut found)?;
            return Ok(found);
        }
        let mut search = Search { glibc: self, name: &name, least: None, found };
        search.run(files, process, requester)?;
        Ok(search.found)
    }

    /// Opens a library whose name is a path.
    fn open<T: Directories<Content: Content>>(
        &self,
        files: &mut Files<'_, T>,
        path: &[u8],
        found: &mut Found,
    ) -> io::Result<()> {
        let shown = path.escape_ascii();
        if !path.starts_with(b"/") {
            found
                .warnings
                .push(format!("{shown}: relative to the root, since the working directory is not known"));
        }
        match files.trace(path) {
            Err(error) => found.fatal = Some((path.to_vec(), error.to_string())),
            Ok(file) => match verdict(files, file.id, self.abi)? {
                Verdict::Taken => found.base = Some(Candidate { opened: path.to_vec(), file }),
                Verdict::Foreign => {
                    found.fatal = Some((path.to_vec(), "it is for another machine".to_owned()))
                }
                Verdict::Fatal(why) => found.fatal = Some((path.to_vec(), why)),
            },
        }
        Ok(())
    }

    /// Expands `$ORIGIN`, `$LIB` and `$PLATFORM`. `None` if the dynamic linker drops the text. A
    /// name without braces ends at the first byte that cannot be part of one: `$LIBX` is literal.
    fn expand(&self, object: &Object, text: &[u8], warnings: &mut Vec<String>) -> Option<Vec<u8>> {
        if !text.contains(&b'$') {
            return Some(text.to_vec());
        }
        let platform = platform(self.abi);
        let mut expanded = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
            expanded.extend_from_slice(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            if let Some(after) = token(rest, b"ORIGIN") {
                expanded.extend_from_slice(object.origin.as_deref()?);
                rest = after;
            } else if let Some(after) = token(rest, b"LIB") {
                expanded.extend_from_slice(&self.lib);
                rest = after;
            } else if let Some(after) = token(rest, b"PLATFORM") {
                let (object, shown) = (object.path.escape_ascii(), platform.escape_ascii());
                warnings.push(format!(
                    "{object}: $PLATFORM depends on the processor; taken for \"{shown}\" here"
                ));
                expanded.extend_from_slice(platform);
                rest = after;
            } else {
                expanded.push(b'$');
            }
            if expanded.len() > MAX_EXPANDED {
                warnings.push(format!(
                    "{}: a search path is longer than {MAX_EXPANDED} bytes and is skipped",
                    object.path.escape_ascii()
                ));
                return None;
            }
        }
        expanded.extend_from_slice(rest);
        Some(expanded)
    }

    /// Splits a `DT_RPATH` or `DT_RUNPATH` into directories.
    fn split(&self, object: &Object, path: &[u8], warnings: &mut Vec<String>) -> Vec<Vec<u8>> {
        if path.is_empty() {
            return Vec::new();
        }
        let mut directories: Vec<Vec<u8>> = Vec::new();
        for part in path.split(|byte| *byte == b':') {
            let Some(directory) = self.expand(object, part, warnings) else { continue };
            if !directory.starts_with(b"/") {
                let (object, part) = (object.path.escape_ascii(), part.escape_ascii());
                warnings
                    .push(format!("{object}: \"{part}\" in its search path is relative and is not searched"));
            } else if directories.len() >= MAX_DIRECTORIES {
                let object = object.path.escape_ascii();
                warnings.push(format!(
                    "{object}: only the first {MAX_DIRECTORIES} directories of its search path are searched"
                ));
                break;
            } else {
                directories.push(directory);
            }
        }
        directories
    }
}

/// Returns the text after a name of a dynamic string token, as `is_dst` of glibc recognizes it.
fn token<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    if let Some(braced) = text.strip_prefix(b"{") {
        return braced.strip_prefix(name)?.strip_prefix(b"}");
    }
    let after = text.strip_prefix(name)?;
    let continues = after.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (!continues).then_some(after)
}

/// The maximum length of one expanded directory in bytes.
const MAX_EXPANDED: usize = 1 << 14;
/// The maximum number of directories in one search path.
const MAX_DIRECTORIES: usize = 1024;

/// Finds the object that was loaded by a name, or has it as its `DT_SONAME`.
pub(super) fn loaded(objects: &[Object], name: &[u8]) -> Option<usize> {
    objects
        .iter()
        .position(|object| !object.is_variant && (object.is_called(name) || object.soname() == Some(name)))
}

struct Search<'s> {
    glibc: &'s Glibc,
    name: &'s [u8],
    /// The index of the lowest variant found in an earlier directory: a processor that supports it
    /// does not search any further.
    least: Option<usize>,
    found: Found,
}

/// The result of one attempt.
enum Tried {
    Nothing,
    Taken(Candidate),
    /// The remaining directories of the same list are not searched.
    Stop,
}

impl Search<'_> {
    fn run<T: Directories<Content: Content>>(
        &mut self,
        files: &mut Files<'_, T>,
        process: Loaded<'_>,
        requester: usize,
    ) -> io::Result<()> {
        let Loaded { objects, library_path } = process;
        let object = &objects[requester];
        let own = object.elf.dynamic.as_ref();
        let runpath = own.and_then(|own| own.runpath.as_deref());
        if runpath.is_none() {
            self.rpaths(files, objects, requester)?;
        }
        if !library_path.is_empty() && !self.found.is_over() {
            // Its parts end at colons or semicolons, and are those of the program.
            let list: Vec<u8> =
                library_path.iter().map(|byte| if *byte == b';' { b':' } else { *byte }).collect();
            self.path(files, &objects[0], &list)?;
        }
        if let Some(runpath) = runpath
            && !self.found.is_over()
        {
            self.path(files, object, runpath)?;
        }
        let no_default = own.is_some_and(|own| own.no_default_directories);
        if !self.found.is_over() {
            self.cache(files, no_default)?;
        }
        if !self.found.is_over() && !no_default {
            let glibc = self.glibc;
            self.directories(files, &glibc.system)?;
        }
        Ok(())
    }

    /// Searches the `DT_RPATH` of an object, of the object that loaded it, and so on up to the
    /// program.
    fn rpaths<T: Directories<Content: Content>>(
        &mut self,
        files: &mut Files<'_, T>,
        objects: &[Object],
        requester: usize,
    ) -> io::Result<()> {
        let mut chain = Vec::new();
        let mut next = Some(requester);
        while let Some(index) = next {
            chain.push(index);
            next = objects[index].loaded_by;
        }
        for object in chain.into_iter().filter_map(|index| objects.get(index)) {
            if let Some(rpath) = object.elf.dynamic.as_ref().and_then(Dynamic::effective_rpath)
                && !self.found.is_over()
            {
                self.path(files, object, rpath)?;
            }
        }
        Ok(())
    }

    fn path<T: Directories<Content: Content>>(
        &mut self,
        files: &mut Files<'_, T>,
        object: &Object,
        path: &[u8],
    ) -> io::Result<()> {
        files.steps += path.len() as u64 / 8;
        let directories = self.glibc.split(object, path, &mut self.found.warnings);
        self.directories(files, &directories)
    }

    /// Searches directories in order.
    fn directories<T: Directories<Content: Content>>(
        &mut self,
        files: &mut Files<'_, T>,
        paths: &[Vec<u8>],
    ) -> io::Result<()> {
        for path in paths {
            let path = without_trailing_slashes(path);
            self.found.searched(path);
            let Some(directory) = files.directory(path) else { continue };
            let mut least = self.least;
            for (index, path, better) in self.better(files, &directory, path) {
                if let Tried::Taken(candidate) = self.try_in(files, &better, &path, false)? {
                    self.found.variants.push(candidate);
                    least = Some(index);
                }
            }
            self.least = least;
            match self.try_in(files, &directory, path, false)? {
                Tried::Nothing => {}
                Tried::Taken(candidate) => self.found.base = Some(candidate),
                Tried::Stop => return Ok(()),
            }
            if self.found.is_over() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Searches the cache that `ldconfig` would create. In it, a better variant takes precedence
    /// over the order of directories.
    fn cache<T: Directories<Content: Content>>(
        &mut self,
        files: &mut Files<'_, T>,
        no_default: bool,
    ) -> io::Result<()> {
        if !is_library_name(self.name) {
            return Ok(());
        }
        let glibc = self.glibc;
        let (mut least, mut taken): (_, Vec<(usize, Candidate)>) = (self.least, Vec::new());
        for path in &glibc.cached {
            self.found.searched(path);
            let Some(directory) = files.directory(path) else { continue };
            for (index, path, better) in self.better(files, &directory, path) {
                if taken.iter().all(|(known, _)| *known != index)
                    && let Tried::Taken(candidate) = self.try_in(files, &better, &path, true)?
                {
                    taken.push((index, candidate));
                    least = least.max(Some(index));
                }
            }
            if self.found.base.is_none()
                && let Tried::Taken(candidate) = self.try_in(files, &directory, path, true)?
            {
                self.found.base = Some(candidate);
            }
        }
        // With DF_1_NODEFLIB an entry of the cache is ignored if it lies beneath a default
        // directory.
        let dropped = |candidate: &Candidate| {
            let is_beneath = |own: &Vec<u8>| candidate.opened.starts_with(&join(own, b""));
            no_default && glibc.system.iter().any(is_beneath)
        };
        taken.retain(|(_, candidate)| !dropped(candidate));
        self.found.base.take_if(|base| dropped(base));
        self.found.variants.extend(taken.into_iter().map(|(_, candidate)| candidate));
        self.least = least;
        Ok(())
    }

    /// Returns the glibc-hwcaps subdirectories that are still to be searched.
    fn better<T: Directories<Content: Content>>(
        &self,
        files: &mut Files<'_, T>,
        directory: &Resolved,
        path: &[u8],
    ) -> Vec<(usize, Vec<u8>, Rc<Resolved>)> {
        const ABOVE: &[u8] = b"glibc-hwcaps";
        if self.glibc.hwcaps.is_empty() || files.tree.lookup(directory.id, ABOVE).is_none() {
            return Vec::new();
        }
        let above = join(path, ABOVE);
        let wanted = self.glibc.hwcaps.iter().enumerate();
        let wanted = wanted.filter(|(index, _)| self.least.is_none_or(|least| *index > least));
        let mut better = Vec::new();
        for (index, name) in wanted {
            let path = join(&above, name);
            if let Some(directory) = files.directory(&path) {
                better.push((index, path, directory));
            }
        }
        better
    }

    /// Tries the file of the name in a directory, which is opened by `path`.
    fn try_in<T: Directories<Content: Content>>(
        &mut self,
        files: &mut Files<'_, T>,
        directory: &Resolved,
        path: &[u8],
        for_cache: bool,
    ) -> io::Result<Tried> {
        if self.found.fatal.is_some() {
            return Ok(Tried::Stop);
        }
        let file = match files.in_directory(directory, self.name) {
            Ok(file) => file,
            Err(error) if goes_on(error) || for_cache => return Ok(Tried::Nothing),
            Err(_) => return Ok(Tried::Stop),
        };
        let opened = join(path, self.name);
        match verdict(files, file.id, self.glibc.abi)? {
            Verdict::Taken if for_cache && !self.is_cached(files, file.id)? => {}
            Verdict::Taken => return Ok(Tried::Taken(Candidate { opened, file })),
            Verdict::Foreign => {
                if self.found.foreign.len() < MAX_SEARCHED && !self.found.foreign.contains(&opened) {
                    self.found.foreign.push(opened);
                }
            }
            // ldconfig reports the file and continues.
            Verdict::Fatal(_) if for_cache => {}
            Verdict::Fatal(why) => {
                self.found.fatal = Some((opened, why));
                return Ok(Tried::Stop);
            }
        }
        Ok(Tried::Nothing)
    }

    /// Returns true if `ldconfig` would list the file under this name: its `DT_SONAME`, or else its
    /// own name.
    fn is_cached<T: Directories<Content: Content>>(
        &self,
        files: &mut Files<'_, T>,
        id: InodeId,
    ) -> io::Result<bool> {
        let parsed = files.elf(id)?;
        let soname = parsed.as_ref().ok().and_then(|elf| elf.dynamic.as_ref()?.soname.as_deref());
        Ok(soname.is_none_or(|soname| soname == self.name))
    }
}

#[cfg(test)]
mod tests;
