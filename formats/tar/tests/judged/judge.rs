//! Programs that unpack archives, and reports of those that are missing.

use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::process::Command;

/// A program that unpacks an archive as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    GnuTar,
    Bsdtar,
    Python,
}

/// Unpacks standard input with owners, and with no filter for untrusted archives.
const PYTHON: &str = "
import sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode='r|') as archive:
    if hasattr(tarfile, 'fully_trusted_filter'):
        archive.extraction_filter = staticmethod(tarfile.fully_trusted_filter)
    archive.errorlevel = 2
    archive.extractall(sys.argv[1], numeric_owner=True)
";

impl Judge {
    pub(crate) const ALL: [Self; 3] = [Self::GnuTar, Self::Bsdtar, Self::Python];

    /// Unpacks an archive into an empty directory. Returns the complaint of a judge that does not
    /// accept it, and none if the judge is missing.
    pub(crate) fn unpack(self, archive: &[u8], directory: &Path) -> Option<Result<(), String>> {
        let mut command = match self {
            Self::GnuTar => Command::new("tar"),
            Self::Bsdtar => Command::new("bsdtar"),
            Self::Python => Command::new("/usr/bin/python3"),
        };
        match self {
            Self::GnuTar => command.args([
                "-xpf",
                "-",
                "--xattrs",
                "--xattrs-include=*",
                "--same-owner",
                "--numeric-owner",
                "--warning=no-timestamp",
            ]),
            Self::Bsdtar => command.args(["-xpf", "-", "--numeric-owner"]),
            Self::Python => command.args(["-c", PYTHON]).arg(directory),
        };
        // Names that are not UTF-8 are kept as they are in the C locale.
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir(directory);
        let mut input = tempfile::tempfile().expect("a temporary file");
        input.write_all(archive).and_then(|()| input.rewind()).expect("there is room");
        let output = match command.stdin(input).output() {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                skip(&format!("{} is missing", command.get_program().display()));
                return None;
            }
            Err(error) => panic!("{command:?}: {error}"),
        };
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_pleased = output.status.success() && complaint.is_empty();
        Some(if is_pleased { Ok(()) } else { Err(format!("{self:?}: {}\n{complaint}", output.status)) })
    }
}

fn skip(why: &str) {
    assert!(std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_none_or(|value| value != "1"), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// Returns true if the tests may create devices and files of other users; returns false after
/// reporting a skip.
pub(crate) fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip("only root unpacks owners and devices");
    }
    root
}
