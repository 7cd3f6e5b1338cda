//! The library search of musl (`load_library` of `ldso/dynlink.c`).
//!
//! ```text
//! its own libraries      libc, libpthread, libm … are the dynamic linker itself
//! a name with '/'        that path
//! search paths           of the object, of what loaded it, and so on: DT_RUNPATH, or else DT_RPATH
//! its configured ones    /etc/ld-musl-ARCH.path, or else /lib:/usr/local/lib:/usr/lib
//! ```
//!
//! `LD_LIBRARY_PATH` precedes the search paths if the caller states it. The first file that can be
//! opened ends the search, whatever machine it is for. `LD_PRELOAD` is not part of the tree, and is
//! ignored.

use std::io;

use image_tree::{Content, Directories};

use super::candidate::{Candidate, Found, Verdict, goes_on, verdict};
use super::object::{Loaded, Object};
use crate::closure::elf::Abi;
use crate::closure::files::Files;
use image_tree::path::{base_name, join, parent};
use image_tree::resolve::{ResolveError, Resolved};

/// A musl dynamic linker.
#[derive(Clone, Debug)]
pub(in crate::closure) struct Musl {
    /// The default directories, which are searched last.
    system: Vec<Vec<u8>>,
    /// The file that configures them, if it exists: the dynamic linker reads it at every start.
    pub(in crate::closure) configuration: Option<Resolved>,
}

/// Names provided by the dynamic linker itself: the part between `lib` and the next dot.
const OWN: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];

/// The maximum size of the path file in bytes.
const MAX_BYTES: usize = 1 << 16;

impl Musl {
    pub(super) fn of<T: Directories<Content: Content>>(
        files: &mut Files<'_, T>,
        interpreter: &[u8],
        found: &Resolved,
    ) -> io::Result<Self> {
        let named = [base_name(interpreter), base_name(&found.path)];
        let architecture = named.iter().find_map(|name| {
            let name = name.strip_prefix(b"ld-musl-").or_else(|| name.strip_prefix(b"libc.musl-"))?;
            name.strip_suffix(b".so.1")
        });
        // Its installation prefix is the parent of the directory that contains it.
        let prefix = match parent(parent(interpreter)) {
            b"/" => b"",
            prefix => prefix,
        };
        let path = [prefix, b"/etc/ld-musl-", architecture.unwrap_or_default(), b".path"].concat();
        let configuration = files.trace(&path).ok();
        let system = match &configuration {
            Some(file) => files.head(file.id, MAX_BYTES)?,
            None => b"/lib:/usr/local/lib:/usr/lib".to_vec(),
        };
        Ok(Self { system: split(&system), configuration })
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
        let Loaded { objects, library_path } = process;
        let abi = objects[requester].elf.abi;
        if name.contains(&b'/') {
            match files.trace(name) {
                Ok(file) => take(files, abi, Candidate { opened: name.to_vec(), file }, &mut found)?,
                Err(error) => found.fatal = Some((name.to_vec(), error.to_string())),
            }
            return Ok(found);
        }
        for path in split(library_path) {
            if !try_in(files, abi, &path, name, &mut found)? {
                return Ok(found);
            }
        }
        let mut next = Some(requester);
        while let Some(object) = next.and_then(|index| objects.get(index)) {
            for path in search_path(object, &mut found.warnings) {
                if !try_in(files, abi, &path, name, &mut found)? {
                    return Ok(found);
                }
            }
            next = object.loaded_by;
        }
        for path in &self.system {
            if !try_in(files, abi, path, name, &mut found)? {
                break;
            }
        }
        Ok(found)
    }
}

/// Finds the object that was loaded by a name. musl ignores `DT_SONAME`.
pub(super) fn loaded(objects: &[Object], name: &[u8]) -> Option<usize> {
    let is_own = name.strip_prefix(b"lib").is_some_and(|rest| OWN.iter().any(|own| rest.starts_with(own)));
    if is_own { objects.iter().position(|object| object.is_dynamic_linker) } else { None }
        .or_else(|| objects.iter().position(|object| object.is_called(name)))
}

/// Returns the directories of an object's search path: none if it contains a `$` other than that of
/// `$ORIGIN`, or if that is not known.
fn search_path(object: &Object, warnings: &mut Vec<String>) -> Vec<Vec<u8>> {
    let dynamic = object.elf.dynamic.as_ref();
    let Some(path) = dynamic.and_then(|dynamic| dynamic.runpath.as_ref().or(dynamic.rpath.as_ref())) else {
        return Vec::new();
    };
    let mut expanded = Vec::new();
    let mut rest = &path[..];
    while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
        expanded.extend_from_slice(&rest[..dollar]);
        let token = &rest[dollar..];
        let after = token.strip_prefix(b"$ORIGIN").or_else(|| token.strip_prefix(b"${ORIGIN}"));
        let (Some(after), Some(origin)) = (after, &object.origin) else { return Vec::new() };
        if expanded.len() >= MAX_BYTES {
            let object = object.path.escape_ascii();
            warnings
                .push(format!("{object}: its search path is longer than {MAX_BYTES} bytes and is skipped"));
            return Vec::new();
        }
        expanded.extend_from_slice(origin);
        rest = after;
    }
    expanded.extend_from_slice(rest);
    split(&expanded)
}

fn split(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| matches!(byte, b':' | b'\n'));
    parts.filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Tries the file of the name in a directory. Returns true if the search continues.
fn try_in<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    abi: Abi,
    path: &[u8],
    name: &[u8],
    found: &mut Found,
) -> io::Result<bool> {
    if !path.starts_with(b"/") {
        let shown = path.escape_ascii();
        found.warnings.push(format!("\"{shown}\" in a search path is relative and is not searched"));
        return Ok(true);
    }
    found.searched(path);
    let Some(directory) = files.directory(path) else { return Ok(true) };
    match files.in_directory(&directory, name) {
        Ok(file) => take(files, abi, Candidate { opened: join(path, name), file }, found)?,
        Err(error) => return Ok(goes_on(error) || error == ResolveError::NotADirectory),
    }
    Ok(!found.is_over())
}

fn take<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    abi: Abi,
    candidate: Candidate,
    found: &mut Found,
) -> io::Result<()> {
    match verdict(files, candidate.file.id, abi)? {
        Verdict::Taken => found.base = Some(candidate),
        Verdict::Foreign => {
            found.fatal =
                Some((candidate.opened, "it is for another machine, and musl looks no further".into()));
        }
        Verdict::Fatal(why) => found.fatal = Some((candidate.opened, why)),
    }
    Ok(())
}
