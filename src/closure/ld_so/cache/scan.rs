//! The libraries of a tree as `ldconfig` lists them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use std::io;

use image_tree::{Content, Directories, InodeId, Kind, Name};

use super::{Abi, Entry, Hwcaps, compare};
use crate::closure::elf::{Elf, ReadError};
use image_tree::resolve::resolve_in_root;

/// The properties that an ELF file declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// `DT_SONAME`.
    pub soname: Option<Vec<u8>>,
    /// Its architecture.
    pub abi: Abi,
    /// The ISA level that its GNU properties require; 0 if they require none.
    pub isa_level: u16,
}

impl Library {
    /// Reads a file; `None` if it is not a shared library that `ldconfig` lists.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read. A malformed ELF file is not a library.
    pub fn read<C: Content + ?Sized>(content: &C) -> io::Result<Option<Self>> {
        const ET_DYN: u16 = 3;
        let elf = match Elf::read(content) {
            Ok(elf) => elf,
            Err(ReadError::Io(error)) => return Err(error),
            Err(ReadError::Malformed(_)) => return Ok(None),
        };
        let header = elf.abi;
        let abi = Abi::of_elf(header.class, header.data, header.machine, elf.e_flags);
        let isa_level = elf.isa_level;
        let (Some(dynamic), Some(abi), ET_DYN) = (elf.dynamic, abi, elf.e_type) else { return Ok(None) };
        Ok(Some(Self { soname: dynamic.soname, abi, isa_level }))
    }
}

/// The cache entries and links for the directories of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The entries, in the order of the directories.
    pub entries: Vec<Entry>,
    /// The links that the entries depend on and that `ldconfig` would create or change.
    pub links: Vec<Link>,
}

/// A symbolic link in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The directory, as it was given.
    pub directory: Vec<u8>,
    /// The name of the link: a soname.
    pub name: Vec<u8>,
    /// The file in the same directory that it points to.
    pub target: Vec<u8>,
}

/// Lists the libraries of `directories`, which are paths of the tree: those of `/etc/ld.so.conf`,
/// followed by the dynamic linker's own. A directory that is given by two names is listed under the
/// first; missing directories are skipped.
///
/// `inspect` reads a regular file by its inode; it returns `None` if the file is not a shared
/// library with a dynamic section. It is called once for each file.
///
/// # Errors
/// Returns the errors of `inspect`.
pub fn scan<T: Directories, E>(
    tree: &T,
    directories: &[Vec<u8>],
    mut inspect: impl FnMut(InodeId) -> Result<Option<Library>, E>,
) -> Result<Scan, E> {
    let mut scan = Scan::default();
    let mut known = BTreeMap::new();
    for directory in with_hwcaps(tree, directories) {
        for (name, inode) in directory.candidates(tree) {
            let file = directory.file(tree, name, *inode);
            let Some(file) = file else { continue };
            if let std::collections::btree_map::Entry::Vacant(unknown) = known.entry(file) {
                unknown.insert(inspect(file)?);
            }
        }
        directory.list(tree, &known, &mut scan);
    }
    Ok(scan)
}

/// Returns true if a name is that of a library or a dynamic linker.
#[must_use]
pub fn is_library_name(name: &[u8]) -> bool {
    let has_so = name.windows(3).any(|part| part == b".so");
    (name.starts_with(b"lib") || name.starts_with(b"ld-")) && has_so
        || name.starts_with(b"ld.so.")
        || name.starts_with(b"ld64.so.")
}

struct Directory {
    path: Vec<u8>,
    inode: InodeId,
    /// The name of the glibc-hwcaps subdirectory, if it is one.
    hwcaps: Option<Vec<u8>>,
}

/// Returns each directory once, in order, followed by the subdirectories of its `glibc-hwcaps`.
fn with_hwcaps<T: Directories>(tree: &T, directories: &[Vec<u8>]) -> Vec<Directory> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |path: Vec<u8>, hwcaps: Option<Vec<u8>>| {
        let inode = resolve_in_root(tree, &path).filter(|inode| tree.entries(*inode).is_some());
        let inode = inode.filter(|inode| seen.insert(*inode));
        if let Some(inode) = inode {
            found.push(Directory { path, inode, hwcaps });
        }
        inode.is_some()
    };
    for path in directories {
        let path = without_slashes_at_end(path.trim_ascii());
        if path.is_empty() || !add(path.to_vec(), None) {
            continue;
        }
        let above = [path, b"/glibc-hwcaps"].concat();
        let names = resolve_in_root(tree, &above).and_then(|inode| tree.entries(inode));
        for name in names.into_iter().flat_map(BTreeMap::keys) {
            let name = name.as_bytes();
            if !name.starts_with(b".") && !name.contains(&b':') {
                add([&above, &b"/"[..], name].concat(), Some(name.to_vec()));
            }
        }
    }
    found
}

fn without_slashes_at_end(path: &[u8]) -> &[u8] {
    let len = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    &path[..len]
}

/// A name that may be listed for a soname.
struct Candidate<'a> {
    name: &'a [u8],
    is_link: bool,
    library: &'a Library,
}

impl Directory {
    /// Returns the names that may be those of libraries.
    fn candidates<'a, T: Directories>(&self, tree: &'a T) -> impl Iterator<Item = (&'a Name, &'a InodeId)> {
        let in_hwcaps = self.hwcaps.is_some();
        tree.entries(self.inode).into_iter().flatten().filter(move |(name, inode)| {
            let is_link = matches!(tree.get(**inode).kind, Kind::Symlink(_));
            let name = name.as_bytes();
            (is_library_name(name) || is_link && in_hwcaps) && !is_temporary(name)
        })
    }

    /// Resolves a name to a regular file.
    fn file<T: Directories>(&self, tree: &T, name: &Name, inode: InodeId) -> Option<InodeId> {
        let file = match &tree.get(inode).kind {
            Kind::Symlink(_) => resolve_in_root(tree, &[&self.path, &b"/"[..], name.as_bytes()].concat())?,
            _ => inode,
        };
        matches!(tree.get(file).kind, Kind::Regular(_)).then_some(file)
    }

    fn list<T: Directories>(&self, tree: &T, known: &BTreeMap<InodeId, Option<Library>>, scan: &mut Scan) {
        let mut by_soname: BTreeMap<Vec<u8>, Candidate<'_>> = BTreeMap::new();
        for (name, inode) in self.candidates(tree) {
            let file = self.file(tree, name, *inode);
            let library = file.and_then(|file| known.get(&file)).and_then(Option::as_ref);
            let Some(library) = library else { continue };
            let name = name.as_bytes();
            let soname = library.soname.as_deref().unwrap_or(name);
            let is_link = matches!(tree.get(*inode).kind, Kind::Symlink(_)) && is_name_of(name, soname);
            let candidate = Candidate { name, is_link, library };
            // A link of this kind is listed by its own name, which programs may request too.
            let listed = if is_link { name } else { soname };
            match by_soname.get_mut(listed) {
                Some(before) if before.is_older(&candidate) => *before = candidate,
                Some(_) => {}
                None => {
                    by_soname.insert(listed.to_vec(), candidate);
                }
            }
        }
        for (soname, candidate) in by_soname {
            self.add(tree, soname, &candidate, scan);
        }
    }

    fn add<T: Directories>(&self, tree: &T, soname: Vec<u8>, candidate: &Candidate<'_>, scan: &mut Scan) {
        let library = candidate.library;
        // Outside glibc-hwcaps the entry names the link, which stays valid when its target is
        // replaced by a newer one.
        let file = if self.hwcaps.is_some() { candidate.name } else { &soname[..] };
        let path = [&self.path, &b"/"[..], file].concat();
        if self.hwcaps.is_none() && !candidate.is_link && !self.leads_to(tree, &soname, candidate.name) {
            scan.links.push(Link {
                directory: self.path.clone(),
                name: soname.clone(),
                target: candidate.name.to_vec(),
            });
        }
        let hwcaps = self
            .hwcaps
            .as_ref()
            .map(|subdirectory| Hwcaps { subdirectory: subdirectory.clone(), isa_level: library.isa_level });
        scan.entries.push(Entry { name: soname, path, flags: library.abi.flags, hwcaps });
    }

    /// Returns true if a name resolves to the file, or is a file that a link must not replace.
    fn leads_to<T: Directories>(&self, tree: &T, name: &[u8], file: &[u8]) -> bool {
        let at = |name: &[u8]| resolve_in_root(tree, &[&self.path, &b"/"[..], name].concat());
        let is_file = tree
            .lookup(self.inode, name)
            .is_some_and(|inode| !matches!(tree.get(inode).kind, Kind::Symlink(_)));
        is_file || at(name).is_some_and(|inode| at(file) == Some(inode))
    }
}

impl Candidate<'_> {
    /// A file is preferred to a link, and a name with higher numbers to one with lower.
    fn is_older(&self, other: &Self) -> bool {
        match (self.is_link, other.is_link) {
            (true, false) => true,
            (false, true) => false,
            _ => compare(self.name, other.name, self.library.abi) == Ordering::Less,
        }
    }
}

/// Returns true if a link's name is the soname or the name for the static linker, `libx.so` of
/// `libx.so.1`. Any other link counts as a file.
fn is_name_of(link: &[u8], soname: &[u8]) -> bool {
    link == soname || link.ends_with(b".so") && soname.starts_with(link)
}

/// Returns true for temporary files of package managers and prelink.
fn is_temporary(name: &[u8]) -> bool {
    const PRELINK: &[u8] = b".#prelink#";
    let random_end = name.len().checked_sub(PRELINK.len() + 7).map(|start| &name[start..]);
    name.ends_with(PRELINK)
        || random_end.is_some_and(|end| end.starts_with(b".#prelink#."))
        || name.contains(&b';')
        || name.ends_with(b".dpkg-new")
        || name.ends_with(b".dpkg-tmp")
}
