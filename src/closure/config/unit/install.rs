//! The `[Install]` section of a unit: the links that enabling it makes.

use image_tree::path::{base_name, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, Kind};

use super::load::{Loaded, absolute, load};
use super::name::UnitName;
use super::search_path::SEARCH_PATH;
use super::settings::Settings;
use crate::closure::error::Result;

/// A unit as `systemctl enable` finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installable {
    /// The tree does not have it.
    Missing,
    /// It is masked: its file is empty, or a link to `/dev/null`.
    Masked,
    /// Its name is an alias of this unit.
    Alias(Vec<u8>),
    /// Its file is a link to one of its name in another directory of units, and is not enabled.
    Linked,
    /// It has a file.
    Unit(Install),
}

/// The file of a unit, and the links that enabling it makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// The path of the file.
    pub path: Vec<u8>,
    /// The links, as paths beneath the directory of the configuration.
    pub links: Vec<InstallLink>,
    /// Units that are enabled with it.
    pub also: Vec<Vec<u8>>,
    /// Names that cannot be linked.
    pub invalid: Vec<Vec<u8>>,
}

/// A link to the file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallLink {
    /// Its path beneath the directory of the configuration, such as `a.target.wants/b.service`.
    pub path: Vec<u8>,
    /// True for another name of the unit, which replaces nothing.
    pub is_alias: bool,
}

/// Returns the `[Install]` section of a unit; `None` if the name is not that of a unit.
///
/// # Errors
/// Returns an error if a file cannot be read or is too long.
pub fn install<T: Directories<Content: Content>>(tree: &T, name: &[u8]) -> Result<Option<Installable>> {
    let Some(name) = UnitName::parse(name) else { return Ok(None) };
    let Some(Loaded { name: found, files, settings, .. }) = load(tree, &name)? else {
        return Ok(Some(Installable::Missing));
    };
    let Some(settings) = settings else { return Ok(Some(Installable::Masked)) };
    if found != name {
        return Ok(Some(Installable::Alias(found.as_bytes().to_vec())));
    }
    let mut path = files.into_iter().next().unwrap_or_default();
    let inode = resolve_in_root(tree, parent(&path)).and_then(|above| tree.lookup(above, base_name(&path)));
    if let Some(Kind::Symlink(target)) = inode.map(|inode| &tree.get(inode).kind) {
        let target = absolute(parent(&path), target.as_bytes());
        if SEARCH_PATH.contains(&parent(&target)) {
            return Ok(Some(Installable::Linked));
        }
        path = target;
    }
    Ok(Some(Installable::Unit(Section { name: &name, settings: &settings }.install(path))))
}

/// Returns the instance of a template with the name; `None` if it is not a template.
#[must_use]
pub fn instance(template: &[u8], instance: &[u8]) -> Option<Vec<u8>> {
    let template = UnitName::parse(template)?;
    if template.instance() != Some(b"") {
        return None;
    }
    let bytes = template.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'@')?;
    let name = [&bytes[..=at], instance, &bytes[at + 1..]].concat();
    UnitName::parse(&name).map(|name| name.as_bytes().to_vec())
}

/// Returns the template of an instance, with the instance.
#[must_use]
pub fn template_of(name: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let name = UnitName::parse(name)?;
    Some((name.template()?, name.instance()?.to_vec()))
}

/// The section of one unit.
struct Section<'a> {
    name: &'a UnitName,
    settings: &'a Settings,
}

impl Section<'_> {
    fn install(&self, path: Vec<u8>) -> Install {
        let mut install = Install { path, ..Install::default() };
        let linked = self.linked_name();
        let expanding = linked.as_ref().unwrap_or(self.name);
        if may_alias(self.name) {
            for alias in self.values("Alias") {
                match self.alias(&alias) {
                    Some(path) if path == self.name.as_bytes() => {}
                    Some(path) => install.links.push(InstallLink { path, is_alias: true }),
                    None => install.invalid.push(alias),
                }
            }
        }
        for (key, suffix) in [("WantedBy", ".wants"), ("RequiredBy", ".requires"), ("UpheldBy", ".upholds")] {
            for target in self.values(key) {
                let expanded = expanding.expand(&target);
                let name = UnitName::parse(&expanded.text).filter(|_| expanded.is_known);
                match name {
                    Some(name) if linked.is_some() || name.instance().is_some() => {
                        let of = linked.as_ref().unwrap_or(self.name);
                        let path = [name.as_bytes(), suffix.as_bytes(), b"/", of.as_bytes()].concat();
                        install.links.push(InstallLink { path, is_alias: false });
                    }
                    // A template without an instance that a unit which is none should want.
                    Some(_) => {}
                    None => install.invalid.push(target),
                }
            }
        }
        for unit in self.values("Also") {
            let expanded = expanding.expand(&unit);
            match UnitName::parse(&expanded.text).filter(|_| expanded.is_known) {
                Some(name) => install.also.push(name.as_bytes().to_vec()),
                None => install.invalid.push(unit),
            }
        }
        install
    }

    /// Returns the name of the links in the directories of others: that of the default instance for
    /// a template; `None` for a template without one.
    fn linked_name(&self) -> Option<UnitName> {
        if self.name.instance() != Some(b"") {
            return Some(self.name.clone());
        }
        let default = self.settings.last("Install", "DefaultInstance")?;
        let default = self.name.expand(default);
        let name = instance(self.name.as_bytes(), &default.text).filter(|_| default.is_known)?;
        UnitName::parse(&name).filter(|name| name.instance() != Some(b""))
    }

    /// Returns the path of another name of the unit, if that can be one.
    fn alias(&self, alias: &[u8]) -> Option<Vec<u8>> {
        let expanded = self.name.expand(alias);
        let text = &expanded.text[..];
        if !expanded.is_known {
            return None;
        }
        if let Some(slash) = text.iter().rposition(|byte| *byte == b'/') {
            // The form of old units for WantedBy= and RequiredBy=.
            let above = &text[..slash];
            let of = above.strip_suffix(b".wants").or(above.strip_suffix(b".requires"))?;
            let is_own = base_name(text) == self.name.as_bytes();
            return UnitName::parse(of).filter(|_| is_own).map(|_| text.to_vec());
        }
        let alias = UnitName::parse(text)?;
        let own = self.name.instance();
        let alias = match alias.instance() {
            Some(b"") if own.is_some_and(|own| !own.is_empty()) => self.name.instance_of(text)?,
            _ => alias,
        };
        let fits = match (alias.instance(), own) {
            (None, None) => true,
            (Some(of_alias), Some(own)) => own.is_empty() || of_alias == own,
            _ => false,
        };
        (fits && alias.kind() == self.name.kind()).then(|| alias.as_bytes().to_vec())
    }

    /// Returns the words of all values after the last empty one.
    fn values(&self, key: &str) -> Vec<Vec<u8>> {
        self.settings.values("Install", key).into_iter().flat_map(words).collect()
    }
}

/// Returns true for the kinds of units that may have other names.
fn may_alias(name: &UnitName) -> bool {
    matches!(name.kind(), b"service" | b"socket" | b"target" | b"device" | b"timer" | b"path")
}

/// Returns the words of a value, in which quotes are removed and backslashes, which names of units
/// have, are not.
fn words(value: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Vec<u8>>, None);
    for byte in value {
        match (*byte, quote) {
            (byte, Some(open)) if byte == open => quote = None,
            (byte @ (b'"' | b'\''), None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (byte, None) if byte.is_ascii_whitespace() => words.extend(word.take()),
            (byte, _) => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}
