//! Generators make what the programs make that installation scripts call.

mod accounts;
mod alternatives;
mod ca_certificates;
mod pam;
mod presets;
mod shells;
mod tmpfiles;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::process::Command;

use image_tree::{Content as _, Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree};
use rootcast::blob::Blob;
use rootcast::transform::configure::{self, Generators, Made};

use crate::product::{Scratch, run};

/// The time of what is made: the 10th day after 1970.
const EPOCH: i64 = 10 * 86400 + 5;

/// A random number generator with a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

/// A root directory that a judge and a generator configure.
struct Root {
    scratch: Scratch,
}

impl Root {
    fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.scratch.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.scratch.join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Copies a file or directory of this machine to the same path.
    fn copy(&self, path: &str) {
        let target = self.scratch.join(&path[1..]);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        run(Command::new("cp").arg("-a").arg(path).arg(&target))
            .success()
            .unwrap_or_else(|why| panic!("{why}"));
    }

    fn tree(&self) -> Tree<Blob> {
        let mut tree = Tree::new(metadata(self.path()));
        add(&mut tree, InodeId::ROOT, self.path());
        tree
    }

    /// Configures a copy of the root in memory.
    fn configured(&self, generators: &str) -> (Entries, Vec<Made>) {
        let mut tree = self.tree();
        let generators = Generators::parse(generators).unwrap();
        let options = configure::Options { generators: &generators, time: Timestamp::from_seconds(EPOCH) };
        let made = configure::apply(&mut tree, &options).unwrap_or_else(|error| panic!("{error}"));
        (entries(&tree), made)
    }

    /// Runs a judge in the root itself, and returns what it has then; `None` if it failed and
    /// changed nothing.
    fn judged(&self, judge: &mut Command) -> Option<Entries> {
        let before = entries(&self.tree());
        judge.env("SOURCE_DATE_EPOCH", EPOCH.to_string());
        let output = judge.output().unwrap();
        let after = entries(&self.tree());
        (output.status.success() || after != before).then_some(after)
    }
}

fn metadata(path: &Path) -> Metadata {
    let found = fs::symlink_metadata(path).unwrap();
    let mut metadata = Metadata::new(u16::try_from(found.mode() & 0o7777).unwrap());
    (metadata.uid, metadata.gid) = (found.uid(), found.gid());
    metadata.mtime = Timestamp::from_seconds(found.mtime());
    for name in [image_tree::acl::ACCESS, image_tree::acl::DEFAULT] {
        let mut value = vec![0; 4096];
        if let Ok(len) = rustix::fs::lgetxattr(path, str::from_utf8(name).unwrap(), &mut value[..]) {
            metadata.xattrs.insert(image_tree::XattrName::new(name).unwrap(), value[..len].into());
        }
    }
    metadata
}

fn add(tree: &mut Tree<Blob>, parent: InodeId, directory: &Path) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        let found = fs::symlink_metadata(&entry).unwrap();
        let device =
            Device { major: rustix::fs::major(found.rdev()), minor: rustix::fs::minor(found.rdev()) };
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Directory(BTreeMap::new()),
            kind if kind.is_symlink() => {
                Kind::Symlink(LinkTarget::new(fs::read_link(&entry).unwrap().as_os_str().as_bytes()).unwrap())
            }
            kind if kind.is_file() => Kind::Regular(Blob::from(fs::read(&entry).unwrap())),
            kind if kind.is_char_device() => Kind::CharacterDevice(device),
            kind if kind.is_block_device() => Kind::BlockDevice(device),
            kind if kind.is_fifo() => Kind::Fifo,
            _ => Kind::Socket,
        };
        let name = Name::new(entry.file_name().unwrap().as_bytes()).unwrap();
        let id = tree.insert(parent, name, Inode { metadata: metadata(&entry), kind }).unwrap();
        if found.is_dir() {
            add(tree, id, &entry);
        }
    }
}

/// The files of a tree by path, each as text: mode, owner, ACLs, and content.
type Entries = BTreeMap<String, String>;

fn entries(tree: &Tree<Blob>) -> Entries {
    let (mut all, mut path, mut walk) = (Entries::new(), Vec::new(), tree.walk());
    while let Some(step) = walk.next() {
        path.clear();
        walk.write_path(&mut path);
        let Inode { metadata, kind } = tree.get(step.id);
        let content = match kind {
            Kind::Regular(content) => {
                let mut bytes = vec![0; usize::try_from(content.len()).unwrap()];
                content.read_at(&mut bytes, 0).unwrap();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Kind::Symlink(target) => format!("-> {target}"),
            Kind::Directory(_) => "directory".to_owned(),
            other => format!("{other:?}"),
        };
        let Metadata { mode, uid, gid, xattrs, .. } = metadata;
        let acls: Vec<String> = xattrs.iter().map(|(name, value)| format!("{name:?}={value:?}")).collect();
        let text = format!("{mode:o} {uid}:{gid} {} {content}", acls.concat());
        all.insert(String::from_utf8_lossy(&path).into_owned(), text);
    }
    all
}

/// The cases in which a judge gave up, was equal, or made something else.
#[derive(Default)]
struct Outcomes {
    equal: usize,
    given_up: usize,
    different: Vec<String>,
}

impl Outcomes {
    /// Compares the files of both, except for those that `ignored` accepts.
    fn compare(&mut self, ours: &Entries, judged: &Entries, ignored: impl Fn(&str) -> bool, context: &str) {
        let paths: std::collections::BTreeSet<&String> = ours.keys().chain(judged.keys()).collect();
        let different: Vec<String> = paths
            .into_iter()
            .filter(|path| !ignored(path) && ours.get(*path) != judged.get(*path))
            .map(|path| format!("{path}:\n  ours  {:?}\n  judge {:?}", ours.get(path), judged.get(path)))
            .collect();
        if different.is_empty() {
            self.equal += 1;
        } else {
            self.different.push(format!("{context}\n{}", different.join("\n")));
        }
    }

    /// Asserts that no case was different, and that enough were compared.
    fn check(&self, least: usize) {
        let shown: Vec<&str> = self.different.iter().take(6).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} cases differ:\n{}", self.different.len(), shown.join("\n\n"));
        assert!(self.equal >= least, "{} were compared, in {} the judge gave up", self.equal, self.given_up);
    }
}
