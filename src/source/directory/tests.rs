use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use image_tree::{Content, Device, Inode, Kind, MAX_DEPTH, Name, Timestamp};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use tempfile::TempDir;

use super::assemble::assemble;
use super::list::{At, Found, Lister, Listing};
use super::xattrs::XattrReader;
use super::*;
use crate::error::ErrorKind;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

fn manner(threads: usize) -> Manner<'static> {
    static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::never);
    let filter = Filter::NONE;
    Manner { threads, wanted: None, found: &Silent, one_file_system: false, filter, interrupt: &NEVER }
}

fn read(path: &Path, threads: usize) -> Result<Tree<Blob>> {
    scanned(path, threads).map(|scanned| scanned.tree)
}

fn scanned(path: &Path, threads: usize) -> Result<Scanned> {
    super::read(path, threads, &Interrupt::never())
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn open(path: &Path) -> Arc<Root> {
    Arc::new(Root::open_at(path).expect("the test's directory"))
}

fn inode<'t>(tree: &'t Tree<Blob>, path: &str) -> &'t Inode<Blob> {
    tree.get(tree.resolve(path.as_bytes()).unwrap_or_else(|| panic!("{path} is not in the tree")))
}

fn bytes(tree: &Tree<Blob>, path: &str) -> Vec<u8> {
    let Kind::Regular(blob) = &inode(tree, path).kind else { panic!("{path} is no regular file") };
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

#[test]
fn everything_of_every_kind_of_file() {
    let top = populated();
    let tree = read(top.path(), 2).expect("it can be read");
    let host = fs::metadata(top.path()).expect("it is there");
    let root = &tree.get(Tree::<Blob>::ROOT).metadata;
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
        tree.entries(tree.resolve(b"/empty").expect("it is there")).map(|entries| entries.len()),
        Some(0)
    );
    assert_eq!(tree.walk().count(), 17);
}

#[test]
fn two_names_are_one_file() {
    let top = populated();
    let tree = read(top.path(), 1).expect("it can be read");
    for (first, others) in
        [("/a/first", &["/a-b/again", "/z/again"][..]), ("/a/link", &["/link"]), ("/a/pipe", &["/pipe"])]
    {
        let id = tree.resolve(first.as_bytes()).expect("it is there");
        assert_eq!(tree.path_of(id), first.as_bytes());
        for other in others {
            assert_eq!(tree.resolve(other.as_bytes()), Some(id), "{other}");
        }
    }
    let Kind::Regular(Blob::Host(file)) = &inode(&tree, "/z/again").kind else { panic!("a host file") };
    assert_eq!(file.host_path(), top.path().join("a/first"), "the first name in the order of the walk");
}

#[test]
fn the_number_of_threads_shows_nowhere() {
    let top = populated();
    let one = read(top.path(), 1).expect("it can be read");
    for threads in [0, 2, 7, 1000] {
        assert_eq!(read(top.path(), threads).expect("it can be read"), one);
    }
    // Inodes are numbered in the order of the walk.
    let firsts: Vec<_> = one.walk().filter(|step| step.first).map(|step| step.id.index()).collect();
    assert_eq!(firsts, (0..one.inode_count()).collect::<Vec<_>>());
}

#[test]
fn found_bytes_are_told_while_more_are_sought() {
    let top = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| top.path().join(name);
    let long = vec![7; 3 << 20];
    fs::write(at("long"), &long).expect("a new file");
    fs::write(at("two names"), &long).expect("a new file");
    fs::hard_link(at("two names"), at("again")).expect("a new name");
    fs::File::create(at("hole")).and_then(|file| file.set_len(64 << 20)).expect("a new file");
    fs::create_dir(at("directory")).expect("a new directory");
    for index in 0..1000 {
        fs::write(at(&format!("directory/{index}")), &long[..8 << 10]).expect("a new file");
    }
    for threads in [1, 4] {
        let found = Heard::default();
        let manner = Manner { found: &found, ..manner(threads) };
        let tree = super::scan(top.path(), &manner).expect("it can be read").tree;
        assert_eq!(tree.inode_count(), 1005);
        let (bytes, times) = (found.bytes.into_inner(), found.times.into_inner());
        let exact = (3 << 20) + 1000 * (8 << 10);
        let portions = 1 + threads as u64;
        assert!(bytes <= exact && bytes + portions * (1 << 20) > exact, "{bytes} of {exact} bytes");
        assert!(times <= 10, "{times} times for {bytes} bytes");
    }
}

#[derive(Default)]
struct Heard {
    bytes: AtomicU64,
    times: AtomicU64,
}

impl Progress for Heard {
    fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_order_of_the_hosts_lists_shows_nowhere() {
    let top = populated();
    let root = open(top.path());
    let listings = scan::scan(&root, &manner(2)).expect("it can be read");
    let tree = assemble(&root, listings.clone()).expect("a complete set");
    let mut orders = std::collections::BTreeSet::new();
    for seed in 1..50 {
        let mut shuffled: Vec<Listing> = listings.clone();
        let mut random = Xorshift(seed);
        random.shuffle(&mut shuffled);
        for listing in &mut shuffled {
            random.shuffle(&mut listing.entries);
        }
        orders.insert(shuffled.iter().map(|listing| listing.place.path_of(b"")).collect::<Vec<_>>());
        assert_eq!(assemble(&root, shuffled).expect("a complete set"), tree);
    }
    assert!(orders.len() > 10, "the shuffling shuffles");
}

struct Xorshift(u64);

impl Xorshift {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let other = usize::try_from(self.0 % (last as u64 + 1)).expect("at most last");
            items.swap(last, other);
        }
    }
}

#[test]
fn what_changes_between_two_looks() {
    let top = populated();
    let root = open(top.path());
    let changed = |result: Result<Scanned>, path: &str| {
        let error = result.expect_err("it changed");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let expected = format!("{}: changed while it was scanned", top.path().join(path).display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    };
    let mut listings = scan::scan(&root, &manner(1)).expect("it can be read");
    let missing: Vec<_> =
        listings.iter().filter(|listing| listing.place.path_of(b"") != b"a/sub").cloned().collect();
    changed(assemble(&root, missing), "a/sub");
    for listing in listings.iter_mut().filter(|listing| listing.place.path_of(b"") == b"z") {
        for entry in &mut listing.entries {
            if let Found::File { hard_link: Some(link), .. } = &mut entry.found {
                link.ctime.1 ^= 1;
            }
        }
    }
    changed(assemble(&root, listings), "z/again");

    let fd = Arc::new(root.open(b"a", OFlags::RDONLY | OFlags::DIRECTORY).expect("it is a directory"));
    fs::remove_dir_all(top.path().join("a")).expect("it is ours");
    let mut lister = Lister::new(&root).expect("the root is open");
    let place = HostDirectory::at(Arc::clone(&root), b"a");
    changed(Err(lister.list(&fd, &place, &mut Some).expect_err("it is gone")), "a");
    let gone = lister.entry_of_root(c"a").expect_err("it is gone");
    changed(Err(gone), "a");
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
fn xattrs_of_files_and_directories() {
    let top = populated();
    // Longer than the first buffers for the value and for all names together.
    let long = vec![7; 3000];
    let names: Vec<String> = (0..20).map(|index| format!("user.{index:02}{}", "n".repeat(60))).collect();
    let path = |name: &str| top.path().join(name);
    if !set_xattr("xattrs_of_files_and_directories", &path("z/file"), "user.long", &long) {
        return;
    }
    for name in &names {
        assert!(set_xattr("xattrs_of_files_and_directories", &path("z"), name, b""));
    }
    assert!(set_xattr("xattrs_of_files_and_directories", top.path(), "user.top", b"\0\xff"));
    let tree = read(top.path(), 2).expect("it can be read");
    let user = |path: &str| {
        let xattrs = inode(&tree, path).metadata.xattrs.clone();
        let mut user = xattrs.into_iter().filter(|(name, _)| name.as_bytes().starts_with(b"user."));
        let first = user.next().map(|(name, value)| (name.to_string(), value.into_vec()));
        (first, user.count())
    };
    assert_eq!(user("/"), (Some(("user.top".to_owned(), b"\0\xff".to_vec())), 0));
    assert_eq!(user("/z/file"), (Some(("user.long".to_owned(), long)), 0));
    assert_eq!(user("/z"), (Some((names[0].clone(), Vec::new())), 19));
    assert_eq!(user("/a"), (None, 0));

    let root = open(top.path());
    let z = root.open(b"z", OFlags::RDONLY).expect("it is there");
    let place = HostDirectory::at(Arc::clone(&root), b"z");
    for reader in [XattrReader::new(&root), XattrReader::new(&root).map(XattrReader::without_proc)] {
        let mut reader = reader.expect("the root is open");
        let found = reader.of_entry(z.as_fd(), c"file", At::entry(&place, b"file")).expect("it can be read");
        assert_eq!(found, inode(&tree, "/z/file").metadata.xattrs);
    }
}

#[test]
fn xattrs_of_a_symbolic_link() {
    let top = populated();
    // Only root may set xattrs on links, and these are not those of the file the link leads to.
    let link = top.path().join("a/link");
    if !set_xattr("xattrs_of_a_symbolic_link", &link, "trusted.test", b"link") {
        return;
    }
    let tree = read(top.path(), 1).expect("it can be read");
    assert_eq!(&inode(&tree, "/link").metadata.xattrs[&b"trusted.test"[..]][..], b"link");
}

#[test]
fn devices_have_numbers() {
    let top = directory();
    let known = [("null", FileType::CharacterDevice, 1, 3), ("far", FileType::BlockDevice, 259, 70_000)];
    for (name, kind, major, minor) in known {
        let device = rustix::fs::makedev(major, minor);
        let path = top.path().join(name);
        if let Err(errno) = rustix::fs::mknodat(rustix::fs::CWD, &path, kind, Mode::RUSR, device) {
            eprintln!("SKIPPED devices_have_numbers: {name} cannot be made: {errno}");
            return;
        }
    }
    let tree = read(top.path(), 1).expect("it can be read");
    assert_eq!(inode(&tree, "/null").kind, Kind::CharacterDevice(Device { major: 1, minor: 3 }));
    assert_eq!(inode(&tree, "/far").kind, Kind::BlockDevice(Device { major: 259, minor: 70_000 }));
}

#[test]
fn names_are_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let top = directory();
    let name = b"\xff\n \\";
    fs::write(top.path().join(std::ffi::OsStr::from_bytes(name)), "x").expect("a new file");
    let tree = read(top.path(), 1).expect("it can be read");
    let entries = tree.entries(Tree::<Blob>::ROOT).expect("a directory");
    assert_eq!(entries.keys().map(Name::as_bytes).collect::<Vec<_>>(), [name]);
}

#[test]
fn the_source_itself_may_be_a_link() {
    let top = populated();
    symlink("a", top.path().join("to-a")).expect("a new link");
    let tree = read(&top.path().join("to-a"), 1).expect("a link to a directory is one");
    assert_eq!(bytes(&tree, "/first"), b"a/first");
    let error = read(&top.path().join("z/file"), 1).expect_err("a file is no directory");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().ends_with("z/file: Not a directory (os error 20)"), "{error}");
}

#[test]
fn what_may_not_be_read_is_told_and_not_followed() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED what_may_not_be_read_is_told_and_not_followed: root may read everything");
        return;
    }
    let top = populated();
    let closed = top.path().join("a/sub");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o300)).expect("it is ours");
    fs::set_permissions(top.path().join("z/file"), fs::Permissions::from_mode(0o000)).expect("it is ours");
    let scanned = scanned(top.path(), 2);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let Scanned { tree, hosts, unreadable, .. } = scanned.expect("it can be scanned");
    let found: Vec<_> = unreadable.iter().map(|found| (found.path(), found.directory)).collect();
    assert_eq!(found, [(b"a/sub".to_vec(), true), (b"z/file".to_vec(), false)]);
    assert_eq!(unreadable[0].host_path(), closed);
    assert_eq!((inode(&tree, "/a/sub").metadata.mode, tree.resolve(b"/a/sub/file")), (0o300, None));
    assert_eq!(hosts.len(), tree.inode_count());
}

#[test]
fn only_what_is_wanted_is_listed() {
    let top = populated();
    let whole = scanned(top.path(), 2).expect("it can be read");
    assert_eq!(whole.unlisted, []);
    let interrupt = Interrupt::never();
    let options = ReadOptions::new(NonZeroUsize::MIN, &interrupt);
    let part = super::read_where(top.path(), &options, &|path| path == b"a").expect("it can be read");
    let unlisted: Vec<_> = part.unlisted.iter().map(|(_, path)| path.as_slice()).collect();
    assert!(unlisted.contains(&&b"a/sub"[..]) && unlisted.contains(&&b"z"[..]), "{unlisted:?}");
    assert!(!unlisted.contains(&&b"a"[..]) && part.unreadable.is_empty());
    for (id, path) in &part.unlisted {
        assert_eq!(part.tree.resolve(path), Some(*id));
        assert!(part.tree.entries(*id).is_some_and(BTreeMap::is_empty));
    }
    assert_eq!(inode(&part.tree, "/a/first"), inode(&whole.tree, "/a/first"));
}

#[test]
fn every_inode_knows_where_it_was() {
    let top = populated();
    let Scanned { tree, hosts, .. } = scanned(top.path(), 2).expect("it can be read");
    assert_eq!(hosts.len(), tree.inode_count());
    for path in ["", "a", "a/first", "z/again", "a/link", "pipe", "socket", "empty"] {
        let host = fs::symlink_metadata(top.path().join(path)).expect("it is there");
        let id = tree.resolve(path.as_bytes()).expect("it is there");
        let expected = HostInode { device: host.dev(), inode: host.ino() };
        assert_eq!(hosts[id.index()], expected, "{path}");
    }
}

#[test]
fn one_file_alone() {
    let top = populated();
    let file = read_file(&top.path().join("z/file")).expect("it can be read");
    assert_eq!(file.metadata.mode, 0o4751);
    symlink("z/file", top.path().join("to-file")).expect("a new link");
    assert_eq!(read_file(&top.path().join("to-file")).expect("it is followed").kind.type_bits(), 0o100_000);
    assert_eq!(read_file(&top.path().join("a")).expect_err("a directory").kind(), ErrorKind::BadInput);
    assert_eq!(read_file(&top.path().join("none")).expect_err("nothing").kind(), ErrorKind::Io);
}

/// Set in the process that a test starts again with few descriptors.
const FEW_DESCRIPTORS: &str = "ROOTCAST_TEST_FEW_DESCRIPTORS";

/// Returns true in the process with few descriptors. In any other, runs the test in one.
fn has_few_descriptors(test: &str) -> bool {
    if std::env::var_os(FEW_DESCRIPTORS).is_some() {
        return true;
    }
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 256 && exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().expect("a test has a file"))
        .arg(format!("{}::{test}", module_path!().trim_start_matches("rootcast::")))
        .env(FEW_DESCRIPTORS, "1")
        .output()
        .expect("a shell");
    let output = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && output.contains("1 passed"), "{status:?}");
    false
}

#[test]
fn a_wide_tree_with_few_descriptors() {
    if !has_few_descriptors("a_wide_tree_with_few_descriptors") {
        return;
    }
    let top = directory();
    for index in 0..5000 {
        fs::write(top.path().join(format!("f{index}")), "").expect("a new file");
        fs::create_dir(top.path().join(format!("d{index}"))).expect("a new directory");
    }
    assert_eq!(read(top.path(), 1000).expect("it can be read").inode_count(), 10_001);
}

#[test]
fn a_deep_tree_with_few_descriptors() {
    const DEPTH: usize = 4000;
    if !has_few_descriptors("a_deep_tree_with_few_descriptors") {
        return;
    }
    let top = directory();
    let mut at = OwnedFd::from(fs::File::open(top.path()).expect("it is a directory"));
    for _ in 0..DEPTH {
        // The second directory is opened from the root again, with a path too long for one system
        // call.
        rustix::fs::mkdirat(&at, "other", Mode::RWXU).expect("a new directory");
        rustix::fs::mkdirat(&at, "deep", Mode::RWXU).expect("a new directory");
        at = rustix::fs::openat(&at, "deep", OFlags::RDONLY, Mode::empty()).expect("it was just made");
    }
    let file = rustix::fs::openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("a new file");
    rustix::io::write(&file, b"bottom").expect("room for six bytes");
    rustix::fs::linkat(&file, "", rustix::fs::CWD, top.path().join("x"), AtFlags::EMPTY_PATH)
        .or_else(|_| rustix::fs::linkat(&at, "f", rustix::fs::CWD, top.path().join("x"), AtFlags::empty()))
        .expect("a second name");
    let result = read(top.path(), 4).map(|tree| {
        let path = format!("{}/f", "/deep".repeat(DEPTH));
        (tree.inode_count(), bytes(&tree, &path), tree.resolve(b"/x") == tree.resolve(path.as_bytes()))
    });
    // Removing with one descriptor for each level would hit the limit, and leave the tree behind.
    let removed = Command::new("rm").arg("-rf").arg(top.path()).status().expect("rm");
    assert!(removed.success());
    assert_eq!(result.expect("it can be read"), (2 * DEPTH + 2, b"bottom".to_vec(), true));
}

/// Makes a chain of directories, each in the one before, and returns the last of them.
fn chain(top: &Path, depth: usize) -> OwnedFd {
    let mut at = OwnedFd::from(fs::File::open(top).expect("it is a directory"));
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).expect("a new directory");
        at = rustix::fs::openat(&at, "d", OFlags::RDONLY, Mode::empty()).expect("it was just made");
    }
    at
}

#[test]
fn what_lies_deeper_than_a_tree_may_be_is_refused() {
    let top = directory();
    let last = chain(top.path(), MAX_DEPTH);
    let at_the_limit = read(top.path(), 2).map(|tree| tree.inode_count());
    rustix::fs::mkdirat(&last, "x", Mode::RWXU).expect("a new directory");
    let directory_beyond = read(top.path(), 2);
    rustix::fs::openat(&last, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("a new file");
    let file_beyond = read(top.path(), 1);
    drop(last);
    let removed = Command::new("rm").arg("-rf").arg(top.path()).status().expect("rm");
    assert!(removed.success());
    assert_eq!(at_the_limit.expect("it is not too deep"), MAX_DEPTH + 1);
    for (result, name) in [(directory_beyond, "x"), (file_beyond, "f")] {
        let error = result.expect_err("it is too deep");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let start = format!("{}: the path of \"{name}\" in /d/d/", top.path().display());
        let text = error.to_string();
        assert!(text.starts_with(&start) && text.len() < 500, "{text}");
        assert!(text.contains("d/d has 4097 components, the limit is 4096"), "{text}");
    }
}

#[test]
fn a_signal_stops_the_scan() {
    let top = populated();
    let interrupt = Interrupt::never();
    interrupt.set(15);
    for threads in [1, 4] {
        let error = super::read(top.path(), threads, &interrupt).expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}

#[test]
fn what_was_read_can_be_dumped_and_read_back() {
    let top = populated();
    let tree = read(top.path(), 1).expect("it can be read");
    let mut text = Vec::new();
    image_tree::dump::write(&tree, &mut text, |_, _| Ok(image_tree::dump::Body::None)).expect("memory");
    let back = image_tree::dump::parse(text.as_slice(), |file| Ok::<_, std::io::Error>(file.size));
    let sizes = tree.try_map_content(|blob| Ok::<_, std::io::Error>(blob.len())).expect("nothing fails");
    assert_eq!(back.expect("what was written is a dump"), sizes);
}

#[test]
fn a_long_directory_is_shared_by_threads() {
    let top = directory();
    let long = top.path().join("long");
    fs::create_dir(&long).expect("a new directory");
    for index in 0..3000 {
        fs::write(long.join(format!("file-{index}")), format!("{index}")).expect("a new file");
    }
    fs::create_dir(long.join("sub")).expect("a new directory");
    fs::write(long.join("sub/file"), "x").expect("a new file");
    let labelled = set_xattr("a_long_directory", &long.join("file-2999"), "user.note", b"last");
    let alone = read(top.path(), 1).expect("it can be read");
    assert_eq!(alone.inode_count(), 3004);
    assert_eq!(bytes(&alone, "/long/file-2999"), b"2999");
    assert_eq!(inode(&alone, "/long/file-2999").metadata.xattrs.len(), usize::from(labelled));
    for _ in 0..10 {
        assert_eq!(read(top.path(), 4).expect("it can be read"), alone);
    }
}
