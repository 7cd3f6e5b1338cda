use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use image_tree::{Content, Device, InodeId, Kind, Name, Timestamp, Tree};
use rustix::fs::{FileType, Mode, XattrFlags};
use tempfile::TempDir;

use super::*;
use crate::interrupt::Interrupt;

mod access;
mod changes;
mod limits;
mod on_demand;
mod order;
mod progress;
mod xattrs;

fn options(threads: &Threads) -> ScanOptions<'_> {
    static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::never);
    let filter = Filter::NONE;
    ScanOptions {
        threads,
        wanted: None,
        found: &Silent,
        one_file_system: false,
        filter,
        xattrs: true,
        interrupt: &NEVER,
    }
}

fn read(path: &Path, threads: usize) -> Result<Tree<Blob>> {
    scanned(path, threads).map(|scanned| scanned.tree)
}

fn threads(count: usize) -> Threads {
    Threads::new(NonZeroUsize::new(count).expect("not 0"))
}

fn scanned(path: &Path, count: usize) -> Result<Scanned> {
    super::read(path, &threads(count), &Interrupt::never())
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn open(path: &Path) -> Arc<Root> {
    Arc::new(Root::open_at(path).expect("the test's directory"))
}

fn inode<'t>(tree: &'t Tree<Blob>, path: &str) -> &'t Inode<Blob> {
    tree.get(tree.resolve_no_symlinks(path.as_bytes()).unwrap_or_else(|| panic!("{path} is not in the tree")))
}

fn bytes(tree: &Tree<Blob>, path: &str) -> Vec<u8> {
    let Kind::Regular(blob) = &inode(tree, path).kind else { panic!("{path} is not a regular file") };
    let mut bytes = vec![0; usize::try_from(blob.len()).expect("small")];
    blob.read_at(&mut bytes, 0).expect("nobody changed it");
    bytes
}

/// Creates files of every type that an ordinary user can create.
fn populated() -> TempDir {
    let top = directory();
    let at = |name: &str| top.path().join(name);
    for name in ["a", "a/sub", "a-b", "z", "empty"] {
        fs::create_dir(at(name)).expect("a new directory");
    }
    for name in ["a/sub/file", "a/first", "a-b/file", "z/file"] {
        fs::write(at(name), name).expect("a new file");
    }
    fs::hard_link(at("a/first"), at("z/again")).expect("a second name");
    fs::hard_link(at("a/first"), at("a-b/again")).expect("a third name");
    symlink("../nowhere \u{e9}", at("a/link")).expect("a new link");
    fs::hard_link(at("a/link"), at("link")).expect("a link's second name");
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), Mode::from_raw_mode(0o600)).expect("a new fifo");
    fs::hard_link(at("pipe"), at("a/pipe")).expect("a fifo's second name");
    UnixListener::bind(at("socket")).expect("a new socket");
    let file = fs::File::options().write(true).open(at("z/file")).expect("it is there");
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
    file.set_modified(time).expect("it is ours");
    fs::set_permissions(at("z/file"), fs::Permissions::from_mode(0o4751)).expect("it is ours");
    fs::set_permissions(top.path(), fs::Permissions::from_mode(0o1750)).expect("it is ours");
    top
}

/// Returns false, and reports it, where the filesystem of the test has no xattrs.
fn set_xattr(test: &str, path: &Path, name: &str, value: &[u8]) -> bool {
    match rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()) {
        Ok(()) => true,
        Err(errno) => {
            eprintln!("SKIPPED {test}: {name} cannot be set on {}: {errno}", path.display());
            false
        }
    }
}

#[test]
fn reads_every_file_type_with_metadata() {
    let top = populated();
    let tree = read(top.path(), 2).expect("it can be read");
    let host = fs::metadata(top.path()).expect("it is there");
    let root = &tree.get(InodeId::ROOT).metadata;
    assert_eq!((root.mode, root.uid, root.gid), (0o1750, host.uid(), host.gid()));
    assert_eq!(
        (root.mtime.seconds(), u32::try_from(host.mtime_nsec())),
        (host.mtime(), Ok(root.mtime.nanoseconds()))
    );

    let file = inode(&tree, "/z/file");
    assert_eq!(file.metadata.mode, 0o4751);
    assert_eq!(Ok(file.metadata.mtime), Timestamp::new(1_700_000_000, 123_456_789));
    assert_eq!(bytes(&tree, "/z/file"), b"z/file");
    assert_eq!(bytes(&tree, "/a/sub/file"), b"a/sub/file");
    assert!(
        matches!(&inode(&tree, "/a/link").kind, Kind::Symlink(to) if to.as_bytes() == "../nowhere \u{e9}".as_bytes())
    );
    assert_eq!(inode(&tree, "/pipe").kind, Kind::Fifo);
    assert_eq!(inode(&tree, "/socket").kind, Kind::Socket);
    assert_eq!(
        tree.entries(tree.resolve_no_symlinks(b"/empty").expect("it is there")).map(|entries| entries.len()),
        Some(0)
    );
    assert_eq!(tree.walk().count(), 17);
}

#[test]
fn hard_links_share_one_inode() {
    let top = populated();
    let tree = read(top.path(), 1).expect("it can be read");
    for (first, others) in
        [("/a/first", &["/a-b/again", "/z/again"][..]), ("/a/link", &["/link"]), ("/a/pipe", &["/pipe"])]
    {
        let id = tree.resolve_no_symlinks(first.as_bytes()).expect("it is there");
        assert_eq!(tree.path_of(id), first.as_bytes());
        for other in others {
            assert_eq!(tree.resolve_no_symlinks(other.as_bytes()), Some(id), "{other}");
        }
    }
    let Kind::Regular(Blob::Host(file)) = &inode(&tree, "/z/again").kind else { panic!("a host file") };
    assert_eq!(file.host_path(), top.path().join("a/first"), "the first name in the order of the walk");
}

#[test]
fn reads_device_numbers() {
    let top = directory();
    let known = [("null", FileType::CharacterDevice, 1, 3), ("far", FileType::BlockDevice, 259, 70_000)];
    for (name, kind, major, minor) in known {
        let device = rustix::fs::makedev(major, minor);
        let path = top.path().join(name);
        if let Err(errno) = rustix::fs::mknodat(rustix::fs::CWD, &path, kind, Mode::RUSR, device) {
            eprintln!("SKIPPED reads_device_numbers: {name} cannot be created: {errno}");
            return;
        }
    }
    let tree = read(top.path(), 1).expect("it can be read");
    assert_eq!(inode(&tree, "/null").kind, Kind::CharacterDevice(Device { major: 1, minor: 3 }));
    assert_eq!(inode(&tree, "/far").kind, Kind::BlockDevice(Device { major: 259, minor: 70_000 }));
}

#[test]
fn names_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let top = directory();
    let name = b"\xff\n \\";
    fs::write(top.path().join(std::ffi::OsStr::from_bytes(name)), "x").expect("a new file");
    let tree = read(top.path(), 1).expect("it can be read");
    let entries = tree.entries(InodeId::ROOT).expect("a directory");
    assert_eq!(entries.keys().map(Name::as_bytes).collect::<Vec<_>>(), [name]);
}

#[test]
fn follows_a_symbolic_link_to_the_source() {
    let top = populated();
    symlink("a", top.path().join("to-a")).expect("a new link");
    let tree = read(&top.path().join("to-a"), 1).expect("a link to a directory is one");
    assert_eq!(bytes(&tree, "/first"), b"a/first");
    let error = read(&top.path().join("z/file"), 1).expect_err("a file is not a directory");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().ends_with("z/file: Not a directory (os error 20)"), "{error}");
}

#[test]
fn records_the_host_inode_of_every_file() {
    let top = populated();
    let Scanned { tree, hosts, .. } = scanned(top.path(), 2).expect("it can be read");
    assert_eq!(hosts.len(), tree.inode_count());
    for path in ["", "a", "a/first", "z/again", "a/link", "pipe", "socket", "empty"] {
        let host = fs::symlink_metadata(top.path().join(path)).expect("it is there");
        let id = tree.resolve_no_symlinks(path.as_bytes()).expect("it is there");
        let expected = HostInode { device: host.dev(), inode: host.ino() };
        assert_eq!(hosts[id.index()], expected, "{path}");
    }
}

#[test]
fn reads_a_single_file() {
    let top = populated();
    let file = read_file(&top.path().join("z/file")).expect("it can be read");
    assert_eq!(file.metadata.mode, 0o4751);
    symlink("z/file", top.path().join("to-file")).expect("a new link");
    assert_eq!(read_file(&top.path().join("to-file")).expect("it is followed").kind.type_bits(), 0o100_000);
    assert_eq!(read_file(&top.path().join("a")).expect_err("a directory").kind(), ErrorKind::BadInput);
    assert_eq!(read_file(&top.path().join("none")).expect_err("nothing").kind(), ErrorKind::Io);
}

#[test]
fn a_scanned_tree_survives_a_dump_round_trip() {
    let top = populated();
    let tree = read(top.path(), 1).expect("it can be read");
    let mut text = Vec::new();
    image_tree::dump::write(&tree, &mut text, |_, _| Ok(image_tree::dump::Body::None)).expect("memory");
    let back = image_tree::dump::parse(text.as_slice(), |file| Ok::<_, std::io::Error>(file.size));
    let sizes = tree.try_map_content(|blob| Ok::<_, std::io::Error>(blob.len())).expect("nothing fails");
    assert_eq!(back.expect("what was written is a dump"), sizes);
}
