//! Reading modules, and the indices that list them.

use std::io;

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, InodeId, Kind};
use initramfs::compressed_file::{MAGIC_LEN, compression_of, decompress};
use kmod_index::{Catalog, Entry, MAX_MEMORY, Module, ModuleError, ModuleInfo, Texts, module_name};

use super::error::{Error, Result};
use super::find::{FoundFiles, ModuleFile, find};
use super::version::Version;

/// The longest index, in bytes. `modules.alias` of a generic kernel has 1.5 million.
const MAX_TEXT: u64 = 64 << 20;
/// The longest compressed module, before and after it is decompressed, in bytes.
const MAX_MODULE: u64 = 256 << 20;

/// The soft and weak dependencies of the modules of a version, as lines of modprobe's
/// configuration.
pub(super) struct SoftTexts {
    pub(super) soft: Vec<u8>,
    pub(super) weak: Vec<u8>,
}

/// Returns the modules of a version: from its indices, or from the modules without `modules.dep` and
/// if that lacks modules that were added later.
pub(super) fn catalog<T: Directories<Content: Content>>(
    tree: &T,
    version: &Version,
) -> Result<(Catalog, SoftTexts)> {
    let text = |name: &str| text(tree, version, name);
    let (builtin, builtin_modinfo) = (text("modules.builtin")?, text("modules.builtin.modinfo")?);
    let (dep, FoundFiles { files, .. }) = (text("modules.dep")?, find(tree, &version.path)?);
    if !dep.is_empty() {
        let (alias, symbols) = (text("modules.alias")?, text("modules.symbols")?);
        let (dep, alias, symbols) = (&dep[..], &alias[..], &symbols[..]);
        let texts = Texts { dep, alias, symbols, builtin: &builtin, builtin_modinfo: &builtin_modinfo };
        let catalog = Catalog::from_texts(&texts);
        if !has_unlisted(&catalog, &files) {
            let soft = SoftTexts { soft: text("modules.softdep")?, weak: text("modules.weakdep")? };
            return Ok((catalog, soft));
        }
    }
    let (mut entries, mut memory) = (Vec::new(), 0);
    for ModuleFile { path, id } in files {
        let whole = join(&version.path, &path);
        let module = parse(tree, id, &whole, Module::parse, Module::parse)?;
        memory += module.memory();
        if memory > MAX_MEMORY {
            let why = format!("its modules have more than {MAX_MEMORY} bytes of values and symbols");
            return Err(Error::unusable(&version.path, why));
        }
        entries.push(Entry::new(path, module));
    }
    let (mut soft, mut weak) = (Vec::new(), Vec::new());
    for Entry { name, module, .. } in &entries {
        let line = |command: &[u8], value: &Vec<u8>| [command, name, b" ", value, b"\n"].concat();
        soft.extend(module.info.softdeps.iter().flat_map(|value| line(b"softdep ", value)));
        weak.extend(module.info.weakdeps.iter().flat_map(|value| line(b"weakdep ", value)));
    }
    let catalog = Catalog::from_modules(&entries, &builtin, &builtin_modinfo)
        .map_err(|error| Error::unusable(&version.path, error))?;
    Ok((catalog, SoftTexts { soft, weak }))
}

/// Returns the `.modinfo` of a module.
pub(super) fn info<T: Directories<Content: Content>>(
    tree: &T,
    id: InodeId,
    path: &[u8],
) -> Result<ModuleInfo> {
    parse(tree, id, path, ModuleInfo::parse, ModuleInfo::parse)
}

/// Parses a module: the file itself, or what it unpacks to.
fn parse<T: Directories<Content: Content>, M>(
    tree: &T,
    id: InodeId,
    path: &[u8],
    plain: impl FnOnce(&T::Content) -> std::result::Result<M, ModuleError>,
    unpacked: impl FnOnce(&Vec<u8>) -> std::result::Result<M, ModuleError>,
) -> Result<M> {
    let Kind::Regular(content) = &tree.get(id).kind else {
        return Err(Error::unusable(path, "it is not a regular file"));
    };
    let mut start = vec![0; usize::try_from(content.len()).unwrap_or(MAGIC_LEN).min(MAGIC_LEN)];
    content.read_at(&mut start, 0)?;
    let parsed = match compression_of(&start) {
        None => plain(content),
        Some(compression) => {
            let bytes = decompress(content, compression, MAX_MODULE).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::Unsupported => {
                    Error::unusable(path, format_args!("it cannot be decompressed: {error}"))
                }
                _ => Error::Read(error),
            })?;
            unpacked(&bytes)
        }
    };
    parsed.map_err(|error| match error {
        ModuleError::Read(error) => Error::Read(error),
        error => Error::unusable(path, format_args!("not a valid kernel module: {error}")),
    })
}

/// Returns true if a module has a file and is not in the indices, which were made before it was
/// added.
fn has_unlisted(catalog: &Catalog, files: &[ModuleFile]) -> bool {
    files.iter().any(|file| catalog.module(&module_name(&file.path)).is_none())
}

/// Returns the bytes of an index; empty without one.
fn text<T: Directories<Content: Content>>(tree: &T, version: &Version, name: &str) -> Result<Vec<u8>> {
    let path = join(&version.path, name.as_bytes());
    let Some(id) = resolve_in_root(tree, &path) else { return Ok(Vec::new()) };
    let Kind::Regular(content) = &tree.get(id).kind else { return Ok(Vec::new()) };
    let len = content.len();
    if len > MAX_TEXT {
        return Err(Error::unusable(&path, format_args!("it has {len} bytes; the limit is {MAX_TEXT}")));
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    content.read_at(&mut bytes, 0)?;
    Ok(bytes)
}
