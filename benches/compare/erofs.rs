//! Compares EROFS filesystems with those of mkfs.erofs, and with the limit of copying.
//!
//! ```text
//! compare erofs --out-dir /dev/shm /var/tmp/trees/debian
//! ```

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::contender::{Contender, contender, measure, table};
use crate::rounds::Settings;

/// The tree to compare on, and the settings.
#[derive(clap::Args)]
pub(crate) struct Erofs {
    /// The tree to make filesystems of
    tree: PathBuf,
    /// The mkfs.erofs to compare with, such as a shell script that starts a newer one by its
    /// dynamic linker [default: the installed one]
    #[arg(long, value_name = "PROGRAM")]
    mkfs: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// The common start of every script.
const PRELUDE: &str = "set -e
PATH=$PATH:/usr/sbin:/sbin
rootcast() { \"$BINARY\" image \"$TREE\" -o \"$OUT\" --fs erofs --layout bare -q \"$@\"; }
mkfs() { \"$MKFS\" --quiet -T0 -U 00000000-0000-0000-0000-000000000001 \"$@\" \"$OUT\" \"$TREE\" > /dev/null; }
";

/// The compressed forms: a title with the flags of both, and their scripts. Fragments need
/// mkfs.erofs 1.6, DEFLATE 1.7 and zstd 1.8.
const COMPRESSED: [(&str, &str, &str); 5] = [
    (
        "Kata: --profile kata; -zlz4hc -Enoinline_data",
        "rootcast --profile kata",
        "mkfs -zlz4hc -Enoinline_data",
    ),
    (
        "lz4hc: --pcluster 64K --fragments; -C65536 -Efragments",
        "rootcast --compress lz4hc --pcluster 64K --fragments",
        "mkfs -zlz4hc -C65536 -Efragments",
    ),
    ("deflate; -C65536", "rootcast --compress deflate", "mkfs -zdeflate -C65536"),
    ("zstd:3; -C65536", "rootcast --compress zstd:3", "mkfs -zzstd,3 -C65536"),
    (
        "zstd:9: --pcluster 256K; -C65536",
        "rootcast --compress zstd:9 --pcluster 256K",
        "mkfs -zzstd,9 -C65536",
    ),
];

/// The tables: a title, and the contenders with rootcast first.
fn groups() -> Vec<(&'static str, Vec<Contender>)> {
    let mut groups = vec![
        (
            "uncompressed",
            vec![
                contender("rootcast --fs erofs", "sh", "rootcast"),
                contender("mkfs.erofs", "sh", "mkfs"),
                contender("limit", "sh", "\"$COMPARE\" peer-limit \"$TREE\" \"$OUT\""),
            ],
        ),
        (
            "without inline data",
            vec![
                contender("rootcast … --inline none", "sh", "rootcast --inline none"),
                contender("mkfs.erofs -Enoinline_data", "sh", "mkfs -Enoinline_data"),
            ],
        ),
    ];
    groups.extend(COMPRESSED.map(|(title, ours, theirs)| {
        (title, vec![contender("rootcast", "sh", ours), contender("mkfs.erofs", "sh", theirs)])
    }));
    groups
}

/// Prints a table for each group.
pub(crate) fn compare(wanted: &Erofs) -> Result<()> {
    ensure!(wanted.tree.is_dir(), "{}: not a directory", wanted.tree.display());
    let (binary, out_dir) = (wanted.settings.binary()?, wanted.settings.out_dir());
    let scratch = tempfile::Builder::new().prefix("compare-").tempdir_in(&out_dir)?;
    let (tree, out) = (wanted.tree.canonicalize()?, scratch.path().join("out"));
    let mkfs = wanted.mkfs.as_deref().unwrap_or(Path::new("mkfs.erofs"));
    let this = std::env::current_exe().context("this program is not found")?;
    let plan = wanted.settings.plan();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{} into {}, {} runs", tree.display(), out_dir.display(), plan.runs)?;
    for (title, contenders) in groups() {
        let records = measure(&contenders, &plan, &out, |script| {
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("{PRELUDE}{script}"));
            command.env("TREE", &tree).env("BINARY", &binary).env("OUT", &out);
            command.env("MKFS", mkfs).env("COMPARE", &this);
            command
        });
        write!(stdout, "\n{title}\n{}", table(&records)?)?;
    }
    Ok(())
}
