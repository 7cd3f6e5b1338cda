//! Keeps the files that a run writes out of the trees that it reads.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use image_tree::{InodeId, Kind, Name, Tree};

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{self, Log};
use crate::shown;
use crate::source::directory::HostInode;

/// The files that a run writes, by device and inode, so that symbolic and hard links to them count
/// as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnFiles {
    /// The regular file that the output replaces or standard output goes to; none if there is no
    /// such file.
    pub output: Option<HostInode>,
    /// The file that the root hash replaces; none if there is no such file.
    pub root_hash: Option<HostInode>,
    /// The directory of the cache; none if it does not exist.
    pub cache: Option<HostInode>,
    /// The directory of the image layout that is written; none if it does not exist.
    pub layout: Option<HostInode>,
}

/// A file that was left out of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// Its path on the host.
    path: PathBuf,
    what: OwnFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnFile {
    Output,
    RootHash,
    Cache,
    Layout,
}

impl Excluded {
    /// Returns a description, for a report.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self.what {
            OwnFile::Output => "the output",
            OwnFile::RootHash => "the file for the root hash",
            OwnFile::Cache => "the cache",
            OwnFile::Layout => "the layout of the output",
        }
    }
}

impl log::Report for Excluded {
    fn log(&self, log: &Log) {
        log.exclude(self.description(), 1);
        log.warn(self);
    }
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: is {} and was left out", shown::path(&self.path), self.description())
    }
}

/// Returns the inode of an existing file.
#[must_use]
pub fn host_inode(path: &Path) -> Option<HostInode> {
    fs::metadata(path).ok().map(|found| HostInode { device: found.dev(), inode: found.ino() })
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The files to remove.
    pub own: OwnFiles,
    /// The directory that was read.
    pub source: &'a Path,
    /// The inode on the host of each inode of the tree, by the tree's index; empty if the tree is
    /// not that of a directory.
    pub hosts: &'a [HostInode],
}

/// Removes every name of the output, and the cache with all its files, from the tree of a
/// directory. Other kinds of sources are unchanged.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if the directory itself is the cache.
pub fn apply<C>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Vec<Excluded>> {
    let Options { own, source, hosts } = *options;
    if own == OwnFiles::default() {
        return Ok(Vec::new());
    }
    let mut found: Vec<(InodeId, Name, Excluded)> = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let Some(what) = hosts.get(step.id.index()).and_then(|host| own.own_file(*host)) else {
            continue;
        };
        let Some(name) = step.name else {
            let message = match what {
                OwnFile::Layout => {
                    "is the layout of the output, which is not a source: name another one with --output"
                }
                _ => "is the directory of the cache, which is not a source: name another one with --cache",
            };
            return Err(Error::at(ErrorKind::Usage, source, message));
        };
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let path = source.join(OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(&path)));
        found.push((step.parent, name.clone(), Excluded { path, what }));
    }
    let remove = |(parent, name, left): (InodeId, Name, Excluded)| {
        tree.remove(parent, name.as_bytes());
        left
    };
    Ok(found.into_iter().map(remove).collect())
}

/// The options of [`check`].
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions<'a> {
    /// The files that the run writes.
    pub own: OwnFiles,
    /// The name of the output in messages.
    pub output: &'a Path,
}

/// Fails if the contents of a file of the tree are those of the output: a payload of a dump, or a
/// file that was added.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage), naming both.
pub fn check(tree: &Tree<Blob>, options: &CheckOptions<'_>) -> Result<()> {
    let CheckOptions { own, output } = *options;
    if own.output.is_none() {
        return Ok(());
    }
    for step in tree.walk() {
        let Kind::Regular(Blob::Host(file)) = &tree.get(step.id).kind else { continue };
        let (_, identity) = file.identity();
        if Some(HostInode { device: identity.device, inode: identity.inode }) == own.output {
            return Err(refused(&file.host_path(), output));
        }
    }
    Ok(())
}

impl OwnFiles {
    /// Returns true for an inode of the host that [`apply`] removes.
    #[must_use]
    pub fn contain(&self, host: HostInode) -> bool {
        self.own_file(host).is_some()
    }

    fn own_file(&self, host: HostInode) -> Option<OwnFile> {
        match Some(host) {
            host if host == self.output => Some(OwnFile::Output),
            host if host == self.root_hash => Some(OwnFile::RootHash),
            host if host == self.cache => Some(OwnFile::Cache),
            host if host == self.layout => Some(OwnFile::Layout),
            _ => None,
        }
    }

    /// Fails if an input is the file that the output replaces.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage), naming both.
    pub fn check_input(&self, input: &Path, output: &Path) -> Result<()> {
        match host_inode(input) {
            Some(found) if Some(found) == self.output => Err(refused(input, output)),
            Some(found) if Some(found) == self.root_hash => {
                let message =
                    "is an input, and the file for the root hash: name another one with --root-hash-file";
                Err(Error::at(ErrorKind::Usage, input, message))
            }
            _ => Ok(()),
        }
    }
}

fn refused(input: &Path, output: &Path) -> Error {
    let message = format!("{} is an input and would be overwritten; name another output", shown::path(input));
    Error::at(ErrorKind::Usage, output, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupt;
    use crate::source::directory;
    use crate::threads::Threads;

    fn applied(own: OwnFiles, source: &Path) -> (Tree<Blob>, Result<Vec<Excluded>>) {
        let scanned =
            directory::read(source, &Threads::single(), &Interrupt::never()).expect("it can be read");
        let (mut tree, hosts) = (scanned.tree, &scanned.hosts[..]);
        let excluded = apply(&mut tree, &Options { own, source, hosts });
        (tree, excluded)
    }

    fn paths(tree: &Tree<Blob>) -> Vec<String> {
        tree.walk().filter_map(|step| step.name).map(ToString::to_string).collect()
    }

    #[test]
    fn leaves_out_every_name_of_the_output_and_the_cache() {
        let top = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| top.path().join(name);
        for directory in ["cache", "sub"] {
            fs::create_dir(at(directory)).expect("a new directory");
        }
        for file in ["disk", "cache/entry", "kept"] {
            fs::write(at(file), file).expect("a new file");
        }
        fs::hard_link(at("disk"), at("sub/second")).expect("a new name");
        std::os::unix::fs::symlink("disk", at("link")).expect("a new link");
        let own = OwnFiles {
            output: host_inode(&at("link")),
            cache: host_inode(&at("cache")),
            ..OwnFiles::default()
        };
        let (tree, left) = applied(own, top.path());
        let left: Vec<_> = left.expect("it is not the cache").iter().map(ToString::to_string).collect();
        let expected = ["cache: is the cache", "disk: is the output", "sub/second: is the output"];
        assert_eq!(left, expected.map(|text| format!("{}/{text} and was left out", top.path().display())));
        assert_eq!(paths(&tree), ["kept", "link", "sub"]);

        let own = OwnFiles { cache: host_inode(top.path()), ..OwnFiles::default() };
        let error = applied(own, top.path()).1.expect_err("it is the cache");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(applied(OwnFiles::default(), top.path()).1.expect("nothing is written"), []);
    }
}
