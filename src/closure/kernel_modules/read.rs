//! Reading modules, and the indices that list them.

use std::collections::BTreeSet;
use std::io;

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, InodeId, Kind};
use initramfs::compressed_file::{MAGIC_LEN, compression_of, decompress};
use kmod_index::{Catalog, Entry, MAX_MEMORY, Module, ModuleError, ModuleInfo, Texts, is_module};

use super::error::{Error, Result};
use super::version::Version;

/// The longest index, in bytes. `modules.alias` of a generic kernel has 1.5 million.
const MAX_TEXT: u64 = 64 << 20;
/// The longest compressed module, before and after it is decompressed, in bytes.
const MAX_MODULE: u64 = 256 << 20;
/// Names that depmod ignores in every directory: links to where the kernel was built.
const IGNORED: [&[u8]; 2] = [b"build", b"source"];

/// The soft and weak dependencies of the modules of a version, as lines of modprobe's
/// configuration.
pub(super) struct SoftTexts {
    pub(super) soft: Vec<u8>,
    pub(super) weak: Vec<u8>,
}

/// Returns the modules of a version: from its indices, or without `modules.dep` from the modules.
pub(super) fn catalog<T: Directories<Content: Content>>(
    tree: &T,
    version: &Version,
) -> Result<(Catalog, SoftTexts)> {
    let text = |name: &str| text(tree, version, name);
    let (builtin, builtin_modinfo) = (text("modules.builtin")?, text("modules.builtin.modinfo")?);
    let dep = text("modules.dep")?;
    if !dep.is_empty() {
        let (alias, symbols) = (text("modules.alias")?, text("modules.symbols")?);
        let (dep, alias, symbols) = (&dep[..], &alias[..], &symbols[..]);
        let texts = Texts { dep, alias, symbols, builtin: &builtin, builtin_modinfo: &builtin_modinfo };
        let soft = SoftTexts { soft: text("modules.softdep")?, weak: text("modules.weakdep")? };
        return Ok((Catalog::from_texts(&texts), soft));
    }
    let (mut entries, mut memory) = (Vec::new(), 0);
    for (path, id) in files(tree, version)? {
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

/// Returns the modules of a version by their paths below its directory, in their order.
fn files<T: Directories>(tree: &T, version: &Version) -> Result<Vec<(Vec<u8>, InodeId)>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut directories = vec![(version.id, Vec::new())];
    while let Some((directory, path)) = directories.pop() {
        if !seen.insert(directory) {
            continue;
        }
        for (name, _) in tree.entries(directory).into_iter().flatten() {
            let name = name.as_bytes();
            let path = [&path[..], name].concat();
            // A link counts by its own name.
            let Some(id) = resolve_in_root(tree, &join(&version.path, &path)) else { continue };
            match tree.get(id).kind {
                Kind::Directory(_) if !IGNORED.contains(&name) => {
                    directories.push((id, [&path[..], b"/"].concat()));
                }
                Kind::Regular(_) if is_module(name) => found.push((path, id)),
                _ => {}
            }
        }
    }
    found.sort_unstable();
    Ok(found)
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
