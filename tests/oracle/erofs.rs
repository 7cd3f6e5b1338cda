//! erofs-utils: the checker of this machine, and the tools of Debian 13, which extract too.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use super::expected::{Expected, Kind, Sees};
use super::{Verdict, Volume, walk};
use crate::depmod::debian::Apt;
use crate::judges;
use crate::product::{Scratch, run};

/// Checks that fsck.erofs finds no error. It reads neither offsets, in Debian 12, nor contents.
pub(crate) fn fsck(volume: &Volume) -> Verdict {
    let Some(mut fsck) = judges::command("fsck.erofs") else { return Ok(()) };
    let copy = volume.copy();
    run(fsck.arg(&copy.volume.image)).success().map(drop)
}

/// The erofs-utils of Debian 13, with its dynamic linker and libraries.
pub(crate) struct Utils(Apt);

impl Utils {
    /// Downloads them, or returns `None` after a visible skip.
    pub(crate) fn of_debian_13() -> Option<Self> {
        let apt = Apt::new("trixie", "amd64")?;
        let packages = [
            "erofs-utils",
            "libc6",
            "libdeflate0",
            "libfuse2t64",
            "liblz4-1",
            "liblzma5",
            "libpcre2-8-0",
            "libselinux1",
            "libuuid1",
            "libzstd1",
            "libxxhash0",
            "zlib1g",
            "libgcc-s1",
        ];
        apt.unpack(&packages)?;
        Some(Self(apt))
    }

    fn command(&self, name: &str) -> Command {
        let libraries = self.0.root().join("usr/lib/x86_64-linux-gnu");
        let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(&libraries).arg(self.0.root().join("usr/bin").join(name));
        command
    }

    /// Checks that fsck.erofs finds no error, extracts the expected files, and that dump.erofs reads
    /// the superblock.
    pub(crate) fn check(&self, image: &Path, expected: &Expected) -> Verdict {
        let scratch = Scratch::below(Path::new("/var/tmp"));
        let files = scratch.join("files");
        let mut fsck = self.command("fsck.erofs");
        run(fsck.arg(format!("--extract={}", files.display())).args(["--preserve"]).arg(image)).success()?;
        extend(&files, expected).map_err(|error| format!("the extracted files: {error}"))?;
        let (found, _) = walk::directory(&files).map_err(|error| format!("the extracted files: {error}"))?;
        // Xattrs are not extracted by this version.
        expected.compare(&found, Sees { xattrs: false, ..Sees::EVERYTHING })?;
        let dump = run(self.command("dump.erofs").arg("-s").arg(image)).success()?.text();
        if dump.contains("0xE0F5E1E2") { Ok(()) } else { Err(dump) }
    }
}

/// Gives extracted files the holes at their ends, which this version leaves out.
fn extend(root: &Path, expected: &Expected) -> io::Result<()> {
    for (path, file) in &expected.files {
        let Kind::Regular(content) = &file.kind else { continue };
        let host = walk::host_path(root, path);
        let found = fs::metadata(&host)?;
        if found.len() < content.len {
            let extended = File::options().write(true).open(host)?;
            extended.set_len(content.len)?;
            extended.set_modified(found.modified()?)?;
        }
    }
    Ok(())
}
