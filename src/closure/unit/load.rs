//! Finding the files of one unit.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content, Kind, Tree};

use super::SEARCH_PATH;
use super::name::UnitName;
use super::settings::Settings;
use crate::closure::file;
use crate::error::Result;
use crate::resolve::{MAX_LINKS, resolve};

/// A unit as it lies in the tree.
pub(super) struct Loaded {
    /// What it is called in the end, when it was asked for by an alias.
    pub(super) name: UnitName,
    /// Paths of its file, its drop-ins and the links in its `.wants` directories.
    pub(super) files: Vec<Vec<u8>>,
    /// Paths of the links that matter by themselves: aliases, and masks, which lead to nothing in a tree.
    pub(super) names: Vec<Vec<u8>>,
    /// Its settings; none when it is masked.
    pub(super) settings: Option<Settings>,
    /// What lies in its `.wants`, `.requires` and `.upholds` directories: which of these, and the unit.
    pub(super) linked: Vec<(&'static [u8], Vec<u8>)>,
}

/// Loads a unit; none when it is not in the tree. A unit without a file that has drop-ins or `.wants` is not either.
///
/// # Errors
/// When a file cannot be read or is too long.
pub(super) fn load<C: Content>(tree: &Tree<C>, asked: &UnitName) -> Result<Option<Loaded>> {
    let mut loaded = Loaded {
        name: asked.clone(),
        files: Vec::new(),
        names: Vec::new(),
        settings: None,
        linked: Vec::new(),
    };
    let mut aliases = vec![asked.clone()];
    for _ in 0..MAX_LINKS {
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

/// A unit by its own name, or as an instance.
fn find<C: Content>(tree: &Tree<C>, name: &UnitName) -> Result<Option<Found>> {
    for file_name in [Some(name.as_bytes().to_vec()), name.template()].into_iter().flatten() {
        for directory in SEARCH_PATH {
            let path = [directory, b"/", &file_name].concat();
            let Some(inode) = resolve(tree, directory).and_then(|inode| tree.lookup(inode, &file_name))
            else {
                continue;
            };
            if let Kind::Symlink(target) = &tree.get(inode).kind {
                let target = target.as_bytes();
                if target == b"/dev/null" {
                    return Ok(Some(Found::Masked(path)));
                }
                let base = target.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                if let Some(of) = name.instance_of(base).filter(|of| base != file_name && of != name) {
                    return Ok(Some(Found::Alias { path, of }));
                }
            }
            match file::read(tree, &path)? {
                Some(text) if text.is_empty() => return Ok(Some(Found::Masked(path))),
                Some(text) => return Ok(Some(Found::File { path, text })),
                // A link to nowhere hides nothing.
                None => {}
            }
        }
    }
    Ok(None)
}

/// Reads the drop-ins of all names of the unit, in the order of their own names. Of several with one name that of the
/// more special directory counts.
fn add_drop_ins<C: Content>(
    tree: &Tree<C>,
    aliases: &[UnitName],
    settings: &mut Settings,
    loaded: &mut Loaded,
) -> Result<()> {
    let mut drop_ins: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for name in aliases.iter().flat_map(UnitName::drop_in_names) {
        for directory in SEARCH_PATH {
            let path = [directory, b"/", &name, b".d"].concat();
            let Some(inode) = resolve(tree, &path).filter(|inode| seen.insert(*inode)) else { continue };
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

fn add_linked<C>(tree: &Tree<C>, aliases: &[UnitName], loaded: &mut Loaded) {
    const KINDS: [&[u8]; 3] = [b"wants", b"requires", b"upholds"];
    let mut seen = BTreeSet::new();
    let names = aliases.iter().flat_map(|alias| [Some(alias.as_bytes().to_vec()), alias.template()]);
    for name in names.flatten() {
        for (directory, kind) in SEARCH_PATH.iter().flat_map(|path| KINDS.map(|kind| (path, kind))) {
            let path = [directory, &b"/"[..], &name, b".", kind].concat();
            let Some(inode) = resolve(tree, &path).filter(|inode| seen.insert(*inode)) else { continue };
            for unit in tree.entries(inode).into_iter().flat_map(BTreeMap::keys).map(|name| name.as_bytes()) {
                let Some(unit_name) = UnitName::parse(unit) else { continue };
                let unit_name = loaded.name.instance_of(unit_name.as_bytes()).unwrap_or(unit_name);
                // Only the name of the link counts, so it is kept though what it leads to may be elsewhere.
                loaded.names.push([&path, &b"/"[..], unit].concat());
                loaded.linked.push((kind, unit_name.as_bytes().to_vec()));
            }
        }
    }
}
