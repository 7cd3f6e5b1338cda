//! Runs rootcast and its peers on the same trees and prints their measurements.
//!
//! ```text
//! compare make-tree debian /var/tmp/trees/debian
//! compare --out-dir /dev/shm --out-dir /var/tmp /var/tmp/trees/debian
//! ```
//!
//! Build with `cargo build --release -p rootcast -p rootcast-benches`: the peers `mkext4` and
//! `limit` run inside this program, so a debug build slows them down and favors rootcast.
//!
//! # What runs
//!
//! | tool            | what it does                                                                                     |
//! |-----------------|--------------------------------------------------------------------------------------------------|
//! | `rootcast`      | `rootcast image TREE -o OUT --layout bare`                                                       |
//! | `rootcast-copy` | the same with `--reflink=never`; only with `--only`, for a tree and an output on one btrfs or XFS |
//! | `mke2fs`        | `mke2fs -q -t ext4 -d TREE OUT SIZE`, SIZE guessed generously before the clock starts            |
//! | `mkext4`        | the crate `mkext4`, driven as its own example drives it, with the same SIZE                      |
//! | `tar`           | `tar -cf OUT -C TREE .` to a file, since GNU tar reads no content when it writes to `/dev/null`  |
//! | `limit`         | the same bytes read and written by two threads with no filesystem around them (see `peer_limit`) |
//!
//! They differ in the metadata they keep: `mkext4`, as its example drives it, drops extended
//! attributes and the root directory's own metadata, `tar` drops extended attributes, and `limit`
//! drops everything but content. Of the peers only `mke2fs` calls fsync before it exits. In
//! `/dev/shm` that costs nothing, on a disk it does, so measure both.
//!
//! # How it measures
//!
//! * Rounds are interleaved (A B C D, A B C D, …): if the machine slows down, it affects all tools.
//!   The pairwise column is the median of the ratios within each round, and is the one to quote.
//! * Each tool is a child process. Wall time is from before it is spawned to after it is reaped;
//!   CPU time and peak memory are those reported by wait4(2). Linux includes the parent's memory at
//!   the time of the spawn, so a peak below this program's own (a few MiB, printed) cannot be
//!   measured.
//! * Before each run the output of the previous one is removed and the output directory's
//!   filesystem is synced, so that a tool is not delayed by another's writeback.
//! * Warm-up rounds fill the page cache and are not counted. In the first of them the ext4 images
//!   are checked with `e2fsck -fn`, and a tool whose image fails is listed as failed: a fast but
//!   wrong image does not count.
//! * `mke2fs -d` takes minutes for a directory of 120,000 entries. A tool that exceeds `--patience`
//!   once is not run again on that tree, and is marked in the table.

mod census;
mod child;
mod closure;
mod contender;
mod depmod;
mod erofs;
mod initrd;
mod kata;
mod make_tree;
mod oci;
mod peer_limit;
mod peer_mkext4;
mod peer_unpack;
mod report;
mod rounds;
mod statistics;
mod tool;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};

use crate::census::Census;
use crate::closure::Closure;
use crate::depmod::Depmod;
use crate::erofs::Erofs;
use crate::initrd::Initrd;
use crate::kata::Kata;
use crate::make_tree::MakeTree;
use crate::oci::Oci;
use crate::report::{Machine, Table};
use crate::rounds::Plan;
use crate::tool::{Job, Programs, Tool};

/// Run rootcast beside its peers on the same trees and print medians and ratios.
///
/// The rounds are interleaved, so that a drift of the machine hits all alike. Build it with
/// --release: two of the peers run inside this program.
#[derive(Parser)]
#[command(name = "compare", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:
  compare make-tree debian /var/tmp/trees/debian
  compare --out-dir /dev/shm --out-dir /var/tmp /var/tmp/trees/debian
  compare initrd --only gzip,zstd /var/tmp/trees/debian
  compare closure /
  compare oci --out-dir /dev/shm /var/tmp/trees/debian
  compare depmod /lib/modules/6.1.0-56-amd64
  compare kata --out-dir /dev/shm /var/tmp/trees/debian
  compare erofs --out-dir /dev/shm /var/tmp/trees/debian
  compare --only rootcast,limit --runs 15 --json raw.json /var/tmp/trees/debian")]
struct Cli {
    #[command(subcommand)]
    mode: Option<Mode>,
    #[command(flatten)]
    comparison: Comparison,
}

#[derive(clap::Args)]
struct Comparison {
    /// The trees to make images of
    #[arg(value_name = "TREE", required = true)]
    trees: Vec<PathBuf>,
    /// Counted rounds; every tool runs once in each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Rounds before the counted ones; the first of them also checks the images with e2fsck
    #[arg(long, value_name = "N", default_value_t = 1)]
    warmup: u32,
    /// Directory for outputs, which are removed again; give it twice (/dev/shm and a directory on a
    /// disk) to see both [default: the directory for temporary files]
    #[arg(long = "out-dir", value_name = "DIR")]
    out_dirs: Vec<PathBuf>,
    /// The tools to run, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Tool>,
    /// The rootcast binary to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    rootcast: Option<PathBuf>,
    /// Drop the page cache before every run; needs root. The tools' own binaries then come from the
    /// disk too, and a tree in a tmpfs stays in memory
    #[arg(long)]
    cold: bool,
    /// Do not repeat a tool on a tree once it took longer than this
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Write every single measurement to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Comparison {
    fn runs_tool(&self, tool: Tool) -> bool {
        if self.only.is_empty() { tool.is_usual() } else { self.only.contains(&tool) }
    }
}

#[derive(Subcommand)]
enum Mode {
    /// Make a tree to measure with
    MakeTree(MakeTree),
    /// Compare initramfs images of a tree, codec by codec, with what find, cpio and a compressor
    /// make
    Initrd(Initrd),
    /// Compare disks of Kata guests with the steps of image_builder.sh, and root hashes with
    /// veritysetup; needs root
    Kata(Kata),
    /// Compare disks of images of containers with what umoci and mke2fs make of the same layers
    Oci(Oci),
    /// Compare closing over all programs of /usr/bin with ldd and lddtree
    Closure(Closure),
    /// Compare EROFS filesystems with those of mkfs.erofs
    Erofs(Erofs),
    /// Compare the indices of kernel modules with depmod
    Depmod(Depmod),
    /// The peer `mkext4`: make an ext4 image of TREE with the crate mkext4
    #[command(hide = true)]
    PeerMkext4 {
        tree: PathBuf,
        out: PathBuf,
        /// Size of the image in MiB [default: guessed from TREE, inside the timing]
        #[arg(long, value_name = "MIB")]
        size: Option<u64>,
    },
    /// The peer `limit`: copy the content of TREE with two threads and no filesystem
    #[command(hide = true)]
    PeerLimit { tree: PathBuf, out: PathBuf },
    /// The peer `unpack`: decompress, hash and copy the layers of LAYOUT
    #[command(hide = true)]
    PeerUnpack { layout: PathBuf, out: PathBuf },
}

fn main() -> Result<()> {
    let outcome = run(Cli::parse());
    match &outcome {
        // The reader of the tables has closed the pipe.
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(()),
        _ => outcome,
    }
}

fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

fn run(cli: Cli) -> Result<()> {
    match cli.mode {
        None => compare(&cli.comparison),
        Some(Mode::MakeTree(wanted)) => make_tree::make(&wanted),
        Some(Mode::Initrd(wanted)) => initrd::compare(&wanted),
        Some(Mode::Kata(wanted)) => kata::compare(&wanted),
        Some(Mode::Closure(wanted)) => closure::compare(&wanted),
        Some(Mode::Oci(wanted)) => oci::compare(&wanted),
        Some(Mode::PeerUnpack { layout, out }) => peer_unpack::unpack(&layout, &out),
        Some(Mode::Erofs(wanted)) => erofs::compare(&wanted),
        Some(Mode::Depmod(wanted)) => depmod::compare(&wanted),
        Some(Mode::PeerLimit { tree, out }) => peer_limit::copy(&tree, &out),
        Some(Mode::PeerMkext4 { tree, out, size }) => {
            let mib = match size {
                Some(mib) => mib,
                None => Census::of(&tree)?.generous_image_mib(),
            };
            peer_mkext4::make(&tree, &out, mib)
        }
    }
}

fn compare(wanted: &Comparison) -> Result<()> {
    let programs = Programs::find(wanted.rootcast.as_deref())?;
    let tools: Vec<Tool> = Tool::ALL.into_iter().filter(|tool| wanted.runs_tool(*tool)).collect();
    let plan = Plan {
        runs: wanted.runs,
        warmup: wanted.warmup,
        patience: Duration::from_secs(wanted.patience),
        cold: wanted.cold,
    };
    if wanted.cold {
        child::drop_page_cache()?;
    }
    let machine = Machine::now(&tools, &programs);
    let mut stdout = std::io::stdout();
    write!(stdout, "{machine}")?;

    let here = std::env::temp_dir();
    let out_dirs = if wanted.out_dirs.is_empty() { std::slice::from_ref(&here) } else { &wanted.out_dirs };
    let mut tables = Vec::new();
    for tree in &wanted.trees {
        ensure!(tree.is_dir(), "{}: not a directory", tree.display());
        let census = Census::of(tree)?;
        for out_dir in out_dirs {
            let table = measure(&plan, &tools, &programs, tree, census, out_dir)?;
            write!(stdout, "\n{table}")?;
            tables.push(table);
        }
    }
    if let Some(file) = &wanted.json {
        let text = serde_json::to_string_pretty(&report::json(&machine, &plan, &tables))?;
        std::fs::write(file, text + "\n").with_context(|| file.display().to_string())?;
    }
    let floor = report::mebibytes(child::own_peak_rss());
    Ok(writeln!(stdout, "\n{}\nPeak memory below {floor} cannot be seen.", report::LEGEND)?)
}

/// Runs all rounds for one tree and one output directory.
fn measure(
    plan: &Plan,
    tools: &[Tool],
    programs: &Programs,
    tree: &Path,
    census: Census,
    out_dir: &Path,
) -> Result<Table> {
    let scratch = tempfile::Builder::new()
        .prefix("compare-")
        .tempdir_in(out_dir)
        .with_context(|| format!("{}: no directory for outputs can be made here", out_dir.display()))?;
    let job = Job { tree, out: scratch.path().join("out"), image_mib: census.generous_image_mib() };
    let records = rounds::run(plan, tools, |tool, round| {
        if let Some(absence) = programs.absence(tool) {
            return Err(absence);
        }
        let sample = child::measure(&mut programs.command(tool, &job), &job.out, plan.cold);
        // The check reads the output, so it comes before the removal and after the timing.
        let check = if sample.is_ok() && round == 0 && plan.warmup > 0 {
            programs.check(tool, &job.out)
        } else {
            Ok(())
        };
        let removal = child::remove_output(&job.out);
        sample.and_then(|sample| check.and(removal).map(|()| sample)).map_err(|error| format!("{error:#}"))
    });
    Ok(Table::new(plan, tree, census, out_dir, records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["compare"]).is_err());
        assert!(Cli::try_parse_from(["compare", "peer-limit", "a", "b"]).is_ok());
        let cli = Cli::try_parse_from(["compare", "--only", "tar,limit", "a", "b"]).unwrap();
        assert_eq!(cli.comparison.only, [Tool::Tar, Tool::Limit]);
        assert_eq!(cli.comparison.trees.len(), 2);
    }
}
