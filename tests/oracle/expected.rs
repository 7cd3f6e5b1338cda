//! The expected contents of an image, and those found by a judge, in the same terms. It is
//! independent of rootcast.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::walk::{self, LinkCounts};
use super::{Verdict, dump};

/// Every file of a tree by path. The root is `/`, every other path starts with `/` and does not end
/// with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) files: BTreeMap<Vec<u8>, File>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) kind: Kind,
    /// Permission, set-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// `None` if it is unknown; it is then not compared.
    pub(crate) mtime: Option<Time>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first path, in path order, of the inode that this path is a hard link of.
    pub(crate) same_as: Option<Vec<u8>>,
}

/// The kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    Regular(Content),
    Symlink(Vec<u8>),
    CharacterDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
    Socket,
}

/// The bytes of a regular file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
}

/// Seconds since 1970 and nanoseconds after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

/// The expected owner of the files of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Root,
    Keep,
}

/// The features that a judge is able to read, beyond kinds, modes, owners, times and contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sees {
    pub(crate) xattrs: bool,
    pub(crate) devices: bool,
    pub(crate) hard_links: bool,
}

impl Sees {
    pub(crate) const EVERYTHING: Self = Self { xattrs: true, devices: true, hard_links: true };
}

impl Expected {
    /// Returns the expected contents of an image of this directory.
    pub(crate) fn from_directory(root: &Path, owner: Owner) -> Self {
        let (mut expected, _) =
            walk::directory(root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
        if owner == Owner::Root {
            for file in expected.files.values_mut() {
                (file.uid, file.gid) = (0, 0);
            }
        }
        expected
    }

    /// Returns the expected contents of an image of this dump, in the composefs format.
    pub(crate) fn from_dump(text: &str) -> Self {
        dump::read(text)
    }

    /// Returns the file at an existing path.
    pub(crate) fn file_mut(&mut self, path: &str) -> &mut File {
        self.files.get_mut(path.as_bytes()).unwrap_or_else(|| panic!("{path} is not in the expectation"))
    }

    /// Returns the same tree with only the lengths of its files.
    pub(crate) fn without_bytes(mut self) -> Self {
        for file in self.files.values_mut() {
            if let Kind::Regular(content) = &mut file.kind {
                *content = Content { len: content.len, ..Content::UNKNOWN };
            }
        }
        self
    }

    /// Records the paths that share an inode.
    pub(crate) fn link(&mut self, inodes: &BTreeMap<Vec<u8>, u64>) {
        let mut first: BTreeMap<u64, &Vec<u8>> = BTreeMap::new();
        for (path, file) in &mut self.files {
            if let Some((path, inode)) = inodes.get_key_value(path) {
                file.same_as = first.get(inode).map(|path| (*path).clone());
                first.entry(*inode).or_insert(path);
            }
        }
    }

    /// Fails with readable differences, one a line. `lost+found` may be in `found` alone: every
    /// ext4 filesystem has it.
    pub(crate) fn compare(&self, found: &Self, sees: Sees) -> Verdict {
        let mut differences = Vec::new();
        for (path, expected) in &self.files {
            match found.files.get(path) {
                Some(found) => expected.compare(found, sees, &mut |field, expected, found| {
                    differences.push(format!("{}: {field}: expected {expected}, found {found}", show(path)));
                }),
                None => differences.push(format!("{}: missing", show(path))),
            }
        }
        for (path, found) in &found.files {
            if self.files.contains_key(path) {
                continue;
            }
            let lost_found = path == LOST_FOUND && found.is_lost_found();
            if !lost_found {
                differences.push(format!("{}: not expected, found {found:?}", show(path)));
            }
        }
        report(&differences)
    }

    /// Fails unless the link counts read by a judge match these paths.
    pub(crate) fn check_link_counts(&self, counts: &LinkCounts) -> Verdict {
        let mut made: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (path, file) in &self.files {
            let directory = file.kind == Kind::Directory;
            let canonical = file.same_as.as_ref().unwrap_or(path);
            // A directory has its name and its `.` entry; the root has `.` and `..`.
            *made.entry(canonical).or_default() += if directory { 2 } else { 1 };
            if directory && path != b"/" {
                *made.entry(parent(path)).or_default() += 1;
            }
        }
        let mut differences = Vec::new();
        for (path, file) in &self.files {
            let mut expected = made[file.same_as.as_ref().unwrap_or(path).as_slice()];
            if file.kind == Kind::Directory && expected > LINK_MAX {
                // RO_COMPAT_DIR_NLINK: the count of a directory with more is 1.
                expected = 1;
            }
            if counts.get(path) != Some(&expected) {
                differences.push(format!(
                    "{}: link count: expected {expected}, found {:?}",
                    show(path),
                    counts.get(path)
                ));
            }
        }
        report(&differences)
    }
}

/// `EXT4_LINK_MAX`: the highest link count of a directory.
const LINK_MAX: u64 = 65_000;

const LOST_FOUND: &[u8] = b"/lost+found";

impl File {
    /// Returns a file owned by root whose time is not compared.
    pub(crate) fn new(kind: Kind, mode: u32) -> Self {
        Self { kind, mode, uid: 0, gid: 0, mtime: None, xattrs: BTreeMap::new(), same_as: None }
    }

    fn is_lost_found(&self) -> bool {
        self.kind == Kind::Directory && (self.mode, self.uid, self.gid) == (0o700, 0, 0)
    }

    fn compare(&self, found: &Self, sees: Sees, differ: &mut dyn FnMut(&str, String, String)) {
        let device = |kind: &Kind| matches!(kind, Kind::CharacterDevice { .. } | Kind::BlockDevice { .. });
        let same_kind = if sees.devices || !device(&self.kind) {
            self.kind == found.kind
        } else {
            std::mem::discriminant(&self.kind) == std::mem::discriminant(&found.kind)
        };
        if !same_kind {
            differ("kind", format!("{:?}", self.kind), format!("{:?}", found.kind));
        }
        if self.mode != found.mode {
            differ("mode", format!("{:04o}", self.mode), format!("{:04o}", found.mode));
        }
        if self.uid != found.uid {
            differ("uid", self.uid.to_string(), found.uid.to_string());
        }
        if self.gid != found.gid {
            differ("gid", self.gid.to_string(), found.gid.to_string());
        }
        if let (Some(expected), Some(found)) = (self.mtime, found.mtime)
            && expected != found
        {
            differ("mtime", expected.to_string(), found.to_string());
        }
        if sees.xattrs && self.xattrs != found.xattrs {
            differ("xattrs", show_xattrs(&self.xattrs), show_xattrs(&found.xattrs));
        }
        if sees.hard_links && self.same_as != found.same_as {
            let name =
                |path: &Option<Vec<u8>>| path.as_ref().map_or("no other file".into(), |path| show(path));
            differ("hard link of", name(&self.same_as), name(&found.same_as));
        }
    }
}

impl Content {
    /// The content of a file of which only the length is known.
    pub(crate) const UNKNOWN: Self = Self { len: 0, sha256: [0; 32] };

    /// Returns the content of a file in memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap()
    }

    /// Reads all of a reader.
    pub(crate) fn read(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut len = 0;
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok(Self { len, sha256: hasher.finalize().into() });
            }
            hasher.update(&buffer[..count]);
            len += count as u64;
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, sha256 ", self.len)?;
        self.sha256.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.seconds, self.nanoseconds)
    }
}

/// Returns a path or a name for the terminal.
pub(crate) fn show(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if text.len() <= 200 { text } else { format!("{}… ({} bytes)", &text[..200], bytes.len()) }
}

/// Returns the directory of a path other than `/`.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => b"/",
        Some(end) => &path[..end],
    }
}

/// Returns the path of `name` in `directory`.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let directory = directory.strip_suffix(b"/").unwrap_or(directory);
    [directory, b"/", name].concat()
}

fn show_xattrs(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> String {
    let mut text = String::from("{");
    for (name, value) in xattrs {
        write!(text, " {}={}", show(name), show(value)).unwrap();
    }
    text + " }"
}

fn report(differences: &[String]) -> Verdict {
    /// The number of differences that are printed.
    const SHOWN: usize = 20;
    if differences.is_empty() {
        return Ok(());
    }
    let mut text = differences[..differences.len().min(SHOWN)].join("\n");
    if differences.len() > SHOWN {
        write!(text, "\n… and {} more", differences.len() - SHOWN).unwrap();
    }
    Err(text)
}
