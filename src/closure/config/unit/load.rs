//! Finding the files of one unit.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content, Directories, Kind};

use super::name::UnitName;
use super::search_path::SEARCH_PATH;
use super::settings::Settings;
use crate::closure::config::file;
use crate::closure::error::Result;
use image_tree::path::{base_name, components, parent};
use image_tree::resolve::{MAX_SYMLINKS, resolve_in_root};

/// A unit as found in the tree.
pub(super) struct Loaded {
    /// The final name, after resolving aliases.
    pub(super) name: UnitName,
    /// The paths of its file and its drop-ins.
    pub(super) files: Vec<Vec<u8>>,
    /// The paths of the links that are significant by themselves: aliases, and masks, whose target
    /// does not exist in a tree.
    pub(super) names: Vec<Vec<u8>>,
    /// The settings; `None` if the unit is masked.
    pub(super) settings: Option<Settings>,
    /// The entries of its `.wants`, `.requires` and `.upholds` directories.
    pub(super) linked: Vec<Link>,
}

/// A link from a unit to another, whose name alone is significant.
pub(super) struct Link {
    /// `wants`, `requires` or `upholds`.
    pub(super) relation: &'static [u8],
    /// The name of the unit.
    pub(super) unit: Vec<u8>,
    /// The path of the link.
    pub(super) path: Vec<u8>,
}

/// Loads a unit; `None` if it is not in the tree. A unit that has only drop-ins or `.wants` does
/// not exist either.
///
/// # Errors
/// Returns an error if a file cannot be read or is too long.
pub(super) fn load<T: Directories<Content: Content>>(
    tree: &T,
    requested: &UnitName,
) -> Result<Option<Loaded>> {
    let mut loaded = Loaded {
        name: requested.clone(),
        files: Vec::new(),
        names: Vec::new(),
        settings: None,
        linked: Vec::new(),
    };
    let mut aliases = vec![requested.clone()];
    for _ in 0..MAX_SYMLINKS {
        match find(tree, &loaded.name)? {
            None => return Ok(None),
            Some(Found::Masked(path)) => {
                loaded.names.push(path);
                return Ok(Some(loaded));
            }
            Some(Found::Alias { path, of }) => {
                loaded.names.push(path);
                if !aliases.contains(&of) {
                    aliases.push(of.clone());
                }
                loaded.name = of;
            }
            Some(Found::File { path, text }) => {
                loaded.files.push(path);
                let mut settings = Settings::default();
                settings.read(&text);
                add_drop_ins(tree, &aliases, &mut settings, &mut loaded)?;
                loaded.settings = Some(settings);
                add_linked(tree, &aliases, &mut loaded);
                return Ok(Some(loaded));
            }
        }
    }
    Ok(None)
}

enum Found {
    Masked(Vec<u8>),
    Alias { path: Vec<u8>, of: UnitName },
    File { path: Vec<u8>, text: Vec<u8> },
}

/// Finds a unit by its own name, or by that of its template.
fn find<T: Directories<Content: Content>>(tree: &T, name: &UnitName) -> Result<Option<Found>> {
    for file_name in [Some(name.as_bytes().to_vec()), name.template()].into_iter().flatten() {
        for directory in SEARCH_PATH {
            let path = [directory, b"/", &file_name].concat();
            let Some(inode) =
                resolve_in_root(tree, directory).and_then(|inode| tree.lookup(inode, &file_name))
            else {
                continue;
            };
            if let Kind::Symlink(target) = &tree.get(inode).kind {
                let target = target.as_bytes();
                if target == b"/dev/null" {
                    return Ok(Some(Found::Masked(path)));
                }
                let target = absolute(directory, target);
                let base = base_name(&target);
                // A file elsewhere is that of this unit: systemctl link.
                let is_unit = SEARCH_PATH.contains(&parent(&target)) && base != file_name;
                if let Some(of) = name.instance_of(base).filter(|of| is_unit && of != name) {
                    return Ok(Some(Found::Alias { path, of }));
                }
            }
            match file::read(tree, &path)? {
                Some(text) if text.is_empty() => return Ok(Some(Found::Masked(path))),
                Some(text) => return Ok(Some(Found::File { path, text })),
                // A dangling link does not hide later directories.
                None => {}
            }
        }
    }
    Ok(None)
}

/// Returns the target of a link in a directory of the search path, without `.` and `..`.
pub(super) fn absolute(directory: &[u8], target: &[u8]) -> Vec<u8> {
    let base = if target.starts_with(b"/") { &b""[..] } else { directory };
    let mut names: Vec<&[u8]> = Vec::new();
    for name in components(base).chain(components(target)) {
        match name {
            b"." => {}
            b".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.iter().fold(Vec::new(), |path, name| [&path, &b"/"[..], name].concat())
}

/// Reads the drop-ins for all names of the unit, sorted by file name. If several have the same
/// name, the one of the most specific directory wins.
fn add_drop_ins<T: Directories<Content: Content>>(
    tree: &T,
    aliases: &[UnitName],
    settings: &mut Settings,
    loaded: &mut Loaded,
) -> Result<()> {
    let mut drop_ins: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for name in aliases.iter().flat_map(UnitName::drop_in_names) {
        for directory in SEARCH_PATH {
            let path = [directory, b"/", &name, b".d"].concat();
            let Some(inode) = resolve_in_root(tree, &path).filter(|inode| seen.insert(*inode)) else {
                continue;
            };
            for file in tree.entries(inode).into_iter().flat_map(BTreeMap::keys) {
                let file = file.as_bytes();
                if file.ends_with(b".conf") && !file.starts_with(b".") {
                    drop_ins.entry(file.to_vec()).or_insert_with(|| [&path, &b"/"[..], file].concat());
                }
            }
        }
    }
    for path in drop_ins.into_values() {
        match file::read(tree, &path)? {
            Some(text) => {
                settings.read(&text);
                loaded.files.push(path);
            }
            None => loaded.names.push(path),
        }
    }
    Ok(())
}

fn add_linked<T: Directories>(tree: &T, aliases: &[UnitName], loaded: &mut Loaded) {
    const KINDS: [&[u8]; 3] = [b"wants", b"requires", b"upholds"];
    let mut seen = BTreeSet::new();
    let names = aliases.iter().flat_map(|alias| [Some(alias.as_bytes().to_vec()), alias.template()]);
    for name in names.flatten() {
        for (directory, kind) in SEARCH_PATH.iter().flat_map(|path| KINDS.map(|kind| (path, kind))) {
            let path = [directory, &b"/"[..], &name, b".", kind].concat();
            let Some(inode) = resolve_in_root(tree, &path).filter(|inode| seen.insert(*inode)) else {
                continue;
            };
            for unit in tree.entries(inode).into_iter().flat_map(BTreeMap::keys).map(|name| name.as_bytes()) {
                let Some(unit_name) = UnitName::parse(unit) else { continue };
                let unit_name = loaded.name.instance_of(unit_name.as_bytes()).unwrap_or(unit_name);
                let path = [&path, &b"/"[..], unit].concat();
                loaded.linked.push(Link { relation: kind, unit: unit_name.as_bytes().to_vec(), path });
            }
        }
    }
}
