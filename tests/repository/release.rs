//! The program as it is shipped: static, in an otherwise empty root directory, without any
//! privileges.

mod automation;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::fixtures::small;
use crate::judges;
use crate::product::{NOBODY, Scratch, rootcast, run, write_program};

/// System calls that casting an image never needs: the privileged calls of a manager of containers
/// or virtual machines.
const FORBIDDEN: [&str; 13] = [
    "mount",
    "umount2",
    "fsopen",
    "fsmount",
    "open_tree",
    "move_mount",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "ptrace",
    "open_by_handle_at",
    "clone",
];

/// Returns the bytes of the program that `.ci/release` makes; `None` after a visible skip.
///
/// It is the very file that is shipped. The profile of the tests would not save time: all
/// dependencies have to be compiled once more in any case, and with debug information that takes
/// longer.
fn program() -> Option<&'static [u8]> {
    static PROGRAM: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
        judges::locate("gcc")?;
        judges::command("readelf")?;
        // Compiling uses the whole machine, and other tests measure time.
        let _heavy = judges::heavy();
        let scratch = Scratch::new();
        let mut command = Command::new(repository().join(".ci/release"));
        // Both are the target directory of these tests, which may be far from the sources.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        command.arg(scratch.path()).env("CARGO_TARGET_DIR", target);
        let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        let made = scratch.join("rootcast");
        assert_eq!(outcome.text().trim_end(), made.to_str().unwrap());
        Some(fs::read(made).unwrap())
    });
    PROGRAM.as_deref()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A root directory with the given files, and no /proc, /dev or /etc.
struct Cell {
    scratch: Scratch,
    launcher: PathBuf,
    directory: String,
    environment: Vec<(String, String)>,
}

impl Cell {
    /// Creates an empty one, or returns `None` after a visible skip.
    fn new() -> Option<Self> {
        if !judges::is_root() {
            judges::skip("an empty root directory", "only root changes it");
            return None;
        }
        let scratch = Scratch::new();
        let launcher = scratch.join("confine");
        let code = scratch.file("confine.c", include_str!("release/confine.c"));
        let mut gcc = judges::command("gcc")?;
        gcc.args(["-static", "-O1", "-Wall", "-Werror", "-o"]).arg(&launcher).arg(&code);
        run(&mut gcc).success().unwrap_or_else(|why| panic!("{why}"));
        let cell = Self { scratch, launcher, directory: "/".to_owned(), environment: Vec::new() };
        cell.make_directory("", 0);
        Some(cell)
    }

    /// Returns the path outside of the cell for a path inside.
    fn path(&self, inside: &str) -> PathBuf {
        self.scratch.join("cell").join(inside.trim_start_matches('/'))
    }

    fn make_directory(&self, inside: &str, owner: u32) {
        let path = self.path(inside);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn put_program(&self, inside: &str, bytes: &[u8]) {
        write_program(&self.path(inside), bytes);
    }

    /// Returns a command inside, as nobody. `how` is the launcher's mode: `deny` or `kill`.
    fn command(&self, how: &str, program: &str) -> Command {
        let mut command = Command::new(&self.launcher);
        command.arg(how).arg(self.path("")).arg(NOBODY.to_string()).arg(&self.directory).arg(program);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.env_clear().envs(environment).stdin(Stdio::null());
        command
    }

    /// Returns the names in it, except those below `source`.
    fn names(&self) -> BTreeSet<PathBuf> {
        let mut names = BTreeSet::new();
        let mut directories = vec![self.path("")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && path != self.path("source") {
                    directories.push(path.clone());
                }
                names.insert(path);
            }
        }
        names
    }
}

/// Creates a cell with the program, a tree at `/source` and a directory `/out` owned by nobody.
fn cell_with_program() -> Option<Cell> {
    let cell = Cell::new()?;
    cell.put_program("rootcast", program()?);
    small::small().make(&cell.path("source"));
    cell.make_directory("out", NOBODY);
    Some(cell)
}

const FLAGS: [&str; 6] = ["-j", "2", "--layout", "gpt", "--arch", "x86_64"];

/// Casts `/source` in the cell, and compares with the result of the program of all other tests.
fn assert_casts(cell: &Cell, how: &str, program: &str, source: &str, output: &str) {
    let mut confined = cell.command(how, program);
    confined.arg("image").arg(source).args(["-o", output]).args(FLAGS);
    run(&mut confined).success().unwrap_or_else(|why| panic!("{why}"));

    let scratch = Scratch::new();
    let expected = scratch.join("disk");
    let mut ordinary = rootcast();
    ordinary.arg("image").arg(cell.path(source)).arg("-o").arg(&expected).args(FLAGS);
    run(&mut ordinary).success().unwrap_or_else(|why| panic!("{why}"));
    let same = fs::read(cell.path(output)).unwrap() == fs::read(expected).unwrap();
    assert!(same, "{how}: {source} gave other bytes than outside");
}

#[test]
fn the_seccomp_filter_denies_forbidden_calls() {
    let Some(cell) = Cell::new() else { return };
    cell.put_program("confine", &fs::read(&cell.launcher).unwrap());
    for call in FORBIDDEN {
        let outcome = run(cell.command("deny", "/confine").args(["probe", call]));
        assert_eq!((outcome.code, outcome.text().as_str()), (Some(0), "EPERM\n"), "{outcome}");
        // The kernel also denies some of them, but only the filter kills.
        let status = cell.command("kill", "/confine").args(["probe", call]).status().unwrap();
        assert_eq!(status.signal(), Some(rustix::process::Signal::SYS.as_raw()), "{call}: {status}");
    }
}

#[test]
fn the_program_runs_without_other_files_and_privileges() {
    let Some(cell) = cell_with_program() else { return };
    let mut expected = cell.names();
    expected.insert(cell.path("out/disk.img"));
    // The second time it replaces the file, without any of the calls that are now fatal.
    for how in ["deny", "kill"] {
        assert_casts(&cell, how, "/rootcast", "/source", "/out/disk.img");
        assert_eq!(cell.names(), expected, "{how}: it leaves the image and nothing else");
    }
}

#[test]
fn failed_runs_leave_no_files() {
    let Some(cell) = cell_with_program() else { return };
    let expected = cell.names();
    let outcome = run(cell.command("kill", "/rootcast").args(["image", "/nowhere", "-o", "/out/disk.img"]));
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.code.is_some() && outcome.stderr.contains("/nowhere"), "{outcome}");
    let outcome = run(cell.command("kill", "/rootcast").args(["image", "/source", "-o", "/disk.img"]));
    assert_ne!(outcome.code, Some(0), "only root writes there: {outcome}");
    assert!(outcome.code.is_some() && outcome.stderr.contains("/: "), "{outcome}");
    assert_eq!(cell.names(), expected);
}

#[test]
fn the_decompressors_are_linked_statically() {
    let Some(mut cell) = cell_with_program() else { return };
    cell.environment.push(("TMPDIR".to_owned(), "/out".to_owned()));
    for compression in ["gzip", "zstd", "xz", "bzip2"] {
        if judges::locate(compression).is_none() {
            continue;
        }
        let Some(mut tar) = judges::command("tar") else { return };
        let archive = format!("/source.tar.{compression}");
        tar.arg(format!("--{compression}")).arg("-cf").arg(cell.path(&archive)).arg("-C");
        run(tar.arg(cell.path("source")).arg(".")).success().unwrap_or_else(|why| panic!("{why}"));
        let mut expected = cell.names();
        expected.insert(cell.path("out/disk.img"));
        assert_casts(&cell, "kill", "/rootcast", &archive, "/out/disk.img");
        assert_eq!(cell.names(), expected, "{compression}: it leaves the image and nothing else");
    }
}
