//! Compares the disks of Kata guests with the steps of image_builder.sh, and root hashes with
//! veritysetup.
//!
//! ```text
//! compare kata --out-dir /dev/shm /var/tmp/trees/debian
//! ```
//!
//! The steps run as root on a loop device: a disk is formatted and mounted to find its size, as
//! often as in the script at least, and then formatted, mounted, filled by `cp -a`, unmounted and
//! checked by `fsck -D`; the header of persistent memory is put before it by a copy. The script's
//! waiting for partition nodes is left out: the loop device is of the partition alone.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::contender::{Contender, contender, measure, table};
use crate::rounds::Settings;

/// The tree to compare on, and the settings.
#[derive(clap::Args)]
pub(crate) struct Kata {
    /// The tree to make disks of
    tree: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

/// The common start of every script.
const PRELUDE: &str = "set -e
PATH=$PATH:/usr/sbin:/sbin
rootcast() { \"$BINARY\" \"$@\"; }
# steps MEASURED: image_builder.sh, as far as it works
steps() {
    size=$(du -sm \"$TREE\" | cut -f1)
    size=$((size + size / 8 + 24))
    size=$(((size + 2 + 127) / 128 * 128 - 2))
    part=$((size - 2))
    [ \"$1\" = no ] || part=$((size * 99 / 100 - 1))
    for last in no yes; do
        rm -f \"$OUT.raw\"
        truncate -s \"${size}M\" \"$OUT.raw\"
        parted -s \"$OUT.raw\" mklabel msdos mkpart primary ext4 1MiB \"$((part + 1))MiB\"
        loop=$(losetup --find --show --offset 1MiB --sizelimit \"${part}MiB\" \"$OUT.raw\")
        mkfs.ext4 -q -F -b 4096 \"$loop\"
        tune2fs -m 3 \"$loop\" > /dev/null
        mkdir -p \"$MNT\"
        mount \"$loop\" \"$MNT\"
        df -B1M \"$MNT\" > /dev/null
        [ $last = no ] || cp -a \"$TREE\"/. \"$MNT\"
        umount \"$MNT\"
        [ $last = no ] || fsck.ext4 -D -y \"$loop\" > /dev/null 2>&1 || [ $? -le 1 ]
        if [ $last = yes ] && [ \"$1\" = yes ]; then
            hash=$(losetup --find --show --offset \"$((part + 1))MiB\" \"$OUT.raw\")
            veritysetup format --no-superblock \"$loop\" \"$hash\" > /dev/null
            losetup -d \"$hash\"
        fi
        losetup -d \"$loop\"
    done
    truncate -s 2M \"$OUT\"
    cat \"$OUT.raw\" >> \"$OUT\"
    rm \"$OUT.raw\"
}
";

/// The tables: a title, and the contenders with rootcast first.
fn groups() -> [(&'static str, Vec<Contender>); 4] {
    const PLAIN: &str = "rootcast image \"$TREE\" -o \"$OUT\" --preset kata --no-rootfs-check -q";
    const MEASURED: &str = "rootcast image \"$TREE\" -o \"$OUT\" --preset kata --no-rootfs-check --measured --root-hash-file /dev/null -q";
    [
        (
            "a disk with the DAX header",
            vec![
                contender("rootcast --preset kata", "sh", PLAIN),
                contender("image_builder.sh", "parted", "steps no"),
            ],
        ),
        (
            "the same, measured",
            vec![
                contender("rootcast … --measured", "sh", MEASURED),
                contender("image_builder.sh, measured", "veritysetup", "steps yes"),
            ],
        ),
        (
            "measured beside unmeasured",
            vec![
                contender("rootcast … --measured", "sh", MEASURED),
                contender("rootcast --preset kata", "sh", PLAIN),
            ],
        ),
        (
            "root hashes",
            vec![
                contender(
                    "rootcast root-hash --check",
                    "sh",
                    "rootcast root-hash \"$DATA\" --hash-file \"$HASHES\" --check \"$(cat \"$ROOT_HASH\")\" > \"$OUT\"",
                ),
                contender(
                    "veritysetup verify",
                    "veritysetup",
                    "veritysetup verify \"$DATA\" \"$HASHES\" \"$(cat \"$ROOT_HASH\")\"; echo > \"$OUT\"",
                ),
            ],
        ),
    ]
}

/// Prints a table for each group.
pub(crate) fn compare(wanted: &Kata) -> Result<()> {
    ensure!(wanted.tree.is_dir(), "{}: not a directory", wanted.tree.display());
    let (binary, out_dir) = (wanted.settings.binary()?, wanted.settings.out_dir());
    let scratch = tempfile::Builder::new().prefix("compare-").tempdir_in(&out_dir)?;
    let bench = Bench { tree: wanted.tree.canonicalize()?, binary, scratch: scratch.path().to_owned() };
    bench.prepare()?;
    let plan = wanted.settings.plan();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{} into {}, {} runs", wanted.tree.display(), out_dir.display(), plan.runs)?;
    for (title, contenders) in groups() {
        let records = measure(&contenders, &plan, &bench.scratch.join("out"), |script| bench.shell(script));
        write!(stdout, "\n{title}\n{}", table(&records)?)?;
    }
    Ok(())
}

struct Bench {
    tree: PathBuf,
    binary: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    /// Makes a filesystem with a hash tree of veritysetup: `$DATA`, `$HASHES` and `$ROOT_HASH`.
    fn prepare(&self) -> Result<()> {
        let script = "rootcast image \"$TREE\" -o \"$DATA\" --layout bare -q
            veritysetup format \"$DATA\" \"$HASHES\" | sed -n 's/^Root hash:[[:space:]]*//p' > \"$ROOT_HASH\"";
        let status = self.shell(script).status().context("sh")?;
        ensure!(status.success(), "a filesystem with a hash tree cannot be made: {status}");
        Ok(())
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{PRELUDE}{script}"));
        command.env("TREE", &self.tree).env("BINARY", &self.binary);
        let files = [
            ("OUT", "out"),
            ("MNT", "mnt"),
            ("DATA", "data"),
            ("HASHES", "hashes"),
            ("ROOT_HASH", "root hash"),
        ];
        for (name, file) in files {
            command.env(name, self.scratch.join(file));
        }
        command
    }
}
