//! The installed packages of a tree, from all databases that it has.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, InodeId, Kind};

use super::dpkg::Diversions;
use super::error::{Error, Result};
use super::model::{Listed, Package};
use super::read::{read, read_inode};
use super::rpm::sqlite::{Database, Payload, Problem};
use super::{apk, dpkg, rpm};

/// The maximum number of bytes of all lists of files and control files that are read. Those of a
/// large distribution have 50 MB.
const MAX_LISTS: u64 = 512 << 20;

/// The installed packages of a tree.
pub(super) struct Installed<'t, T> {
    tree: &'t T,
    /// The packages of each database in turn.
    pub(super) entries: Vec<Entry>,
    /// The paths of the databases.
    databases: Vec<Vec<u8>>,
    /// The first database of a format that is not supported.
    unsupported: Option<Error>,
    diversions: Diversions,
    /// dpkg's architecture of the tree.
    native: Vec<u8>,
    /// The names that several packages have.
    ambiguous: BTreeSet<Vec<u8>>,
    /// The texts of apk's databases.
    texts: Vec<Vec<u8>>,
    /// The number of bytes of lists and control files that may still be read.
    budget: Cell<u64>,
}

/// An installed package.
pub(super) struct Entry {
    pub(super) package: Package,
    pub(super) system: System,
    files: Files,
}

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    Dpkg,
    Apk,
    Rpm,
}

/// The location of a list of files.
enum Files {
    /// The first of these that exists.
    List(Vec<Vec<u8>>),
    /// A list of checksums, which names regular files only.
    Checksums(Vec<u8>),
    /// A paragraph of a text of apk.
    Paragraph { text: usize, range: Range<usize> },
    /// The header in a database of rpm.
    Header { database: InodeId, path: Vec<u8>, row: Payload },
}

impl<'t, T: Directories<Content: Content>> Installed<'t, T> {
    /// Reads the databases of a tree.
    ///
    /// # Errors
    /// Returns an error if a database is damaged, or cannot be read.
    pub(super) fn read(tree: &'t T) -> Result<Self> {
        let mut installed = Self {
            tree,
            entries: Vec::new(),
            databases: Vec::new(),
            unsupported: None,
            diversions: Diversions::default(),
            native: Vec::new(),
            ambiguous: BTreeSet::new(),
            texts: Vec::new(),
            budget: Cell::new(MAX_LISTS),
        };
        installed.read_dpkg()?;
        installed.read_status_d()?;
        installed.native = installed.native_architecture()?;
        let mut seen = BTreeSet::new();
        for path in apk::PATHS {
            if let Some(id) = resolve_in_root(tree, path).filter(|id| seen.insert(*id)) {
                installed.read_apk(id, path)?;
            }
        }
        for directory in rpm::DIRECTORIES {
            if let Some(id) = resolve_in_root(tree, directory).filter(|id| seen.insert(*id)) {
                installed.read_rpm(id, directory)?;
            }
        }
        installed.ambiguous = ambiguous(&installed.entries);
        Ok(installed)
    }

    /// Returns the paths of the databases that the tree has.
    ///
    /// # Errors
    /// Returns an error if it has none, which names the paths that were tried, or one of a format
    /// that is not supported.
    pub(super) fn databases(&self) -> Result<String> {
        match &self.unsupported {
            Some(Error::Unusable { path, why }) if self.databases.is_empty() => {
                return Err(Error::unusable(path, why));
            }
            _ => {}
        }
        if !self.databases.is_empty() {
            return Ok(listed(&self.databases));
        }
        let rpm = rpm::DIRECTORIES.map(|directory| join(directory, rpm::NAME));
        let text = [dpkg::STATUS, dpkg::STATUS_D, apk::PATHS[0], apk::PATHS[1]].map(<[u8]>::to_vec);
        Err(Error::NoDatabase { looked: listed(&[&text[..], &rpm].concat()) })
    }

    fn read_dpkg(&mut self) -> Result<()> {
        let Some(text) = read(self.tree, dpkg::STATUS)? else { return Ok(()) };
        self.databases.push(dpkg::STATUS.to_vec());
        if let Some(text) = read(self.tree, dpkg::DIVERSIONS)? {
            self.diversions = Diversions::parse(&text);
        }
        for stanza in dpkg::packages(&text) {
            let package = stanza.package;
            let list = |name: &[u8]| join(dpkg::INFO, &[name, b".list"].concat());
            let plain = list(&package.name);
            let qualified = list(&[&package.name, &b":"[..], &package.architecture].concat());
            let lists = if stanza.is_qualified { vec![qualified, plain] } else { vec![plain, qualified] };
            self.entries.push(Entry { package, system: System::Dpkg, files: Files::List(lists) });
        }
        Ok(())
    }

    /// Returns the architecture that dpkg stores, or else the most frequent one.
    fn native_architecture(&self) -> Result<Vec<u8>> {
        for path in dpkg::ARCHITECTURES {
            let text = read(self.tree, path)?.unwrap_or_default();
            let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
            if !first.is_empty() {
                return Ok(first.to_vec());
            }
        }
        let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.package.architecture != b"all") {
            *counts.entry(&entry.package.architecture).or_default() += 1;
        }
        let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
        Ok(most.map(|(name, _)| name.to_vec()).unwrap_or_default())
    }

    fn read_status_d(&mut self) -> Result<()> {
        let tree = self.tree;
        let Some(directory) = resolve_in_root(tree, dpkg::STATUS_D) else { return Ok(()) };
        let Some(entries) = tree.entries(directory) else { return Ok(()) };
        self.databases.push(dpkg::STATUS_D.to_vec());
        for (name, id) in entries {
            let name = name.as_bytes();
            if [&b".md5sums"[..], b".list"].iter().any(|suffix| name.ends_with(suffix)) {
                continue;
            }
            let path = join(dpkg::STATUS_D, name);
            let Some(text) = read_inode(tree, *id, &path)? else { continue };
            self.spend(&path, text.len() as u64)?;
            let beside = |suffix: &[u8]| [&path, suffix].concat();
            let has_list = resolve_in_root(tree, &beside(b".list")).is_some();
            for stanza in dpkg::packages(&text) {
                let files = match has_list {
                    true => Files::List(vec![beside(b".list")]),
                    false => Files::Checksums(beside(b".md5sums")),
                };
                self.entries.push(Entry { package: stanza.package, system: System::Dpkg, files });
            }
        }
        Ok(())
    }

    fn read_apk(&mut self, id: InodeId, path: &[u8]) -> Result<()> {
        let Some(bytes) = read_inode(self.tree, id, path)? else { return Ok(()) };
        self.databases.push(path.to_vec());
        let text = self.texts.len();
        for (package, range) in apk::packages(&bytes) {
            let files = Files::Paragraph { text, range };
            self.entries.push(Entry { package, system: System::Apk, files });
        }
        self.texts.push(bytes);
        Ok(())
    }

    fn read_rpm(&mut self, directory: InodeId, path: &[u8]) -> Result<()> {
        let tree = self.tree;
        for (name, format) in rpm::OTHERS {
            if tree.lookup(directory, name).is_some() && self.unsupported.is_none() {
                let why = format!(
                    "it has rpm's old format {format}, which is not supported; convert it by rpmdb --rebuilddb with \
                     --define '_db_backend sqlite'"
                );
                self.unsupported = Some(Error::unusable(&join(path, name), why));
            }
        }
        let path = join(path, rpm::NAME);
        let Some(id) = tree.lookup(directory, rpm::NAME) else { return Ok(()) };
        let Kind::Regular(content) = &tree.get(id).kind else { return Ok(()) };
        for suffix in rpm::JOURNALS {
            let journal = tree.lookup(directory, &[rpm::NAME, suffix].concat());
            if let Some(Kind::Regular(rest)) = journal.map(|id| &tree.get(id).kind)
                && !rest.is_empty()
            {
                let why = format!(
                    "a part of it is still in {}{}; write that back by rpmdb --rebuilddb, or by sqlite3 and its \
                     PRAGMA wal_checkpoint(TRUNCATE)",
                    rpm::NAME.escape_ascii(),
                    suffix.escape_ascii()
                );
                return Err(Error::unusable(&path, why));
            }
        }
        let unusable = |problem| damaged(&path, problem);
        let database = Database::open(content).map_err(unusable)?;
        self.databases.push(path.clone());
        for row in rpm::rows(&database).map_err(unusable)? {
            let header = rpm::header(&database, &row).map_err(unusable)?;
            let Some(package) = rpm::package(&header) else { continue };
            let files = Files::Header { database: id, path: path.clone(), row };
            self.entries.push(Entry { package, system: System::Rpm, files });
        }
        Ok(())
    }

    /// Returns the files of a package where they lie in the tree; `None` if the database has no
    /// list for it.
    ///
    /// # Errors
    /// Returns an error if the list is damaged, too long, or cannot be read.
    pub(super) fn files(&self, index: usize) -> Result<Option<Vec<Listed>>> {
        let Entry { package, files, .. } = &self.entries[index];
        match files {
            Files::List(paths) => {
                for path in paths {
                    if let Some(text) = read(self.tree, path)? {
                        self.spend(path, text.len() as u64)?;
                        let mut listed = dpkg::list(&text);
                        for one in &mut listed {
                            let place = self.diversions.place(&package.name, &one.path);
                            if place != one.path {
                                one.path = place.to_vec();
                            }
                        }
                        return Ok(Some(listed));
                    }
                }
                Ok(None)
            }
            Files::Checksums(path) => {
                let Some(text) = read(self.tree, path)? else { return Ok(None) };
                self.spend(path, text.len() as u64)?;
                Ok(Some(dpkg::checksums(&text)))
            }
            Files::Paragraph { text, range } => Ok(Some(apk::files(&self.texts[*text][range.clone()]))),
            Files::Header { database, path, row } => {
                let Kind::Regular(content) = &self.tree.get(*database).kind else { return Ok(None) };
                let unusable = |problem| damaged(path, problem);
                let database = Database::open(content).map_err(unusable)?;
                let header = rpm::header(&database, row).map_err(unusable)?;
                Ok(Some(rpm::files(&header)))
            }
        }
    }

    /// Returns true if the list of a package names regular files only.
    pub(super) fn has_only_regular_files(&self, index: usize) -> bool {
        matches!(self.entries[index].files, Files::Checksums(_))
    }

    fn spend(&self, path: &[u8], bytes: u64) -> Result<()> {
        let left = self.budget.get().checked_sub(bytes);
        let left = left.ok_or_else(|| {
            Error::unusable(path, format!("with it, the lists of files have more than {MAX_LISTS} bytes"))
        })?;
        self.budget.set(left);
        Ok(())
    }

    /// dpkg's architecture of the tree.
    pub(super) fn native(&self) -> &[u8] {
        &self.native
    }

    /// Returns the name of a package, with its architecture if several of the name are installed.
    pub(super) fn shown(&self, index: usize) -> String {
        let Package { name, architecture, .. } = &self.entries[index].package;
        match !architecture.is_empty() && self.ambiguous.contains(name) {
            true => format!("{}:{}", name.escape_ascii(), architecture.escape_ascii()),
            false => name.escape_ascii().to_string(),
        }
    }
}

fn ambiguous(entries: &[Entry]) -> BTreeSet<Vec<u8>> {
    let mut seen = BTreeSet::new();
    let names = entries.iter().map(|entry| &entry.package.name);
    names.filter(|name| !seen.insert(*name)).cloned().collect()
}

fn damaged(path: &[u8], problem: Problem) -> Error {
    match problem {
        Problem::Read(error) => Error::Read(error),
        Problem::Malformed(why) => Error::unusable(path, why),
    }
}

fn listed(paths: &[Vec<u8>]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.escape_ascii().to_string()).collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests {
    use image_tree::{Inode, Metadata, Tree};

    use super::*;
    use crate::closure::testing::tree;

    #[test]
    fn lists_of_files_and_control_files_are_limited_together() {
        let tree = tree(&[
            ("/var/lib/dpkg/status", "Package: a\n\nPackage: b\n"),
            ("/var/lib/dpkg/info/a.list", "/a\n"),
            ("/var/lib/dpkg/info/b.list", "/b\n"),
            ("/var/lib/dpkg/status.d/c", "Package: c\n"),
            ("/var/lib/dpkg/status.d/c.md5sums", "d41d8cd98f00b204e9800998ecf8427e  c\n"),
        ]);
        let installed = Installed::read(&tree).expect("it is read");
        assert_eq!(installed.budget.get(), MAX_LISTS - 11);
        let names: Vec<String> = (0..3).map(|index| installed.shown(index)).collect();
        assert_eq!(names, ["a", "b", "c"]);
        installed.budget.set(5);
        assert!(installed.files(0).expect("it is within the limit").is_some());
        for (index, path) in [(1, "info/b.list"), (2, "status.d/c.md5sums")] {
            let error = installed.files(index).expect_err("it is too long").to_string();
            let expected = format!(
                "the package database /var/lib/dpkg/{path}: with it, the lists of files have more than 536870912 bytes"
            );
            assert_eq!(error, expected);
        }
    }

    /// A file of which only the length is known.
    struct Length(u64);

    impl Content for Length {
        fn len(&self) -> u64 {
            self.0
        }

        fn read_at(&self, buffer: &mut [u8], _offset: u64) -> std::io::Result<()> {
            buffer.fill(b'\n');
            Ok(())
        }
    }

    #[test]
    fn texts_that_are_too_long_are_refused() {
        let installed = |path: &str, len: u64| {
            let directory = Metadata::new(0o755);
            let mut tree = Tree::new(directory.clone());
            let inode = Inode { metadata: directory.clone(), kind: Kind::Regular(Length(len)) };
            tree.insert_path(path.as_bytes(), inode, &directory).expect("it is new");
            Installed::read(&tree).map(|_| ()).map_err(|error| error.to_string())
        };
        for path in ["/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/dpkg/status.d/a"] {
            let expected =
                format!("the package database {path}: it has 67108865 bytes; the limit is 67108864");
            assert_eq!(installed(path, (64 << 20) + 1), Err(expected));
            assert_eq!(installed(path, 100), Ok(()));
        }
    }
}
