//! The modules of a version: from the texts of its indices, or from the modules themselves.

use std::collections::{BTreeMap, BTreeSet};

use super::aliases::Aliases;
use crate::error::Error;
use crate::limits::MAX_DEPENDENCIES;
use crate::name::{module_name, normalize_alias, with_underscores};
use crate::plan::{Entry, one_of_each_name};

/// The modules of a version of the kernel by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    pub(super) modules: BTreeMap<Vec<u8>, Listed>,
    pub(super) aliases: Aliases,
    pub(super) symbols: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) builtin: BTreeSet<Vec<u8>>,
    pub(super) builtin_aliases: Aliases,
}

/// A module that has a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The path below `lib/modules/VERSION`.
    pub path: Vec<u8>,
    /// The names of the modules that it needs, also by way of others, in the order in which they
    /// are loaded.
    pub dependencies: Vec<Vec<u8>>,
}

/// Texts of `lib/modules/VERSION`; one that is missing is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts<'t> {
    /// `modules.dep`
    pub dep: &'t [u8],
    /// `modules.alias`
    pub alias: &'t [u8],
    /// `modules.symbols`
    pub symbols: &'t [u8],
    /// `modules.builtin`
    pub builtin: &'t [u8],
    /// `modules.builtin.modinfo`
    pub builtin_modinfo: &'t [u8],
}

impl Catalog {
    /// Reads the texts of indices. Lines that depmod does not write are ignored.
    #[must_use]
    pub fn from_texts(texts: &Texts<'_>) -> Self {
        let mut catalog = Self::default();
        for line in lines(texts.dep) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (path, needed) = (&line[..colon], words(&line[colon + 1..]));
            // The line is in the order of unloading.
            let dependencies = needed.iter().rev().map(|path| module_name(path)).collect();
            catalog.modules.insert(module_name(path), Listed { path: path.to_vec(), dependencies });
        }
        for line in lines(texts.alias) {
            // An alias may have blanks.
            let Some(line) = line.strip_prefix(b"alias ") else { continue };
            let Some(blank) = line.iter().rposition(|byte| *byte == b' ') else { continue };
            if let Some(alias) = normalize_alias(&line[..blank]) {
                catalog.aliases.push(alias, line[blank + 1..].to_vec());
            }
        }
        for line in lines(texts.symbols) {
            if let [b"alias", symbol, module] = words(line)[..] {
                catalog.symbols.insert(symbol.to_vec(), module.to_vec());
            }
        }
        catalog.add_builtin(texts.builtin, texts.builtin_modinfo);
        catalog
    }

    /// Reads modules themselves, for a version without `modules.dep`. What each needs is in its
    /// `depends=`.
    ///
    /// # Errors
    /// If modules need more than a million others, each counted for each that needs it.
    pub fn from_modules(modules: &[Entry], builtin: &[u8], builtin_modinfo: &[u8]) -> Result<Self, Error> {
        let mut catalog = Self::default();
        // The same of several modules of a name as in an index.
        let modules = one_of_each_name(modules, &mut Vec::new());
        let direct: BTreeMap<&[u8], &[Vec<u8>]> = modules
            .iter()
            .map(|entry| (entry.name.as_slice(), entry.module.info.depends.as_slice()))
            .collect();
        let mut count = 0;
        for entry in modules {
            let dependencies = load_order(&entry.name, &direct);
            count += dependencies.len();
            if count > MAX_DEPENDENCIES {
                return Err(Error::TooManyDependencies);
            }
            let listed = Listed { path: entry.path.clone(), dependencies };
            catalog.modules.insert(entry.name.clone(), listed);
            for alias in entry.module.info.aliases.iter().filter_map(|alias| normalize_alias(alias)) {
                catalog.aliases.push(alias, entry.name.clone());
            }
            for symbol in entry.module.exports.iter() {
                catalog.symbols.insert([b"symbol:", symbol].concat(), entry.name.clone());
            }
        }
        catalog.add_builtin(builtin, builtin_modinfo);
        Ok(catalog)
    }

    fn add_builtin(&mut self, builtin: &[u8], modinfo: &[u8]) {
        self.builtin.extend(lines(builtin).map(module_name));
        for line in modinfo.split(|byte| *byte == 0) {
            let Some(dot) = line.iter().position(|byte| *byte == b'.') else { continue };
            let alias = line[dot + 1..].strip_prefix(b"alias=").and_then(normalize_alias);
            if let Some(alias) = alias {
                self.builtin_aliases.push(alias, with_underscores(&line[..dot]));
            }
        }
    }

    /// The modules with files, by their names.
    pub fn modules(&self) -> impl Iterator<Item = (&[u8], &Listed)> {
        self.modules.iter().map(|(name, listed)| (name.as_slice(), listed))
    }

    /// The names of the modules that are built into the kernel.
    pub fn builtin(&self) -> impl Iterator<Item = &[u8]> {
        self.builtin.iter().map(Vec::as_slice)
    }

    /// Returns the module of a name, in which `-` stands for `_`.
    #[must_use]
    pub fn module(&self, name: &[u8]) -> Option<&Listed> {
        self.modules.get(&with_underscores(name))
    }
}

/// Returns all that a module needs, each behind those that it needs itself. Names without a module
/// are kept, so that they can be reported.
fn load_order(name: &[u8], direct: &BTreeMap<&[u8], &[Vec<u8>]>) -> Vec<Vec<u8>> {
    let needed = |name: &[u8]| direct.get(name).copied().unwrap_or_default();
    let (mut order, mut seen) = (Vec::new(), BTreeSet::from([name]));
    let mut stack = vec![(name, needed(name).iter())];
    while let Some((module, left)) = stack.last_mut() {
        match left.next() {
            Some(next) if seen.insert(next) => stack.push((next, needed(next).iter())),
            Some(_) => {}
            None => {
                if *module != name {
                    order.push(module.to_vec());
                }
                stack.pop();
            }
        }
    }
    order
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#')
}

fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Module;

    /// Each module needs the one before it.
    fn chain(len: usize) -> Vec<Entry> {
        let entry = |number: usize| {
            let mut module = Module::default();
            module.info.depends.extend(number.checked_sub(1).map(|before| before.to_string().into_bytes()));
            Entry::new(format!("{number}.ko").into_bytes(), module)
        };
        (0..len).map(entry).collect()
    }

    #[test]
    fn dependencies_of_modules_are_limited() {
        let last =
            Catalog::from_modules(&chain(100), b"", b"").map(|catalog| catalog.modules[&b"99"[..]].clone());
        assert_eq!(last.map(|last| last.dependencies.len()), Ok(99));
        assert_eq!(Catalog::from_modules(&chain(1500), b"", b""), Err(Error::TooManyDependencies));
    }
}
