//! The names of a tree in the order of the archive, and the numbers of their files.

use image_tree::{Content, InodeId, Kind, Tree, Walk};

use crate::error::{Error, Unrepresentable};
use crate::newc::{PATH_MAX, TRAILER};
use crate::options::{Options, Precompressed};

/// Every name of the tree.
#[derive(Debug)]
pub(crate) struct Entries {
    /// In the order of the walk.
    pub(crate) names: Vec<Name>,
    /// The paths of all names, without separators between them.
    paths: Vec<u8>,
    /// The number of each inode in the archive, by index; from 1 in the order of the walk.
    numbers: Vec<u32>,
    /// The number of names of each inode, by index.
    name_counts: Vec<u64>,
    pub(crate) inode_count: u32,
    pub(crate) data_bytes: u64,
}

/// One name of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) id: InodeId,
    /// The end of the path in [`Entries::paths`], and its length, in bytes.
    path_end: usize,
    path_len: u16,
    /// The position of its directory in [`Entries::names`]; the root's is its own.
    parent: usize,
    /// True if this is the last name of the file, which has the data, as in cpio.
    pub(crate) last: bool,
    /// True if the name is in the archive of files that are not compressed.
    pub(crate) precompressed: bool,
    /// True if the name is in the other archive. A directory may be in both.
    pub(crate) rest: bool,
}

impl Entries {
    /// Returns the path without a leading `/`, as in the archive.
    pub(crate) fn path(&self, name: &Name) -> &[u8] {
        &self.paths[name.path_end - usize::from(name.path_len)..name.path_end]
    }

    /// The number of a file in the archive.
    pub(crate) fn number(&self, id: InodeId) -> u32 {
        self.numbers[id.index()]
    }

    /// Returns the number of names of a file.
    pub(crate) fn name_count(&self, id: InodeId) -> u64 {
        self.name_counts[id.index()]
    }

    /// Returns the length of the data of a name, in bytes.
    pub(crate) fn body_len<C: Content>(&self, tree: &Tree<C>, name: &Name) -> u64 {
        match &tree.get(name.id).kind {
            Kind::Regular(content) if name.last => content.len(),
            Kind::Symlink(target) => target.as_bytes().len() as u64,
            _ => 0,
        }
    }
}

/// Lists and checks every name.
pub(crate) fn list<C: Content>(tree: &Tree<C>, options: &Options) -> Result<Entries, Error> {
    let mut entries = Entries {
        names: Vec::new(),
        paths: Vec::new(),
        numbers: vec![0; tree.inode_count()],
        name_counts: tree.name_counts(),
        inode_count: 0,
        data_bytes: 0,
    };
    // The position of every directory above the current name.
    let mut above: Vec<usize> = Vec::new();
    let mut precompressed = vec![false; tree.inode_count()];
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        above.truncate(walk.depth());
        let name = push_path(&mut entries, &walk, step.id, above.last().copied().unwrap_or(0))?;
        if step.first {
            entries.inode_count += 1;
            entries.numbers[step.id.index()] = entries.inode_count;
            check(tree, &entries, step.id).map_err(|reason| unrepresentable(&walk, reason))?;
            check_checksum(tree, step.id, options, &walk)?;
            if let Kind::Regular(content) = &tree.get(step.id).kind {
                let sum = entries.data_bytes.checked_add(content.len());
                entries.data_bytes = sum.ok_or(Error::TooLong)?;
            }
        }
        precompressed[step.id.index()] |=
            is_precompressed(tree, step.id, entries.path(&name), &options.precompressed);
        above.push(entries.names.len());
        entries.names.push(name);
    }
    mark(&mut entries.names, &precompressed);
    Ok(entries)
}

fn push_path<C>(
    entries: &mut Entries,
    walk: &Walk<'_, C>,
    id: InodeId,
    parent: usize,
) -> Result<Name, Error> {
    // The limit excludes the NUL.
    const LIMIT: u16 = 4095;
    const _: () = assert!(LIMIT as u32 + 1 == PATH_MAX);
    let mut path = Vec::new();
    walk.write_path(&mut path);
    let path = match &path[1..] {
        b"" => b".",
        path => path,
    };
    if path == TRAILER {
        return Err(unrepresentable(walk, Unrepresentable::Trailer));
    }
    let path_len = u16::try_from(path.len()).ok().filter(|len| *len <= LIMIT).ok_or_else(|| {
        let (len, limit) = (path.len() as u64, u64::from(LIMIT));
        unrepresentable(walk, Unrepresentable::PathTooLong { len, limit })
    })?;
    entries.paths.extend(path);
    Ok(Name {
        id,
        path_end: entries.paths.len(),
        path_len,
        parent,
        last: false,
        precompressed: false,
        rest: false,
    })
}

fn unrepresentable<C>(walk: &Walk<'_, C>, reason: Unrepresentable) -> Error {
    let mut path = Vec::new();
    walk.write_path(&mut path);
    Error::Unrepresentable { path, reason }
}

fn check<C: Content>(tree: &Tree<C>, entries: &Entries, id: InodeId) -> Result<(), Unrepresentable> {
    /// The kernel's device numbers have 12 bits (major) and 20 bits (minor, `MINORBITS`).
    const DEVICE_LIMITS: (u32, u32) = (0xfff, 0xf_ffff);
    let inode = tree.get(id);
    let time = inode.metadata.mtime;
    if u32::try_from(time.seconds()).is_err() {
        return Err(Unrepresentable::Time { time });
    }
    let (count, limit) = (entries.name_count(id), u64::from(u32::MAX));
    if count > limit {
        return Err(Unrepresentable::TooManyLinks { count, limit });
    }
    match &inode.kind {
        Kind::Regular(content) if content.len() > limit => {
            Err(Unrepresentable::FileTooLarge { len: content.len(), limit })
        }
        Kind::CharacterDevice(device) | Kind::BlockDevice(device)
            if device.major > DEVICE_LIMITS.0 || device.minor > DEVICE_LIMITS.1 =>
        {
            Err(Unrepresentable::Device(*device))
        }
        _ => Ok(()),
    }
}

fn check_checksum<C>(
    tree: &Tree<C>,
    id: InodeId,
    options: &Options,
    walk: &Walk<'_, C>,
) -> Result<(), Error> {
    let Some(checksums) = &options.checksums else { return Ok(()) };
    if matches!(tree.get(id).kind, Kind::Regular(_)) && checksums.get(id).is_none() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        return Err(Error::NoChecksum { path });
    }
    Ok(())
}

fn is_precompressed<C>(tree: &Tree<C>, id: InodeId, path: &[u8], precompressed: &Precompressed) -> bool {
    let regular = matches!(tree.get(id).kind, Kind::Regular(_));
    regular
        && match precompressed {
            Precompressed::None => false,
            Precompressed::ByName => is_compressed_by_name(path),
            Precompressed::Files(ids) => ids.contains(&id),
        }
}

/// Returns true if a path is that of a compressed kernel module or of compressed firmware.
fn is_compressed_by_name(path: &[u8]) -> bool {
    let ends = |ends: &[&[u8]]| ends.iter().any(|end| path.ends_with(end));
    let firmware = path.starts_with(b"lib/firmware/") || path.starts_with(b"usr/lib/firmware/");
    ends(&[b".ko.gz", b".ko.xz", b".ko.zst"]) || (firmware && ends(&[b".gz", b".xz", b".zst"]))
}

/// Marks the last name of each file, and the names in each of the two archives, including parent
/// directories. The kernel accepts a directory that already exists, and programs that unpack the
/// two archives separately need the directories in both.
fn mark(names: &mut [Name], precompressed: &[bool]) {
    let mut seen = vec![false; precompressed.len()];
    for at in (0..names.len()).rev() {
        let name = &mut names[at];
        name.last = !std::mem::replace(&mut seen[name.id.index()], true);
        name.precompressed |= precompressed[name.id.index()];
        name.rest |= !name.precompressed;
        let Name { parent, precompressed, rest, .. } = *name;
        names[parent].precompressed |= precompressed;
        names[parent].rest |= rest;
    }
}
