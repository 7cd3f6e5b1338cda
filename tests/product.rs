//! Running rootcast as its users do: as an ordinary user, in a directory of that user.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::judges;

/// The user and group that root's tests run rootcast as: Debian's `nobody` and `nogroup`.
pub(crate) const NOBODY: u32 = 65534;

/// Returns a command of rootcast as an ordinary user: as `nobody` if the tests run as root.
/// Fixtures have to be readable by that user, and outputs go into a [`Scratch`].
pub(crate) fn rootcast() -> Command {
    rootcast_as(NOBODY)
}

/// Returns a command of rootcast as the user and group `id` if the tests run as root, else as the
/// current user.
pub(crate) fn rootcast_as(id: u32) -> Command {
    start(Command::new(&*PROGRAM), Some(id))
}

/// Returns a command of rootcast as an ordinary user under a umask, such as `077`.
pub(crate) fn rootcast_under_umask(umask: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("umask {umask} && exec \"$0\" \"$@\"")]).arg(&*PROGRAM);
    start(shell, Some(NOBODY))
}

/// Returns a command of rootcast as an ordinary user with default signal actions. Shells start
/// background jobs with SIGINT ignored, and children inherit that.
pub(crate) fn rootcast_with_default_signals() -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal").arg(&*PROGRAM);
    start(env, Some(NOBODY))
}

/// Returns a command of rootcast with the privileges of the tests.
pub(crate) fn rootcast_as_root() -> Command {
    start(Command::new(&*PROGRAM), None)
}

/// Runs another program as the ordinary user, which runs rootcast in turn.
pub(crate) fn as_ordinary_user(command: Command) -> Command {
    start(command, Some(NOBODY))
}

fn start(mut command: Command, user: Option<u32>) -> Command {
    if let Some(id) = user
        && judges::is_root()
    {
        // The standard library drops root's supplementary groups on a change of user.
        command.uid(id).gid(id);
    }
    // Reproducible builds set it for all child processes, including the tests.
    command.env_remove("SOURCE_DATE_EPOCH").current_dir("/").stdin(Stdio::null());
    command
}

/// The result of a program.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) command: String,
    /// The exit code, or `None` if a signal terminated the program.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output as text, for programs that print text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns the same outcome if the exit code is 0, else all details as an error.
    pub(crate) fn success(self) -> Result<Self, String> {
        if self.code == Some(0) { Ok(self) } else { Err(self.to_string()) }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} ended with {:?}", self.command, self.code)?;
        write!(f, "{}{}", self.text(), self.stderr)
    }
}

/// Runs a command to completion.
///
/// # Panics
/// If it cannot be started.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = format!("{command:?}");
    let output = command.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
    Outcome {
        command: shown,
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `rootcast image SOURCE -o OUTPUT ARGUMENTS`, which has to succeed.
pub(crate) fn image<A: AsRef<OsStr>>(source: &Path, output: &Path, arguments: &[A]) {
    let outcome = run(rootcast().arg("image").arg(source).arg("-o").arg(output).args(arguments));
    outcome.success().unwrap_or_else(|why| panic!("{why}"));
    assert!(output.is_file(), "no image at {}", output.display());
}

/// A directory of one test, writable by every user that rootcast runs as, removed on drop.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// A directory below the system's directory for temporary files.
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// Creates a directory in memory if there is enough: creating and removing a hundred thousand
    /// files, and the flushes of a judge, take minutes on a busy disk. Extended attributes may not
    /// be supported there.
    pub(crate) fn in_memory() -> Self {
        Self::below(&memory())
    }

    /// Creates a directory below `parent`, which has to be accessible to every user.
    pub(crate) fn below(parent: &Path) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("rootcast-test-")
            .tempdir_in(parent)
            .unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        Self(directory)
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns a path in it.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Creates a file in it that is readable by every user.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }
}

/// Returns a directory of a filesystem in memory with room for several images, or else the usual
/// one for temporary files.
pub(crate) fn memory() -> PathBuf {
    const ROOM: u64 = 4 << 30;
    let shm = Path::new("/dev/shm");
    match rustix::fs::statvfs(shm) {
        Ok(found) if found.f_bavail.saturating_mul(found.f_frsize) >= ROOM => shm.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// The path of the program under test, executable by `nobody`: if the target directory is below a
/// home directory that only root may enter, a copy is made.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = Path::new(env!("CARGO_BIN_EXE_rootcast"));
    if !judges::is_root() || everyone_may_run(built) {
        return built.to_owned();
    }
    copy_for_everyone(built)
});

fn everyone_may_run(program: &Path) -> bool {
    program
        .ancestors()
        .all(|part| fs::metadata(part).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

/// Writes a program to be run. A child process writes it: as long as a concurrently started child
/// of another test inherits our descriptor for writing, the kernel would not run the program
/// (`ETXTBSY`).
pub(crate) fn write_program(path: &Path, bytes: &[u8]) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(path).stdin(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    assert!(child.wait().unwrap().success(), "{} cannot be written", path.display());
}

/// Copies the program to a place named after its build, so that one build leaves at most one copy.
fn copy_for_everyone(built: &Path) -> PathBuf {
    let found = fs::metadata(built).unwrap();
    let directory = std::env::temp_dir().join(format!(
        "rootcast-under-test-{}-{}.{}",
        found.len(),
        found.mtime(),
        found.mtime_nsec()
    ));
    let copy = directory.join("rootcast");
    let ours = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.uid() == 0);
    if ours(&directory) && ours(&copy) {
        return copy;
    }
    let fresh = tempfile::Builder::new().prefix("rootcast-under-test-").tempdir().unwrap();
    write_program(&fresh.path().join("rootcast"), &fs::read(built).unwrap());
    fs::set_permissions(fresh.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let fresh = fresh.keep();
    match fs::rename(&fresh, &directory) {
        Ok(()) => copy,
        // Another process was faster, or the name is taken: the copy is used in place.
        Err(_) => fresh.join("rootcast"),
    }
}
