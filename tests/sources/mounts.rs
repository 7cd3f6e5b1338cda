//! Mounts in a tree are part of it, except with `--one-file-system`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judges;
use crate::product::{Scratch, rootcast_as_root, run};

/// A tree in which a filesystem, one of its files, one of its directories and a directory of the
/// tree itself are mounted.
struct MountedTree {
    /// Unmounted in the reverse order, before the directory they are in is removed.
    mounts: Vec<PathBuf>,
    source: PathBuf,
    scratch: Scratch,
}

impl MountedTree {
    /// Creates the tree; `None` after a visible skip.
    fn new() -> Option<Self> {
        if !judges::may_mount() {
            return None;
        }
        let scratch = Scratch::new();
        let mut tree = Self { mounts: Vec::new(), source: scratch.join("source"), scratch };
        let source = tree.source.clone();
        let at = |name: &str| source.join(name);
        for name in ["memory", "again", "own/deep", "far"] {
            fs::create_dir_all(at(name)).expect("it is new");
        }
        for name in ["file", "bound", "own/deep/file", "memory/below"] {
            fs::write(at(name), name).expect("it is new");
        }
        tree.mount(&["-t", "tmpfs", "-o", "size=1m,mode=1755"], Path::new("none"), "memory");
        fs::create_dir(at("memory/sub")).expect("it is new");
        for name in ["memory/file", "memory/sub/file"] {
            fs::write(at(name), name).expect("it is new");
        }
        for (what, name) in [("memory/file", "bound"), ("memory/sub", "far"), ("own", "again")] {
            tree.mount(&["--bind"], &at(what), name);
        }
        Some(tree)
    }

    fn mount(&mut self, arguments: &[&str], what: &Path, name: &str) {
        let at = self.source.join(name);
        let mut mount = Command::new("mount");
        run(mount.args(arguments).arg(what).arg(&at)).success().unwrap_or_else(|why| panic!("{why}"));
        self.mounts.push(at);
    }
}

impl Drop for MountedTree {
    fn drop(&mut self) {
        for at in self.mounts.iter().rev() {
            // OK to ignore: the directory then remains, as the test's output will show.
            let _ = Command::new("umount").arg("--lazy").arg(at).status();
        }
    }
}

/// Returns the lines of a dump, as paths with modes.
fn listed(source: &Path, arguments: &[&str]) -> Vec<String> {
    let outcome = run(rootcast_as_root().arg("tree").arg(source).args(arguments));
    let text = outcome.success().unwrap_or_else(|why| panic!("{why}"));
    let lines = String::from_utf8_lossy(&text.stdout).into_owned();
    let fields = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    lines.lines().map(fields).map(|fields| format!("{} {}", fields[0], fields[2])).collect()
}

#[test]
fn one_file_system_does_not_enter_mounts() {
    let Some(tree) = MountedTree::new() else { return };
    let source = &tree.source;

    let whole = listed(source, &[]);
    for path in ["/memory/sub/file", "/far/file", "/again/deep/file", "/own/deep/file", "/bound"] {
        assert!(whole.contains(&format!("{path} 100644")), "{path}: {whole:?}");
    }
    let expected = [
        "/ 40755",
        "/again 40755",
        "/again/deep 40755",
        "/again/deep/file 100644",
        "/bound 100644",
        "/far 40755",
        "/file 100644",
        "/memory 41755",
        "/own 40755",
        "/own/deep 40755",
        "/own/deep/file 100644",
    ];
    for threads in ["1", "3"] {
        let found = listed(source, &["--one-file-system", "-j", threads]);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn one_file_system_excludes_the_same_files_as_tar() {
    let Some(mut tar) = judges::command("tar") else { return };
    let Some(tree) = MountedTree::new() else { return };
    let (source, archive) = (&tree.source, tree.scratch.join("tar"));
    run(tar.arg("--one-file-system").arg("-cf").arg(&archive).arg("-C").arg(source).arg("."))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    let paths = |source: &Path, arguments: &[&str]| -> Vec<String> {
        listed(source, arguments).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(paths(source, &["-x"]), paths(&archive, &[]));
}

#[test]
fn excluded_mounts_are_reported() {
    let Some(tree) = MountedTree::new() else { return };
    let source = &tree.source;
    let mut initrd = rootcast_as_root();
    initrd.arg("initrd").arg(source).args(["--init", "none", "--dry-run", "--json", "-v", "-x"]);
    let outcome = run(&mut initrd).success().unwrap_or_else(|why| panic!("{why}"));
    let report = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(report.contains("entries of directories on other filesystems"), "{report}");
    for path in ["/memory", "/far"] {
        assert!(outcome.stderr.contains(&format!("{path}: on another filesystem")), "{}", outcome.stderr);
    }
    for path in ["/again", "/bound"] {
        assert!(!outcome.stderr.contains(&format!("{path}: on another")), "{}", outcome.stderr);
    }

    // Paths that are not in the tree cannot be kept, whether it is read in part or completely.
    for arguments in [&[][..], &["--owner", "root"]] {
        let keep = |path| {
            let mut closure = rootcast_as_root();
            run(closure.arg("closure").arg(source).args(["-x", "--keep", path]).args(arguments))
        };
        assert_eq!(keep("/own/deep/file").code, Some(0));
        let outcome = keep("/memory/sub/file");
        assert_ne!(outcome.code, Some(0), "{outcome}");
        assert!(outcome.stderr.contains("/memory/sub/file"), "{outcome}");
    }
}
