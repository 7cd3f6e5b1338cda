//! Trees for measurements: a typical guest, and three extreme shapes.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The tree to make, and its directory.
#[derive(clap::Args)]
pub(crate) struct MakeTree {
    /// The kind of tree
    kind: Kind,
    /// The directory to make; it must not exist or be empty
    dir: PathBuf,
    /// Number of files in the small-* trees
    #[arg(long, value_name = "N", default_value_t = 120_000)]
    files: u32,
    /// The size of the one big file, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 8192)]
    size: u64,
    /// The release of Debian [default: the one of this machine]
    #[arg(long, value_name = "CODENAME")]
    suite: Option<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// A Debian guest of about 9,700 files, 12,500 entries and 240 MB, from the mirror that apt
    /// uses here. Needs mmdebstrap, and root or unprivileged user namespaces
    Debian,
    /// Small files of 200 to 4,199 bytes, 100 in each directory
    SmallSpread,
    /// Small files of 100 to 2,099 bytes, all in one directory
    SmallFlat,
    /// One file without zeros and without repetition
    OneBig,
}

/// Creates the requested tree.
pub(crate) fn make(wanted: &MakeTree) -> Result<()> {
    let dir = &wanted.dir;
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let empty = std::fs::read_dir(dir).with_context(|| dir.display().to_string())?.next().is_none();
    ensure!(empty, "{}: not empty; name a new directory", dir.display());
    match wanted.kind {
        Kind::Debian => debian(dir, wanted.suite.as_deref()),
        Kind::SmallSpread => small_spread(dir, wanted.files),
        Kind::SmallFlat => small_flat(dir, wanted.files),
        Kind::OneBig => one_big(dir, wanted.size),
    }
}

/// The packages that a guest with systemd needs besides the required ones and apt, and enough of
/// Python to reach 240 MB.
const PACKAGES: &str = "systemd-sysv,udev,dbus,kmod,iptables,chrony,e2fsprogs,cryptsetup-bin,ca-certificates,\
                        python3-minimal";

/// Removes files copied from the host, and those of apt that mmdebstrap would remove: it leaves
/// directories there that only apt's own user can read.
const CLEAN: &str = "cd \"$1\" && rm -rf etc/resolv.conf etc/hostname var/lib/apt/lists/* var/cache/apt/*";

/// Makes the tree readable for every user, which is safe since it has no secrets, so that rootcast
/// does not need privileges. A hook, because it runs inside mmdebstrap's namespace, where even an
/// ordinary user owns these files. The host's own kernel interfaces are mounted in the tree at that
/// time and must stay unchanged.
const READABLE: &str = "cd \"$1\" && find . -xdev \\( -path ./dev -o -path ./proc -o -path ./sys \\) -prune \
                        -o ! -type l -exec chmod a+rX {} +";

fn debian(dir: &Path, suite: Option<&str>) -> Result<()> {
    let suite = match suite {
        Some(suite) => suite.to_owned(),
        None => codename(&std::fs::read_to_string("/etc/os-release").context("/etc/os-release")?)
            .context("/etc/os-release names no VERSION_CODENAME; name the release with --suite")?,
    };
    let sources = apt_sources()?;
    ensure!(
        !sources.is_empty(),
        "apt has no sources in /etc/apt on this machine, so there is no mirror to use"
    );
    let status = Command::new("mmdebstrap")
        .args(["--variant=apt", "--include", PACKAGES])
        .arg("--skip=cleanup/apt")
        .arg(format!("--customize-hook={CLEAN}"))
        .arg(format!("--customize-hook={READABLE}"))
        .arg(suite)
        .arg(dir)
        .args(sources)
        .status()
        .context("mmdebstrap cannot be run; install the package of that name")?;
    ensure!(status.success(), "mmdebstrap: {status}");
    Ok(())
}

/// Returns the value of VERSION_CODENAME in the text of an os-release file.
fn codename(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches('"').to_owned())
}

/// Returns the files that configure apt's package sources.
fn apt_sources() -> Result<Vec<PathBuf>> {
    let main = PathBuf::from("/etc/apt/sources.list");
    let mut sources = if main.is_file() { vec![main] } else { Vec::new() };
    if let Ok(parts) = std::fs::read_dir("/etc/apt/sources.list.d") {
        for part in parts {
            let path = part?.path();
            if path.extension().is_some_and(|extension| extension == "list" || extension == "sources") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

fn small_spread(dir: &Path, files: u32) -> Result<()> {
    let mut noise = Noise::new();
    for index in 0..files {
        let (package, part) = (index / 300, index / 100 % 3);
        let directory = dir.join(format!("package-{package:04}")).join(["lib", "src", "dist"][part as usize]);
        if index % 100 == 0 {
            std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        }
        noise.write(
            &directory.join(format!("module-{:02}.js", index % 100)),
            200 + u64::from(index) * 37 % 4000,
        )?;
    }
    Ok(())
}

fn small_flat(dir: &Path, files: u32) -> Result<()> {
    let mut noise = Noise::new();
    let directory = dir.join("flat");
    std::fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
    (0..files).try_for_each(|index| {
        noise.write(&directory.join(format!("entry-{index:06}")), 100 + u64::from(index) * 37 % 2000)
    })
}

fn one_big(dir: &Path, mib: u64) -> Result<()> {
    let bytes = mib.checked_mul(1 << 20).context("--size is more than 16 EiB")?;
    Noise::new().write(&dir.join("big"), bytes)
}

/// A reproducible stream of bytes that are never zero and do not repeat in practice (xorshift64*).
struct Noise {
    state: u64,
    buffer: Vec<u8>,
}

impl Noise {
    fn new() -> Noise {
        Noise { state: 0x9e37_79b9_7f4a_7c15, buffer: Vec::new() }
    }

    fn next(&mut self) -> [u8; 8] {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        // The lowest bit of every byte is set, so no byte is zero and no block can be left out.
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) | 0x0101_0101_0101_0101).to_le_bytes()
    }

    fn write(&mut self, path: &Path, len: u64) -> Result<()> {
        let mut file = File::create_new(path).with_context(|| path.display().to_string())?;
        let mut left = len;
        while left > 0 {
            let step = left.min(1 << 20);
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            buffer.extend((0..step.div_ceil(8)).flat_map(|_| self.next()));
            buffer.truncate(usize::try_from(step)?);
            file.write_all(&buffer).with_context(|| path.display().to_string())?;
            self.buffer = buffer;
            left -= step;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Census;

    fn made(kind: Kind, files: u32, size: u64) -> (tempfile::TempDir, Census) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("new");
        make(&MakeTree { kind, dir: dir.clone(), files, size, suite: None }).unwrap();
        let census = Census::of(&dir).unwrap();
        (scratch, census)
    }

    #[test]
    fn small_trees_have_their_files() {
        let (_scratch, spread) = made(Kind::SmallSpread, 650, 0);
        // Seven directories of 100 files, three parents and the root.
        assert_eq!((spread.files, spread.directories), (650, 7 + 3 + 1));
        let (_scratch, flat) = made(Kind::SmallFlat, 650, 0);
        assert_eq!((flat.files, flat.directories), (650, 2));
    }

    #[test]
    fn the_big_file_has_no_zeros() {
        let (scratch, census) = made(Kind::OneBig, 0, 3);
        assert_eq!((census.files, census.bytes), (1, 3 << 20));
        let bytes = std::fs::read(scratch.path().join("new/big")).unwrap();
        assert!(bytes.iter().all(|byte| *byte != 0));
        assert_ne!(bytes[..1 << 20], bytes[1 << 20..2 << 20]);
    }

    #[test]
    fn nothing_is_created_in_a_directory_that_is_not_empty() {
        let (scratch, _) = made(Kind::SmallFlat, 1, 0);
        let again =
            MakeTree { kind: Kind::OneBig, dir: scratch.path().join("new"), files: 1, size: 1, suite: None };
        assert!(make(&again).unwrap_err().to_string().contains("not empty"));
    }

    #[test]
    fn the_codename_is_read_from_os_release() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=\"trixie\"\n").as_deref(), Some("trixie"));
        assert_eq!(codename("ID=arch\n"), None);
    }
}
