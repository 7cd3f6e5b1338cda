//! Decompresses modules, and removes their debug sections.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use image_tree::path::join;
use image_tree::{Content as _, InodeId, Kind, Shown, Tree};
use initramfs::compressed_file::{MAGIC_LEN, compression_of, decompress};
use kmod_index::{Stripped, has_debug_sections, strip};

use super::read::MAX_MODULE;
use super::renamed;
use super::signatures::Enforced;
use crate::blob::{ArchiveRange, Blob, Spool, SpoolMemory, classify_read_error};
use crate::bounded;
use crate::closure::kernel_modules::{find, versions};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report};
use crate::named::named;
use crate::shown::Count;
use crate::threads::Threads;

/// The compression of modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// That of the tree.
    #[default]
    Keep,
    /// None: modules are decompressed.
    None,
}

named!(Compression, "a compression of modules", [Keep => "keep", None => "none"]);

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The compression of modules.
    pub compression: Compression,
    /// True if debug sections are removed, and the signatures of modules that had some.
    pub strip: bool,
    /// The versions whose modules must be signed.
    pub enforced: &'a Enforced,
    /// The directory for the new bytes; `None` for that of temporary files.
    pub spool: Option<&'a Path>,
    /// The memory for the new bytes, before the file is used.
    pub memory: &'a SpoolMemory,
    /// The threads that read modules.
    pub threads: &'a Threads,
    /// The interrupt that stops the reading.
    pub interrupt: &'a Interrupt,
}

/// The changes to a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The new paths of files by the old ones.
    pub renamed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The directories of the versions of which modules have new paths.
    pub renamed_versions: BTreeSet<Vec<u8>>,
    decompressed: usize,
    stripped: usize,
    /// The bytes of debug sections and signatures.
    saved: u64,
    unsigned: usize,
}

impl Report for Changed {
    fn log(&self, log: &Log) {
        let modules = |number: usize| Count(number, "module", "modules");
        if self.decompressed > 0 {
            log.detail(format_args!("--kmod-compress: {} decompressed", modules(self.decompressed)));
        }
        if self.stripped > 0 {
            let (stripped, bytes) = (modules(self.stripped), self.saved);
            log.detail(format_args!("--strip-modules: {bytes} bytes were removed from {stripped}"));
        }
        if self.unsigned > 0 {
            log.warn(format_args!(
                "--strip-modules: {} lost the signature, as it is not that of the changed bytes: a kernel \
                 that enforces signatures does not load them, another is tainted",
                modules(self.unsigned)
            ));
        }
    }
}

/// A module with new bytes.
struct New {
    blob: Blob,
    is_decompressed: bool,
    /// The bytes that were removed; `None` if it was not stripped.
    removed: Option<u64>,
    is_unsigned: bool,
}

/// A file of modules, which links lead to.
struct Module {
    id: InodeId,
    /// The path of its first name.
    path: Vec<u8>,
    version: Vec<u8>,
}

/// Decompresses and strips the modules of all versions of a tree. Their names, and links to them,
/// lose the endings of the compression.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if a module is corrupt, if one would lose the signature that
/// its kernel needs, and if a name is taken; the error of a file that cannot be read or written.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Changed> {
    let Options { compression, strip, enforced, spool, memory, threads, interrupt } = *options;
    if compression == Compression::Keep && !strip {
        return Ok(Changed::default());
    }
    let (modules, compressed) = modules(tree)?;
    let cannot_spool = |error| Error::io(spool.unwrap_or(&std::env::temp_dir()), error);
    let spool = Spool::create(Path::new("a kernel module"), spool, memory).map_err(cannot_spool)?;
    let spool = Mutex::new(spool);
    let new = threads.map(modules.len(), |number, (): &mut ()| {
        interrupt.check()?;
        let Module { id, path, .. } = &modules[number];
        let Kind::Regular(blob) = &tree.get(*id).kind else { return Ok(None) };
        formed(blob, path, options, &spool)
    })?;
    spool
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish()
        .map_err(|error| write_error(&error))?;
    let mut changed = Changed::default();
    for (module, new) in modules.iter().zip(new) {
        let Some(New { blob, is_decompressed, removed, is_unsigned }) = new else { continue };
        if let (true, Some(config)) = (is_unsigned, enforced.get(&module.version)) {
            let (path, config) = (Shown(&module.path), Shown(config));
            let what = format!(
                "--strip-modules: {path} would lose its signature, and by {config} the kernel loads signed \
                 modules only (CONFIG_MODULE_SIG_FORCE); leave out --strip-modules"
            );
            return Err(Error::new(ErrorKind::BadInput, what));
        }
        // The inode is a regular file, which can be replaced.
        let _ = tree.replace_kind(module.id, Kind::Regular(blob));
        changed.decompressed += usize::from(is_decompressed);
        changed.stripped += usize::from(removed.is_some());
        changed.saved += removed.unwrap_or_default();
        changed.unsigned += usize::from(is_unsigned);
    }
    if compression == Compression::None {
        let ids = modules.iter().map(|module| module.id).collect();
        changed.renamed = renamed::apply(tree, &ids)?;
        changed.renamed_versions = compressed;
    }
    Ok(changed)
}

/// Returns the files of all modules, and the versions in which some have names of compressed ones.
fn modules(tree: &Tree<Blob>) -> Result<(Vec<Module>, BTreeSet<Vec<u8>>)> {
    let (mut modules, mut compressed, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for version in versions(tree) {
        let found = find(tree, &version).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
        for file in found.files {
            if renamed::without_ending(&file.path).is_some() {
                compressed.insert(version.clone());
            }
            if seen.insert(file.id) {
                let path = join(&version, &file.path);
                modules.push(Module { id: file.id, path, version: version.clone() });
            }
        }
    }
    Ok((modules, compressed))
}

/// Returns the new bytes of a module; `None` if it remains as it is.
fn formed(blob: &Blob, path: &[u8], options: &Options<'_>, spool: &Mutex<Spool>) -> Result<Option<New>> {
    let corrupt = |what: &dyn fmt::Display| {
        Error::new(ErrorKind::BadInput, format!("{}: not a valid kernel module: {what}", Shown(path)))
    };
    let mut start = [0; MAGIC_LEN];
    if blob.len() >= MAGIC_LEN as u64 {
        blob.read_at(&mut start, 0).map_err(classify_read_error)?;
    }
    let compression = compression_of(&start);
    let plain = match compression {
        None if !options.strip || !has_debug_sections(blob).map_err(|error| corrupt(&error))? => {
            return Ok(None);
        }
        None => bounded::read_content(blob, MAX_MODULE, Shown(path))?,
        Some(compression) => {
            decompress(blob, compression, MAX_MODULE).map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => {
                    corrupt(&format_args!("it cannot be decompressed: {error}"))
                }
                _ => classify_read_error(error),
            })?
        }
    };
    let stripped = if options.strip { strip(&plain).map_err(|error| corrupt(&error))? } else { None };
    if compression.is_some() && options.compression == Compression::Keep {
        return match stripped {
            None => Ok(None),
            Some(_) => {
                let what = "is compressed and has debug sections: --strip-modules needs --kmod-compress none";
                Err(Error::new(ErrorKind::BadInput, format!("{} {what}", Shown(path))))
            }
        };
    }
    let removed = stripped.as_ref().map(|stripped| (plain.len() - stripped.bytes.len()) as u64);
    let is_unsigned = stripped.as_ref().is_some_and(|stripped| stripped.was_signed);
    let bytes = stripped.map_or(plain, |Stripped { bytes, .. }| bytes);
    let blob = store(spool, &bytes).map_err(|error| write_error(&error))?;
    Ok(Some(New { blob, is_decompressed: compression.is_some(), removed, is_unsigned }))
}

/// Stores the bytes of a module.
fn store(spool: &Mutex<Spool>, bytes: &[u8]) -> std::io::Result<Blob> {
    let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
    let start = spool.begin(bytes.len() as u64);
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = start + (bytes.len() - rest.len()) as u64;
        let buffer = spool.buffer(at, rest.len() as u64)?;
        let (here, behind) = rest.split_at(buffer.len().min(rest.len()));
        buffer[..here.len()].copy_from_slice(here);
        rest = behind;
    }
    Ok(Blob::Range(ArchiveRange::new(Arc::clone(spool.archive()), start, bytes.len() as u64)))
}

fn write_error(error: &std::io::Error) -> Error {
    let what =
        format!("temporary file of kernel modules cannot be written: {error}; --spool names a directory");
    Error::new(ErrorKind::Io, what)
}
