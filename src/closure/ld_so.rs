//! The dynamic linker of a program, and its search for the file of a library name.
//!
//! It is found by `PT_INTERP`. The default directories of a glibc dynamic linker are read from its
//! file, since they differ between distributions.

pub mod cache;
mod candidate;
pub mod conf;
mod glibc;
pub mod hwcaps;
mod musl;
mod object;
mod preload;

use std::io;

use image_tree::{Content, Directories};

use crate::closure::elf::{Abi, Elf};
use crate::closure::files::Files;
use crate::closure::ld_so::hwcaps::Hwcaps;
use image_tree::path::base_name;
use image_tree::resolve::Resolved;

pub(super) use candidate::{Candidate, Found};
pub(super) use glibc::Glibc;
pub(super) use musl::Musl;
pub(super) use object::{Loaded, Object};

/// A dynamic linker, with its build-time settings and its configuration in the tree.
#[derive(Clone, Debug)]
pub(super) enum DynamicLinker {
    Glibc(Glibc),
    Musl(Musl),
}

impl DynamicLinker {
    /// Returns the dynamic linker at the path in `PT_INTERP`, or `None` if its rules are not
    /// implemented.
    pub(super) fn of<T: Directories<Content: Content>>(
        files: &mut Files<'_, T>,
        interpreter: &[u8],
        found: &Resolved,
        abi: Abi,
        hwcaps: &Hwcaps,
    ) -> io::Result<Option<Self>> {
        let names = [base_name(&found.path), base_name(interpreter)];
        if names.iter().any(|name| name.starts_with(b"ld-musl-") || name.starts_with(b"libc.musl-")) {
            return Musl::of(files, interpreter, found).map(|musl| Some(Self::Musl(musl)));
        }
        let is_glibc = |name: &&[u8]| {
            [&b"ld-linux"[..], b"ld64.so.", b"ld.so.1", b"ld-2."].iter().any(|start| name.starts_with(start))
        };
        if names.iter().any(is_glibc) {
            return Glibc::of(files, found, abi, hwcaps).map(|glibc| Some(Self::Glibc(glibc)));
        }
        Ok(None)
    }

    /// Returns the object that satisfies a dependency on a name, if it is loaded.
    pub(super) fn loaded(&self, objects: &[Object], name: &[u8]) -> Option<usize> {
        match self {
            Self::Glibc(_) => glibc::loaded(objects, name),
            Self::Musl(_) => musl::loaded(objects, name),
        }
    }

    /// Searches for the library that `process.objects[requester]` refers to as `name` and that is not
    /// loaded.
    pub(super) fn search<T: Directories<Content: Content>>(
        &self,
        files: &mut Files<'_, T>,
        process: Loaded<'_>,
        requester: usize,
        name: &[u8],
    ) -> io::Result<Found> {
        match self {
            Self::Glibc(glibc) => glibc.search(files, process, requester, name),
            Self::Musl(musl) => musl.search(files, process, requester, name),
        }
    }
}

/// Returns the path of the dynamic linker for programs that could use a library, since a library
/// does not name one.
pub(super) fn of_library<T: Directories<Content: Content>>(
    files: &mut Files<'_, T>,
    elf: &Elf,
) -> io::Result<Option<Vec<u8>>> {
    let mut paths: Vec<Vec<u8>> = Vec::new();
    let wanted = KNOWN.iter().filter(|known| known.0 == elf.abi);
    paths.extend(wanted.map(|(_, path)| path.to_vec()));
    if let Some(library) = files.directory(b"/lib") {
        let names = files.tree.entries(library.id).into_iter().flat_map(|entries| entries.keys());
        let musl = names.filter(|name| name.as_bytes().starts_with(b"ld-musl-"));
        let musl: Vec<Vec<u8>> = musl.map(|name| [b"/lib/", name.as_bytes()].concat()).collect();
        if wants_musl(elf) {
            paths.splice(0..0, musl);
        } else {
            paths.extend(musl);
        }
    }
    for path in paths {
        if let Ok(found) = files.trace(&path)
            && let Ok(linker) = files.elf(found.id)?
            && linker.abi == elf.abi
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns true if a library was linked with musl: its C library has no version number.
fn wants_musl(elf: &Elf) -> bool {
    let dependencies = elf.dynamic.iter().flat_map(|dynamic| &dynamic.dependencies);
    dependencies
        .into_iter()
        .any(|dependency| dependency.name == b"libc.so" || dependency.name.starts_with(b"libc.musl-"))
}

const fn abi(class: u8, data: u8, machine: u16) -> Abi {
    Abi { class, data, machine }
}

/// The path of glibc's dynamic linker for each ABI.
const KNOWN: [(Abi, &[u8]); 14] = [
    (abi(2, 1, 62), b"/lib64/ld-linux-x86-64.so.2"),
    (abi(1, 1, 62), b"/libx32/ld-linux-x32.so.2"),
    (abi(1, 1, 3), b"/lib/ld-linux.so.2"),
    (abi(2, 1, 183), b"/lib/ld-linux-aarch64.so.1"),
    (abi(1, 1, 40), b"/lib/ld-linux-armhf.so.3"),
    (abi(1, 1, 40), b"/lib/ld-linux.so.3"),
    (abi(2, 1, 21), b"/lib64/ld64.so.2"),
    (abi(2, 2, 21), b"/lib64/ld64.so.1"),
    (abi(2, 2, 22), b"/lib/ld64.so.1"),
    (abi(1, 2, 22), b"/lib/ld.so.1"),
    (abi(2, 1, 243), b"/lib/ld-linux-riscv64-lp64d.so.1"),
    (abi(2, 1, 258), b"/lib64/ld-linux-loongarch-lp64d.so.1"),
    (abi(2, 1, 8), b"/lib64/ld.so.1"),
    (abi(1, 2, 20), b"/lib/ld.so.1"),
];
