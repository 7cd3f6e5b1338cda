//! Compares initramfs images with those of the usual tools: `find | cpio | COMPRESSOR`, for each
//! codec.
//!
//! ```text
//! compare initrd /var/tmp/trees/debian
//! compare initrd --only gzip,zstd --runs 7 --out-dir /dev/shm /var/tmp/trees/debian
//! compare initrd --only dracut --out-dir /var/tmp /var/tmp/trees/with-dracut
//! ```
//!
//! `dracut` is for a tree of Debian with dracut-core, systemd, udev, dbus, kmod and rsyslog. dracut
//! runs in a copy of it by chroot, which needs root, with Kata's configuration, and the recipe
//! `kata-dracut` makes an initramfs of the tree; both without compression, and with the modules of 9p
//! if the tree has a kernel.
//!
//! Each contender is a shell command with `$ROOTCAST`, `$TREE`, `$OUT`, `$CPIO` (the tree's
//! archive, created before the timing starts), `$COPY` (a copy of the tree to modify) and `$CACHE`
//! (a directory). Within a codec the runs are interleaved, so that a drift of the machine affects
//! all alike. Peers whose program is not installed are skipped, and reported.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::contender::{Contender, contender, measure, table};
use crate::rounds::Settings;

/// The tree to compare on, and the settings.
#[derive(clap::Args)]
pub(crate) struct Initrd {
    /// The tree to make archives of
    tree: PathBuf,
    /// The codecs to compare, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Codec>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Codec {
    None,
    Gzip,
    Zstd,
    Zstd19,
    Xz,
    Lz4,
    /// One file changed since the last time, with a cache
    Rebuild,
    /// dracut with Kata's configuration, in a tree that has it; only if it is named
    Dracut,
}

impl Codec {
    const ALL: [Self; 8] =
        [Self::None, Self::Gzip, Self::Zstd, Self::Zstd19, Self::Xz, Self::Lz4, Self::Rebuild, Self::Dracut];

    /// Returns the contenders, rootcast first.
    fn contenders(self) -> Vec<Contender> {
        match self {
            Self::None => vec![
                contender("rootcast none", "sh", "$ROOTCAST --compress none"),
                contender("find|cpio", "cpio", "archive > $OUT"),
                contender("find|dracut-cpio", "dracut-cpio", "dracut_archive $OUT"),
                contender("find|3cpio", "3cpio", "manifest | 3cpio --create $OUT"),
                contender("the limit", "sh", "$LIMIT peer-limit $TREE $OUT"),
            ],
            Self::Gzip => vec![
                contender("rootcast gzip", "sh", "$ROOTCAST --compress gzip"),
                contender("find|cpio|gzip -9", "gzip", "archive | gzip -9n > $OUT"),
                contender("find|cpio|pigz -9", "pigz", "archive | pigz -9n > $OUT"),
                contender(
                    "find|cpio|libdeflate-gzip -6",
                    "libdeflate-gzip",
                    "archive | libdeflate-gzip -6 > $OUT",
                ),
                contender("find|3cpio gzip -9", "3cpio", "manifest gzip -9 | 3cpio --create $OUT"),
            ],
            Self::Zstd => vec![
                contender("rootcast zstd:3", "sh", "$ROOTCAST --compress zstd:3"),
                contender("zstd -3 -T0 of the archive", "zstd", "zstd -q -3 -T0 -c < $CPIO > $OUT"),
                contender("find|cpio|zstd -3 -T0", "zstd", "archive | zstd -q -3 -T0 > $OUT"),
                contender(
                    "find|dracut-cpio, zstd -3 -T0",
                    "dracut-cpio",
                    "dracut_archive $OUT.cpio; zstd -q -3 -T0 < $OUT.cpio > $OUT; rm $OUT.cpio",
                ),
                contender("find|3cpio zstd -3", "3cpio", "manifest zstd -3 | 3cpio --create $OUT"),
            ],
            Self::Zstd19 => vec![
                contender("rootcast zstd:19", "sh", "$ROOTCAST --compress zstd:19"),
                contender("find|cpio|zstd -19 -T0", "zstd", "archive | zstd -q -19 -T0 > $OUT"),
            ],
            Self::Xz => vec![
                contender("rootcast xz", "sh", "$ROOTCAST --compress xz"),
                contender(
                    "find|cpio|xz -T0",
                    "xz",
                    "archive | xz --check=crc32 --lzma2=preset=6,dict=1MiB -T0 > $OUT",
                ),
            ],
            Self::Lz4 => vec![
                contender("rootcast lz4", "sh", "$ROOTCAST --compress lz4"),
                contender("find|cpio|lz4 -l -9", "lz4", "archive | lz4 -q -l -9 > $OUT"),
            ],
            Self::Dracut => vec![
                contender(
                    "rootcast kata-dracut",
                    "sh",
                    "\"$BINARY\" initrd \"$TREE\" --recipe kata-dracut --compress none -q -o \"$OUT\"",
                ),
                contender("dracut of the tree", "chroot", DRACUT),
            ],
            Self::Rebuild => vec![
                contender(
                    "rootcast gzip, a file changed",
                    "sh",
                    "date +%N > $COPY/changed; TREE=$COPY; $ROOTCAST --compress gzip --cache $CACHE",
                ),
                contender(
                    "rootcast gzip, an empty cache",
                    "sh",
                    "rm -rf $CACHE; TREE=$COPY; $ROOTCAST --compress gzip --cache $CACHE",
                ),
            ],
        }
    }
}

/// Runs dracut with Kata's configuration, which is passed as Kata does.
const DRACUT: &str = "mkdir -p $COPY/tmp/conf.d
cat > $COPY/tmp/conf.d/kata.conf <<END
hostonly=\"no\"
hostonly_cmdline=\"no\"
dracutmodules=\"kernel-modules udev-rules syslog systemd dbus\"
drivers=\"9p 9pnet 9pnet_virtio\"
END
version=$(ls $COPY/lib/modules 2>/dev/null | head -n 1)
if [ \"$version\" ]; then set -- --kver $version; else set -- --no-kernel; fi
chroot $COPY dracut -q --conf /dev/null --confdir /tmp/conf.d --no-compress --force /tmp/initrd $@
mv $COPY/tmp/initrd $OUT";

/// The common start of every script. `$ROOTCAST` is a function, so that each script contains only
/// the differences.
///
/// dracut packs as `archive` does, or with 3cpio if it is installed, which takes paths and their
/// names from a manifest and runs the compressor itself. With `--enhanced-cpio` it packs as
/// `dracut_archive` does: into a file, so that the kernel can share or copy the bytes, which the
/// compressor then reads.
const PRELUDE: &str = "set -e
PATH=$PATH:/usr/lib/dracut
manifest() {
    echo \"#cpio${*:+: $*}\"
    cd \"$TREE\" && find . -mindepth 1 -printf '%P\\n' | LC_ALL=C sort | awk -v t=\"$TREE\" '{ print t \"/\" $0 \"\\t\" $0 }'
}
dracut_archive() {
    align=$(stat -f -c %s \"$TREE\")
    cd \"$TREE\" && find . -print0 | sort -z | dracut-cpio --null --mtime 0 --data-align \"$align\" \"$1\"
}
archive() { cd \"$TREE\" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc; }
rootcast() { \"$BINARY\" initrd \"$TREE\" -o \"$OUT\" --init none -q \"$@\"; }
ROOTCAST=rootcast
";

/// Compares the requested codecs, and prints a table for each.
pub(crate) fn compare(wanted: &Initrd) -> Result<()> {
    ensure!(wanted.tree.is_dir(), "{}: not a directory", wanted.tree.display());
    let own = std::env::current_exe().context("this program's own path")?;
    let (binary, out_dir) = (wanted.settings.binary()?, wanted.settings.out_dir());
    let scratch = tempfile::Builder::new().prefix("compare-").tempdir_in(&out_dir)?;
    let bench = Bench { tree: wanted.tree.canonicalize()?, binary, own, scratch: scratch.path().to_owned() };
    bench.prepare()?;
    let plan = wanted.settings.plan();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{} into {}, {} runs", wanted.tree.display(), out_dir.display(), plan.runs)?;
    for codec in Codec::ALL {
        let is_usual = wanted.only.is_empty() && codec != Codec::Dracut;
        if is_usual || wanted.only.contains(&codec) {
            let records =
                measure(&codec.contenders(), &plan, &bench.scratch.join("out"), |script| bench.shell(script));
            write!(stdout, "\n{}", table(&records)?)?;
        }
    }
    Ok(())
}

struct Bench {
    tree: PathBuf,
    binary: PathBuf,
    own: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    /// Creates `$CPIO` and `$COPY`.
    fn prepare(&self) -> Result<()> {
        let script = "archive > \"$CPIO\"; cp -a \"$TREE\" \"$COPY\"";
        let status = self.shell(script).status().context("sh")?;
        ensure!(status.success(), "the tree cannot be archived and copied: {status}");
        Ok(())
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{PRELUDE}{script}"));
        command.env("TREE", &self.tree).env("BINARY", &self.binary).env("LIMIT", &self.own);
        for (name, file) in [("OUT", "out"), ("CPIO", "cpio"), ("COPY", "copy"), ("CACHE", "cache")] {
            command.env(name, self.scratch.join(file));
        }
        command
    }
}
