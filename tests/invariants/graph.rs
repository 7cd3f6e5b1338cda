//! The files of a crate and what each uses of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::items::{self, Import, Module};

/// A use of an item that another file defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) line: usize,
    /// The path as it is written.
    pub(super) path: String,
}

/// The modules of a crate, by their paths.
#[derive(Default)]
pub(super) struct Crate {
    modules: BTreeMap<Vec<String>, Vec<Module>>,
    files: BTreeMap<Vec<String>, PathBuf>,
}

/// A place that a path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Module(Vec<String>),
    /// An item of this module.
    Item(Vec<String>),
}

impl Crate {
    /// Reads the crate whose root is `root`. `read` returns the text of a file, if there is one.
    pub(super) fn new(root: &Path, read: impl Fn(&Path) -> Option<String>) -> Self {
        let mut found = Self::default();
        let directory = root.parent().expect("the root is in a folder");
        let mut left = vec![(Vec::new(), root.to_owned(), false)];
        while let Some((path, file, test)) = left.pop() {
            let code = read(&file).unwrap_or_else(|| panic!("{} cannot be read", file.display()));
            for module in items::modules(&path, test, &code) {
                for (child, test) in &module.children {
                    let path = [module.path.as_slice(), std::slice::from_ref(child)].concat();
                    let stem = path.iter().fold(directory.to_owned(), |folder, name| folder.join(name));
                    left.push((path, stem.with_extension("rs"), *test || module.test));
                }
                found.files.entry(module.path.clone()).or_insert_with(|| file.clone());
                found.modules.entry(module.path.clone()).or_default().push(module);
            }
        }
        found
    }

    /// Returns the top-level modules that are not for tests only.
    pub(super) fn top_level(&self) -> BTreeSet<String> {
        let product = |parts: &Vec<Module>| parts.iter().any(|part| !part.test);
        let paths = self.modules.iter().filter(|(path, parts)| path.len() == 1 && product(parts));
        paths.map(|(path, _)| path[0].clone()).collect()
    }

    /// Returns the top-level module of each file; the crate's root has none.
    pub(super) fn top_level_of(&self, file: &Path) -> Option<&str> {
        let path = self.files.iter().find(|(_, other)| *other == file)?.0;
        path.first().map(String::as_str)
    }

    /// Returns what the files use of each other outside of tests.
    pub(super) fn uses(&self) -> BTreeSet<Use> {
        let product = self.modules.values().flatten().filter(|module| !module.test);
        product.flat_map(|module| self.uses_of(module)).collect()
    }

    fn uses_of(&self, module: &Module) -> Vec<Use> {
        let mut paths: Vec<(&[String], usize)> =
            module.paths.iter().map(|(path, line)| (path.as_slice(), *line)).collect();
        for import in module.imports.iter().filter(|import| self.is_use(module, import)) {
            paths.push((&import.path, import.line));
        }
        let from = &self.files[&module.path];
        let mut found = Vec::new();
        for (path, line) in paths {
            let target = match path.split_last() {
                Some((last, names)) if last == "*" => self.resolve(&module.path, names, false, 0),
                _ => self.resolve(&module.path, path, true, 0),
            };
            let to = match target {
                Some(Target::Item(path)) => &self.files[&path],
                Some(Target::Module(target)) if path.last().is_some_and(|last| last == "*") => {
                    &self.files[&target]
                }
                _ => continue,
            };
            if to != from {
                found.push(Use { from: from.clone(), to: to.clone(), line, path: path.join("::") });
            }
        }
        found
    }

    /// Returns false for a re-export that the module itself does not use, and for the name of a
    /// module that is also that of an item which is not used.
    fn is_use(&self, module: &Module, import: &Import) -> bool {
        let module_too =
            matches!(self.resolve(&module.path, &import.path, false, 0), Some(Target::Module(_)));
        if !import.public && !module_too {
            return true;
        }
        import.name != "*" && module.words.contains(&import.name)
    }

    /// Follows a path from a module. With `item`, a last name of both a module and an item is the
    /// item.
    fn resolve(&self, from: &[String], path: &[String], item: bool, depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let last = rest.is_empty();
        let mut at = match first.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(from.to_vec()),
            "super" => Target::Module(from.split_last()?.1.to_vec()),
            name => self.lookup(from, name, item && last, depth)?,
        };
        for (index, name) in rest.iter().enumerate() {
            let Target::Module(module) = &at else { break };
            at = match name.as_str() {
                "super" => Target::Module(module.split_last()?.1.to_vec()),
                name => self.lookup(module, name, item && index + 1 == rest.len(), depth)?,
            };
        }
        Some(at)
    }

    /// Finds a name in a module: its own items and modules, then what it imports.
    fn lookup(&self, module: &[String], name: &str, item: bool, depth: usize) -> Option<Target> {
        /// Imports that lead in a circle end here.
        const DEPTH: usize = 16;
        if depth > DEPTH {
            return None;
        }
        let parts = self.modules.get(module)?;
        let defined = parts.iter().any(|part| part.items.iter().any(|item| item == name));
        let child = [module, &[name.to_owned()]].concat();
        if self.modules.contains_key(&child) && !(item && defined) {
            return Some(Target::Module(child));
        }
        if defined {
            return Some(Target::Item(module.to_vec()));
        }
        let imports = || parts.iter().flat_map(|part| &part.imports);
        let named = imports().filter(|import| import.name == name);
        if let Some(found) =
            named.filter_map(|import| self.resolve(module, &import.path, item, depth + 1)).next()
        {
            return Some(found);
        }
        imports().filter(|import| import.name == "*").find_map(|import| {
            let (_, names) = import.path.split_last()?;
            match self.resolve(module, names, false, depth + 1)? {
                Target::Module(inside) if inside != module => self.lookup(&inside, name, item, depth + 1),
                _ => None,
            }
        })
    }
}

/// Returns the crate of made-up files, the root first.
pub(super) fn made_up(files: &[(&str, &str)]) -> Crate {
    let read =
        |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|file| file.1.to_owned());
    Crate::new(Path::new(files[0].0), read)
}

fn uses(files: &[(&str, &str)]) -> Vec<String> {
    let show = |found: Use| format!("{}:{} {}", found.from.display(), found.line, found.to.display());
    made_up(files).uses().into_iter().map(show).collect()
}

#[test]
fn re_exports_are_followed_to_the_defining_file() {
    let found = uses(&[
        ("src/lib.rs", "pub mod a;\nmod b;\npub use b::deep::Thing;"),
        (
            "src/a.rs",
            "use crate::{b::Thing as T};\nuse crate::b;\nfn f() { b::function(); crate::Thing::new(); }",
        ),
        ("src/b.rs", "pub mod deep;\npub use self::deep::*;"),
        ("src/b/deep.rs", "pub struct Thing;\npub fn function() {}"),
    ]);
    assert_eq!(found, ["src/a.rs:1 src/b/deep.rs", "src/a.rs:3 src/b/deep.rs", "src/a.rs:3 src/b/deep.rs"]);
}

#[test]
fn a_re_export_is_a_use_only_if_the_module_uses_the_name() {
    let files = |parent: &'static str| {
        uses(&[("src/lib.rs", "mod a;"), ("src/a.rs", parent), ("src/a/b.rs", "pub struct Thing;")])
    };
    assert_eq!(files("mod b;\npub use b::Thing;"), [""; 0]);
    assert_eq!(files("mod b;\npub use b::Thing;\nfn f(_: Thing) {}"), ["src/a.rs:2 src/a/b.rs"]);
    assert_eq!(files("mod b;\nuse b::Thing;"), ["src/a.rs:2 src/a/b.rs"]);
    assert_eq!(files("mod b;\nfn f(_: b::Thing) {}"), ["src/a.rs:2 src/a/b.rs"]);
}

#[test]
fn a_module_and_a_function_of_one_name_are_kept_apart() {
    let files = |user: &'static str| {
        uses(&[
            ("src/lib.rs", "mod a;\nmod user;"),
            ("src/a.rs", "pub mod name;\npub fn name() {}"),
            ("src/a/name.rs", "pub fn other() {}"),
            ("src/user.rs", user),
        ])
    };
    assert_eq!(files("use crate::a::name;\nfn f() { name::other(); }"), ["src/user.rs:2 src/a/name.rs"]);
    assert_eq!(files("use crate::a::name;\nfn f() { name(); }"), ["src/user.rs:1 src/a.rs"]);
}
