use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::*;
use crate::{Inode, LinkTarget, Metadata, Tree};

/// Builds a tree of empty files. `-> TARGET` makes a symbolic link.
fn tree(files: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (path, text) in files {
        let kind = match text.strip_prefix("-> ") {
            Some(target) => Kind::Symlink(LinkTarget::new(target).expect("a target")),
            None => Kind::Regular(text.as_bytes().to_vec()),
        };
        add(&mut tree, path.as_bytes(), kind);
    }
    tree
}

fn add(tree: &mut Tree<Vec<u8>>, path: &[u8], kind: Kind<Vec<u8>>) {
    let metadata = Metadata::new(0o755);
    tree.insert_path(path, Inode { metadata: metadata.clone(), kind }, &metadata).expect("it is new");
}

/// Reads the names, types and link targets beneath a directory of the host.
fn read(directory: &Path, path: &Path, tree: &mut Tree<Vec<u8>>) {
    for entry in fs::read_dir(directory.join(path)).expect("it is readable") {
        let entry = entry.expect("it is readable");
        let path = path.join(entry.file_name());
        let kind = entry.file_type().expect("it has a type");
        let bytes = path.as_os_str().as_bytes();
        if kind.is_dir() {
            add(tree, bytes, Kind::Directory(BTreeMap::new()));
            read(directory, &path, tree);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("a link");
            let target = LinkTarget::new(target.as_os_str().as_bytes()).expect("a target");
            add(tree, bytes, Kind::Symlink(target));
        } else {
            add(tree, bytes, Kind::Regular(Vec::new()));
        }
    }
}

fn traced(tree: &Tree<Vec<u8>>, path: &str) -> (String, Vec<String>) {
    let found = trace_in_root(tree, path.as_bytes(), &mut 0).expect("it resolves");
    let text = |path: &[u8]| path.escape_ascii().to_string();
    (text(&found.path), found.traversed.iter().map(|name| text(&name.path)).collect())
}

#[test]
fn every_name_on_the_path_is_returned() {
    let tree = tree(&[
        ("/lib", "-> usr/lib"),
        ("/usr/lib/libz.so", "-> ../lib64/libz.so.1"),
        ("/usr/lib64/libz.so.1", "-> /opt/z"),
        ("/opt/z", ""),
    ]);
    let (path, traversed) = traced(&tree, "/lib/libz.so");
    assert_eq!(path, "/opt/z");
    assert_eq!(
        traversed,
        ["/lib", "/usr", "/usr/lib", "/usr/lib/libz.so", "/usr/lib64", "/usr/lib64/libz.so.1", "/opt"]
    );
    assert_eq!(traced(&tree, "//lib/../../usr/."), ("/usr".into(), vec!["/lib".into(), "/usr/lib".into()]));
}

/// A generator of reproducible random numbers.
struct Lot(u64);

impl Lot {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("below a usize")
    }

    fn path(&mut self) -> String {
        const PARTS: [&str; 10] = ["a", "b", "c", "d", "l", "m", "..", ".", "", "none"];
        let count = 1 + self.below(5);
        let parts: Vec<&str> =
            (0..count).map(|_| PARTS[self.below(PARTS.len() - usize::from(count < 4))]).collect();
        let start = if self.below(2) == 0 { "/" } else { "" };
        format!("{start}{}", parts.join("/"))
    }
}

/// Creates a directory with random directories, files and links.
fn draw(lot: &mut Lot, root: &Path) {
    const NAMES: [&str; 6] = ["a", "b", "c", "d", "l", "m"];
    let mut directories = vec![root.to_owned()];
    for _ in 0..14 {
        let path = directories[lot.below(directories.len())].join(NAMES[lot.below(NAMES.len())]);
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match lot.below(5) {
            0 | 1 => {
                fs::create_dir(&path).expect("it is new");
                directories.push(path);
            }
            2 => fs::write(&path, "").expect("it is new"),
            _ => {
                let target = lot.path();
                symlink(if target.is_empty() { "." } else { &target }, &path).expect("it is new");
            }
        }
    }
}

#[test]
fn paths_resolve_as_in_the_kernel() {
    let mut lot = Lot(0x0123_4567_89ab_cdef);
    let (mut found_some, mut loops, mut missing) = (0, 0, 0);
    for _ in 0..60 {
        let root = tempfile::tempdir().expect("room");
        draw(&mut lot, root.path());
        let mut tree = tree(&[]);
        read(root.path(), Path::new(""), &mut tree);
        let directory =
            openat(CWD, root.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("it is there");
        for _ in 0..60 {
            let path = lot.path();
            let ours = trace_in_root(&tree, path.as_bytes(), &mut 0);
            let theirs =
                openat2(directory.as_fd(), &*path, OFlags::PATH, Mode::empty(), ResolveFlags::IN_ROOT);
            match (&ours, theirs) {
                (_, Err(Errno::NOSYS)) => return,
                (Ok(ours), Ok(theirs)) => {
                    let here = root.path().join(String::from_utf8_lossy(&ours.path[1..]).as_ref());
                    let here = fs::symlink_metadata(here).expect("it is there");
                    let theirs = rustix::fs::fstat(&theirs).expect("it is open");
                    assert_eq!((here.dev(), here.ino()), (theirs.st_dev, theirs.st_ino), "{path}");
                    found_some += 1;
                }
                (Err(ResolveError::TooManySymlinks), Err(Errno::LOOP)) => loops += 1,
                (Err(ResolveError::Missing), Err(Errno::NOENT)) => missing += 1,
                (Err(ResolveError::NotADirectory), Err(Errno::NOTDIR)) => missing += 1,
                (ours, theirs) => panic!("{path}: {ours:?}, but the kernel says {theirs:?}"),
            }
        }
    }
    // The random paths must cover every outcome.
    assert!(found_some > 500 && loops > 10 && missing > 500, "{found_some} {loops} {missing}");
}

#[test]
fn at_most_forty_links_are_followed() {
    let links: Vec<(String, String)> =
        (0..=40).map(|n| (format!("/l{n}"), format!("-> l{}", n + 1))).collect();
    let mut links: Vec<(&str, &str)> = links.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    links.push(("/l41", ""));
    let tree = tree(&links);
    assert!(trace_in_root(&tree, b"/l1", &mut 0).is_ok());
    assert_eq!(trace_in_root(&tree, b"/l0", &mut 0), Err(ResolveError::TooManySymlinks));
    assert_eq!(trace_in_root(&tree, b"", &mut 0), Err(ResolveError::Missing));
    assert_eq!(trace_in_root(&tree, &[b'/'; MAX_PATH + 1], &mut 0), Err(ResolveError::TooLong));
}

/// Builds a tree of empty files, and of links with their targets.
fn files_and_links(files: &[&str], links: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let mut tree = tree(&files.iter().map(|path| (*path, "")).collect::<Vec<_>>());
    for (path, target) in links {
        add(&mut tree, path.as_bytes(), Kind::Symlink(LinkTarget::new(target).expect("a valid target")));
    }
    tree
}

fn check(tree: &Tree<Vec<u8>>, path: &str, expected: Option<&str>) {
    let found = resolve_in_root(tree, path.as_bytes()).map(|id| tree.path_of(id));
    let found = found.map(|path| String::from_utf8(path).expect("a text path"));
    assert_eq!(found.as_deref(), expected, "{path}");
}

#[test]
fn paths_without_links_resolve() {
    let tree = files_and_links(&["/usr/bin/env"], &[]);
    check(&tree, "/usr/bin/env", Some("/usr/bin/env"));
    check(&tree, "usr//bin/./env", Some("/usr/bin/env"));
    check(&tree, "/", Some("/"));
    check(&tree, "", Some("/"));
    check(&tree, "/usr/bin/", Some("/usr/bin"));
    check(&tree, "/usr/bin/../../usr", Some("/usr"));
    check(&tree, "/usr/lib", None);
    check(&tree, "/usr/bin/env/", None);
    check(&tree, "/usr/bin/env/.", None);
    check(&tree, "/usr/bin/env/..", None);
}

#[test]
fn no_path_leaves_the_tree() {
    let tree = files_and_links(
        &["/bin/sh"],
        &[("/etc/up", "../../../../bin/sh"), ("/etc/top", "/.."), ("/var/lib/absolute", "/../bin/sh")],
    );
    check(&tree, "../../bin/sh", Some("/bin/sh"));
    check(&tree, "/bin/../../bin/sh", Some("/bin/sh"));
    check(&tree, "/etc/up", Some("/bin/sh"));
    check(&tree, "/etc/top", Some("/"));
    check(&tree, "/var/lib/absolute", Some("/bin/sh"));
}

#[test]
fn link_targets_are_relative_to_their_directory() {
    let tree = files_and_links(
        &["/usr/lib/systemd/systemd", "/usr/bin/dash"],
        &[
            ("/bin", "usr/bin"),
            ("/lib", "usr/lib"),
            ("/usr/sbin", "bin"),
            ("/sbin", "usr/sbin"),
            ("/usr/bin/init", "../lib/systemd/systemd"),
            ("/usr/bin/sh", "dash"),
            ("/usr/self", "."),
        ],
    );
    check(&tree, "/sbin/init", Some("/usr/lib/systemd/systemd"));
    check(&tree, "/bin/sh", Some("/usr/bin/dash"));
    // `..` is relative to the directory, not to the link that led to it.
    check(&tree, "/sbin/..", Some("/usr"));
    check(&tree, "/usr/self/self/../usr/bin/dash", Some("/usr/bin/dash"));
    check(&tree, "/usr/self/self/bin/dash", Some("/usr/bin/dash"));
}

#[test]
fn dangling_links_and_loops_do_not_resolve() {
    let tree = files_and_links(
        &["/file"],
        &[
            ("/dangling", "missing"),
            ("/self", "self"),
            ("/a", "/b"),
            ("/b", "a"),
            ("/through", "file/x"),
            ("/slash", "file/"),
            ("/growing", "growing/growing/growing"),
        ],
    );
    for path in ["/dangling", "/self", "/a", "/b", "/through", "/slash", "/growing"] {
        check(&tree, path, None);
    }
}

#[test]
fn the_limit_on_links_holds_without_a_trace() {
    let links: Vec<_> = (0..=MAX_SYMLINKS).map(|n| (format!("/l{n}"), format!("l{}", n + 1))).collect();
    let links: Vec<_> = links.iter().map(|(path, target)| (path.as_str(), target.as_str())).collect();
    let tree = files_and_links(&[&format!("/l{}", MAX_SYMLINKS + 1)], &links);
    check(&tree, "/l1", Some(&format!("/l{}", MAX_SYMLINKS + 1)));
    check(&tree, "/l0", None);
}
