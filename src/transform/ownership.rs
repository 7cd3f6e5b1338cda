//! Owners of the files of a tree.

pub mod fakeroot;
pub mod id_map;
pub mod mtree;
pub mod undefined;
pub mod xattr;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use image_tree::{Content, Kind, Metadata, Tree};

use crate::accounts;
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{self, Log};
use crate::shown;
use crate::source::directory::Scanned;

use id_map::IdMap;

const S_ISUID: u16 = 0o4000;
const S_ISGID: u16 = 0o2000;

/// The longest manifest or save file, in bytes: 256 MiB.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The source of the owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// `root`: user and group 0 own every file.
    Root,
    /// `keep`: each file keeps the owner it has.
    Keep,
    /// `UID:GID`: one owner for all files.
    Ids {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// `map:RANGES`: each owner is shifted as in a user namespace.
    Map(IdMap),
    /// `fakeroot:FILE`: the owners saved by `fakeroot -s FILE`.
    Fakeroot(PathBuf),
    /// `xattr`: the owners that container tools recorded in xattrs, see [`xattr`]; the other files
    /// have the source's default owner.
    Xattr,
    /// `FILE`: a manifest, mtree(5); the files it does not name have the source's default owner.
    Mtree(PathBuf),
}

impl Ownership {
    /// Parses the forms above. Any other text is the path of a manifest; one that looks like
    /// another form can begin with `./`.
    ///
    /// # Errors
    /// Returns a message if numbers or ranges are invalid.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        match bytes {
            b"" => return Err("there is no owner".to_owned()),
            b"root" => return Ok(Ownership::Root),
            b"keep" => return Ok(Ownership::Keep),
            b"xattr" => return Ok(Ownership::Xattr),
            _ => {}
        }
        if let Some(ranges) = bytes.strip_prefix(b"map:") {
            return IdMap::parse(&String::from_utf8_lossy(ranges)).map(Ownership::Map);
        }
        if let Some(file) = bytes.strip_prefix(b"fakeroot:") {
            return Ok(Ownership::Fakeroot(path(file)));
        }
        if bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b':') && bytes.contains(&b':') {
            let mut ids = bytes.split(|byte| *byte == b':').map(accounts::id);
            return match (ids.next().flatten(), ids.next().flatten(), ids.next()) {
                (Some(uid), Some(gid), None) => Ok(Ownership::Ids { uid, gid }),
                _ => Err(format!(
                    "{} is not UID:GID, two numbers from 0 to 4294967294; 4294967295 is the -1 of chown(2), which no \
                     file can have",
                    shown::name(text)
                )),
            };
        }
        Ok(Ownership::Mtree(path(bytes)))
    }
}

/// Files that run with the identity of their owner, and got a foreign one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetIdChange {
    /// Their new user.
    pub uid: u32,
    /// Their new group.
    pub gid: u32,
    /// Their paths in the tree.
    pub paths: Vec<Vec<u8>>,
}

/// A file whose owner cannot be determined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongOwner {
    /// Its path in the tree.
    pub path: Vec<u8>,
    /// The reason.
    pub why: String,
}

/// The owners of files that are read one at a time, as the members of an archive are.
#[derive(Clone, Copy, Debug)]
pub struct Owners<'a> {
    ownership: &'a Ownership,
    usual: &'a Ownership,
}

impl<'a> Owners<'a> {
    /// Returns the owners as [`apply`] sets them, for a source that is not a directory of the host.
    ///
    /// # Errors
    /// If the ownership is only for directories of the host.
    pub fn new(ownership: &'a Ownership, usual: &'a Ownership) -> Result<Self> {
        match ownership {
            Ownership::Fakeroot(path) => Err(not_of_the_host(path)),
            _ => Ok(Self { ownership, usual }),
        }
    }

    /// Sets the owner of a file. Returns the former one if the file is a program that would run as
    /// another user or group now.
    ///
    /// # Errors
    /// Returns a message if the owner is unknown.
    pub fn give<C: Content>(
        &self,
        metadata: &mut Metadata,
        kind: &mut Kind<C>,
    ) -> std::result::Result<Option<(u32, u32)>, String> {
        let before = (metadata.uid, metadata.gid);
        match self.ownership {
            Ownership::Keep | Ownership::Fakeroot(_) => {}
            Ownership::Root => (metadata.uid, metadata.gid) = (0, 0),
            Ownership::Ids { uid, gid } => (metadata.uid, metadata.gid) = (*uid, *gid),
            Ownership::Map(map) => {
                map.map(metadata)?;
                return Ok(None);
            }
            Ownership::Xattr | Ownership::Mtree(_) => {
                let usual = Self { ownership: self.usual, usual: &Ownership::Keep };
                let gained = usual.give(metadata, kind)?;
                let given = (metadata.uid, metadata.gid);
                if self.ownership == &Ownership::Xattr {
                    xattr::apply_to(metadata, kind)?;
                }
                let still = (metadata.uid, metadata.gid) == given && metadata.mode & (S_ISUID | S_ISGID) != 0;
                return Ok(gained.filter(|_| still));
            }
        }
        let given = (metadata.uid, metadata.gid);
        let gains = metadata.mode & S_ISUID != 0 && before.0 != given.0
            || metadata.mode & S_ISGID != 0 && before.1 != given.1;
        // On a directory the bits only determine the owners of new files.
        Ok((gains && matches!(kind, Kind::Regular(_))).then_some(before))
    }

    /// Returns the metadata of a directory that is needed and missing in the source. It belongs to
    /// the tree, so its owner is not one of the source's that a map would shift.
    #[must_use]
    pub fn implied(&self) -> Metadata {
        let given = match self.ownership {
            Ownership::Xattr | Ownership::Mtree(_) => self.usual,
            own => own,
        };
        let (uid, gid) = match given {
            Ownership::Ids { uid, gid } => (*uid, *gid),
            _ => (0, 0),
        };
        Metadata { uid, gid, ..Metadata::new(0o755) }
    }

    /// Returns the user or group of the tree for a number of the source; none if no range of the
    /// map has it.
    #[must_use]
    pub fn id(&self, is_user: bool, id: u32) -> Option<u32> {
        match self.ownership {
            Ownership::Map(map) if is_user => map.uid(id),
            Ownership::Map(map) => map.gid(id),
            _ => Some(id),
        }
    }

    /// Returns true for a program that runs as another user or group now, by its former owner,
    /// unless that was `builder`: a program that is set-user-id to its builder is intended for any
    /// owner that it gets.
    #[must_use]
    pub fn is_gain(&self, former: (u32, u32), mode: u16, builder: (u32, u32)) -> bool {
        let now = self.implied();
        let foreign =
            |bit: u16, id: u32, given: u32, builder: u32| mode & bit != 0 && id != given && id != builder;
        foreign(S_ISUID, former.0, now.uid, builder.0) || foreign(S_ISGID, former.1, now.gid, builder.1)
    }
}

/// The most paths in a message.
const NAMED: usize = 5;

impl log::Report for SetIdChange {
    fn log(&self, log: &Log) {
        for path in &self.paths {
            log.detail(format_args!("{}: set-id file of another owner", path.escape_ascii()));
        }
        log.warn(self);
    }
}

impl fmt::Display for SetIdChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.paths.len();
        write!(f, "{count} set-id {} now ", if count == 1 { "file" } else { "files" })?;
        write!(f, "{} as ", if count == 1 { "runs" } else { "run" })?;
        match (self.uid, self.gid) {
            (0, 0) => write!(f, "root: ")?,
            (uid, gid) => write!(f, "{uid}:{gid}: ")?,
        }
        write!(f, "{}", self.paths.first().map(Vec::as_slice).unwrap_or_default().escape_ascii())?;
        if count > 1 {
            write!(f, " and {} more", count - 1)?;
        }
        write!(f, "; --owner keep leaves the owners as they are")
    }
}

/// Sets the owner of every file of one source. `usual` is the owner of files that `ownership` does
/// not name.
///
/// A manifest applies to the whole tree, which may have several sources: see [`apply_manifest`].
///
/// # Errors
/// If a file of owners cannot be read, is invalid, or does not fit the source; or if an owner is
/// not in the map.
pub fn apply(source: &mut Scanned, ownership: &Ownership, usual: &Ownership) -> Result<Option<SetIdChange>> {
    let tree = &mut source.tree;
    match ownership {
        Ownership::Keep => Ok(None),
        Ownership::Root => Ok(give_all(tree, 0, 0)),
        Ownership::Ids { uid, gid } => Ok(give_all(tree, *uid, *gid)),
        Ownership::Map(map) => map.apply(tree).map_err(wrong_owners).map(|()| None),
        Ownership::Fakeroot(path) => {
            let error = |message: String| Error::at(ErrorKind::BadInput, path, message);
            let save = fakeroot::Save::parse(&read_file(path)?).map_err(error)?;
            if source.hosts.is_empty() {
                return Err(not_of_the_host(path));
            }
            save.apply(tree, &source.hosts).map_err(error)?;
            Ok(None)
        }
        Ownership::Xattr => {
            let mut given = apply(source, usual, &Ownership::Keep)?;
            xattr::apply(&mut source.tree).map_err(wrong_owners)?;
            if let Some(given) = &mut given {
                given.retain_in_effect(&source.tree);
            }
            Ok(given.filter(|given| !given.paths.is_empty()))
        }
        Ownership::Mtree(_) => apply(source, usual, &Ownership::Keep),
    }
}

/// Applies a manifest to the whole tree; does nothing for every other kind of ownership.
///
/// # Errors
/// If the manifest cannot be read, is invalid, or does not fit the tree.
pub fn apply_manifest(tree: &mut Tree<Blob>, ownership: &Ownership) -> Result<()> {
    let Ownership::Mtree(path) = ownership else { return Ok(()) };
    mtree::apply(&read_file(path)?, tree).map_err(|error| Error::at(error.kind(), path, error))
}

fn not_of_the_host(path: &Path) -> Error {
    let message = "fakeroot's save file tells the owners of a directory, and the source is none";
    Error::at(ErrorKind::Usage, path, message)
}

/// Returns the error that names files whose owner cannot be determined.
pub fn wrong_owners(wrong: Vec<WrongOwner>) -> Error {
    let named: Vec<String> = wrong
        .iter()
        .take(NAMED)
        .map(|WrongOwner { path, why }| format!("{}: {why}", path.escape_ascii()))
        .collect();
    let more = wrong.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more files") } else { String::new() };
    Error::new(ErrorKind::BadInput, format!("{}{more}", named.join("; ")))
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == IoErrorKind::NotFound => {
            let message = "is neither keep, root, xattr, UID:GID, map:RANGES nor fakeroot:FILE, and there is no file of that \
                           name for a manifest";
            return Err(Error::at(ErrorKind::Usage, path, message));
        }
        file => file.map_err(|error| Error::io(path, error))?,
    };
    let mut bytes = Vec::new();
    let count = file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| Error::io(path, error))?;
    if count as u64 > MAX_FILE {
        return Err(Error::at(ErrorKind::BadInput, path, format!("is longer than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

impl SetIdChange {
    /// Removes the paths that are gone or got another owner or mode since.
    pub fn retain_in_effect<C>(&mut self, tree: &Tree<C>) {
        let owner = (self.uid, self.gid);
        self.paths.retain(|path| {
            let metadata = tree.resolve(path).map(|id| &tree.get(id).metadata);
            metadata.is_some_and(|metadata| {
                (metadata.uid, metadata.gid) == owner && metadata.mode & (S_ISUID | S_ISGID) != 0
            })
        });
    }
}

/// Sets one owner for every file.
///
/// A program that is set-user-id to its builder is intended for that owner; one that is set-user-id
/// to another user in the same tree is not. The builder is the owner of the root directory, so that
/// the result does not depend on the user who runs this.
fn give_all<C>(tree: &mut Tree<C>, uid: u32, gid: u32) -> Option<SetIdChange> {
    let builder = &tree.get(Tree::<C>::ROOT).metadata;
    let (builder_uid, builder_gid) = (builder.uid, builder.gid);
    let mut paths = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        let metadata = &inode.metadata;
        let foreign = |bit: u16, id: u32, given: u32, builder: u32| {
            metadata.mode & bit != 0 && id != given && id != builder
        };
        let gains = foreign(S_ISUID, metadata.uid, uid, builder_uid)
            || foreign(S_ISGID, metadata.gid, gid, builder_gid);
        // On a directory the bits only determine the owners of new files.
        if step.first && gains && matches!(inode.kind, Kind::Regular(_)) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            paths.push(path);
        }
    }
    for metadata in tree.all_metadata_mut() {
        (metadata.uid, metadata.gid) = (uid, gid);
    }
    (!paths.is_empty()).then_some(SetIdChange { uid, gid, paths })
}

#[cfg(test)]
mod tests {
    use image_tree::{Inode, Name};

    use super::*;

    fn tree(owner: u32, file_owner: u32, mode: u16) -> Tree<Vec<u8>> {
        let mut tree = Tree::new(Metadata { uid: owner, gid: owner, ..Metadata::new(0o755) });
        let metadata = Metadata { uid: file_owner, gid: file_owner, ..Metadata::new(mode) };
        let inode = Inode { metadata, kind: Kind::Regular(Vec::new()) };
        let name = Name::new("program").expect("a valid name");
        tree.insert(Tree::<Vec<u8>>::ROOT, name, inode).expect("the name is new");
        tree
    }

    #[test]
    fn root_owns_everything() {
        let mut tree = tree(1000, 33, 0o755);
        assert_eq!(give_all(&mut tree, 0, 0), None);
        for id in [b"/".as_slice(), b"/program"].map(|path| tree.resolve(path).expect("it is there")) {
            assert_eq!((tree.get(id).metadata.uid, tree.get(id).metadata.gid), (0, 0));
        }
    }

    #[test]
    fn programs_that_become_roots_are_named() {
        for (owner, file_owner, mode, named) in [
            (1000, 33, 0o4755, true),
            (1000, 33, 0o2755, true),
            (1000, 1000, 0o4755, false),
            (1000, 0, 0o4755, false),
            (0, 33, 0o755, false),
        ] {
            let warning = give_all(&mut tree(owner, file_owner, mode), 0, 0);
            assert_eq!(warning.is_some(), named, "{owner} {file_owner} {mode:o}");
            if let Some(warning) = warning {
                assert_eq!(warning.paths, [b"/program"]);
            }
        }
    }

    #[test]
    fn one_owner_for_all() {
        let mut tree = tree(1000, 0, 0o6755);
        let warning = give_all(&mut tree, 33, 34).expect("root's program would run as another");
        assert_eq!((warning.uid, warning.gid, warning.paths.len()), (33, 34, 1));
        assert!(warning.to_string().contains("1 set-id file now runs as 33:34: /program;"), "{warning}");
        assert!(tree.all_metadata_mut().all(|metadata| (metadata.uid, metadata.gid) == (33, 34)));
    }

    #[test]
    fn what_is_typed() {
        let parse = |text: &str| Ownership::parse(OsStr::new(text));
        for (text, expected) in [
            ("root", Ownership::Root),
            ("keep", Ownership::Keep),
            ("xattr", Ownership::Xattr),
            ("7:8", Ownership::Ids { uid: 7, gid: 8 }),
            ("fakeroot:a:b", Ownership::Fakeroot("a:b".into())),
            ("map:0:1:2", Ownership::Map(IdMap::parse("0:1:2").expect("a map"))),
            ("./7:8", Ownership::Mtree("./7:8".into())),
            ("owners.mtree", Ownership::Mtree("owners.mtree".into())),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for text in ["", "7:", ":8", "1:2:3", "4294967295:0", "map:", "map:0"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn owners_are_kept() {
        let kept = tree(1000, 33, 0o4755);
        let kept = kept.try_map_content(|bytes| Ok::<_, std::convert::Infallible>(Blob::from(bytes)));
        let mut kept = Scanned::from(kept.expect("nothing fails"));
        let before = kept.clone();
        assert_eq!(apply(&mut kept, &Ownership::Keep, &Ownership::Root).expect("nothing to do"), None);
        assert_eq!(kept, before);
    }
}
