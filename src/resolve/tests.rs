use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use image_tree::LinkTarget;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::*;
use crate::closure::testing;
use crate::interrupt::Interrupt;
use crate::source::directory;
use crate::threads::Threads;

fn told(tree: &Tree<Vec<u8>>, path: &str) -> (String, Vec<String>) {
    let found = follow(tree, path.as_bytes(), &mut 0).expect("it leads somewhere");
    let text = |path: &[u8]| path.escape_ascii().to_string();
    (text(&found.path), found.passed.iter().map(|passed| text(&passed.path)).collect())
}

#[test]
fn everything_on_the_way_is_told() {
    let tree = testing::tree(&[
        ("/lib", "-> usr/lib"),
        ("/usr/lib/libz.so", "-> ../lib64/libz.so.1"),
        ("/usr/lib64/libz.so.1", "-> /opt/z"),
        ("/opt/z", ""),
    ]);
    let (path, passed) = told(&tree, "/lib/libz.so");
    assert_eq!(path, "/opt/z");
    assert_eq!(
        passed,
        ["/lib", "/usr", "/usr/lib", "/usr/lib/libz.so", "/usr/lib64", "/usr/lib64/libz.so.1", "/opt"]
    );
    assert_eq!(told(&tree, "//lib/../../usr/."), ("/usr".into(), vec!["/lib".into(), "/usr/lib".into()]));
}

#[test]
fn where_paths_lead_is_noticed() {
    let tree =
        testing::tree(&[("/lib", "-> usr/lib"), ("/usr/lib/a/b", ""), ("/usr/bin/c", ""), ("/etc/d", "")]);
    let at = |path: &str| resolve(&tree, path.as_bytes()).expect("it is there");
    let all: Vec<InodeId> = ["/usr", "/usr/lib/a", "/usr/bin", "/etc"].map(at).into();
    let lookups = || _ = (resolve(&tree, b"/lib/a/none"), follow(&tree, b"/usr/bin", &mut 0));
    let (_, found) = noticing(all.clone(), lookups);
    assert_eq!(found, all[..3].iter().copied().collect());
    let (_, found) = noticing([at("/usr/bin")], || _ = resolve(&tree, b"/lib/a/b"));
    assert!(found.is_empty());
    // Lookups outside of `noticing` are not recorded.
    lookups();
    assert!(noticing(all, || ()).1.is_empty());
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
fn paths_lead_where_the_kernel_says() {
    let mut lot = Lot(0x0123_4567_89ab_cdef);
    let (mut found_some, mut loops, mut missing) = (0, 0, 0);
    for _ in 0..60 {
        let root = tempfile::tempdir().expect("room");
        draw(&mut lot, root.path());
        let tree = directory::read(root.path(), &Threads::single(), &Interrupt::never())
            .expect("it is readable")
            .tree;
        let directory =
            openat(CWD, root.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("it is there");
        for _ in 0..60 {
            let path = lot.path();
            let ours = follow(&tree, path.as_bytes(), &mut 0);
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
                (Err(Unresolved::TooManyLinks), Err(Errno::LOOP)) => loops += 1,
                (Err(Unresolved::Missing), Err(Errno::NOENT)) => missing += 1,
                (Err(Unresolved::NotADirectory), Err(Errno::NOTDIR)) => missing += 1,
                (ours, theirs) => panic!("{path}: {ours:?}, but the kernel says {theirs:?}"),
            }
        }
    }
    // The random paths must cover every outcome.
    assert!(found_some > 500 && loops > 10 && missing > 500, "{found_some} {loops} {missing}");
}

#[test]
fn forty_links_and_no_more() {
    let links: Vec<(String, String)> =
        (0..=40).map(|n| (format!("/l{n}"), format!("-> l{}", n + 1))).collect();
    let mut links: Vec<(&str, &str)> = links.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    links.push(("/l41", ""));
    let tree = testing::tree(&links);
    assert!(follow(&tree, b"/l1", &mut 0).is_ok());
    assert_eq!(follow(&tree, b"/l0", &mut 0), Err(Unresolved::TooManyLinks));
    assert_eq!(follow(&tree, b"", &mut 0), Err(Unresolved::Missing));
    assert_eq!(follow(&tree, &[b'/'; MAX_PATH + 1], &mut 0), Err(Unresolved::TooLong));
}

/// Builds a tree of empty files, and of links with their targets.
fn files_and_links(files: &[&str], links: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let mut tree = testing::tree(&files.iter().map(|path| (*path, "")).collect::<Vec<_>>());
    for (path, target) in links {
        testing::add(&mut tree, path, Kind::Symlink(LinkTarget::new(target).expect("a valid target")));
    }
    tree
}

fn check(tree: &Tree<Vec<u8>>, path: &str, expected: Option<&str>) {
    let found = resolve(tree, path.as_bytes()).map(|id| tree.path_of(id));
    let found = found.map(|path| String::from_utf8(path).expect("a text path"));
    assert_eq!(found.as_deref(), expected, "{path}");
}

#[test]
fn plain_paths() {
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
fn nothing_leads_out_of_the_tree() {
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
fn links_are_relative_to_where_they_lie() {
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
fn links_that_lead_nowhere() {
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
fn links_are_counted() {
    let links: Vec<_> = (0..=MAX_LINKS).map(|n| (format!("/l{n}"), format!("l{}", n + 1))).collect();
    let links: Vec<_> = links.iter().map(|(path, target)| (path.as_str(), target.as_str())).collect();
    let tree = files_and_links(&[&format!("/l{}", MAX_LINKS + 1)], &links);
    check(&tree, "/l1", Some(&format!("/l{}", MAX_LINKS + 1)));
    check(&tree, "/l0", None);
}
