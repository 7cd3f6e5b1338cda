//! Compares the indices of kernel modules with those of `depmod`.
//!
//! ```text
//! compare depmod /lib/modules/6.1.0-56-amd64
//! compare depmod --runs 7 --out-dir /dev/shm /lib/modules/6.1.0-56-amd64
//! ```
//!
//! | contender          | what it does                                              |
//! |--------------------|-----------------------------------------------------------|
//! | `rootcast`         | `rootcast depmod`, with all processors                    |
//! | `rootcast -j 1`    | the same with one                                         |
//! | `depmod`           | `depmod -b` without configuration, which has one thread   |
//!
//! depmod writes beside the modules, so that it gets a directory of links to them. In the warm-up
//! the files are compared; if kmod is another than 30, only the texts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::child::{self, Sample};
use crate::report::mebibytes;
use crate::rounds::{self, Record, Settings};
use crate::statistics::{median, pairwise};

/// The modules, and the settings.
#[derive(clap::Args)]
pub(crate) struct Depmod {
    /// The directory with the modules of a kernel: lib/modules/VERSION
    modules: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Rootcast,
    OneThread,
    Depmod,
}

impl Contender {
    /// All contenders, rootcast first.
    const ALL: [Self; 3] = [Self::Rootcast, Self::OneThread, Self::Depmod];

    fn name(self) -> &'static str {
        match self {
            Self::Rootcast => "rootcast",
            Self::OneThread => "rootcast -j 1",
            Self::Depmod => "depmod",
        }
    }
}

struct Bench {
    binary: PathBuf,
    modules: PathBuf,
    scratch: tempfile::TempDir,
}

impl Bench {
    /// Makes a root with links to the modules for depmod.
    fn new(wanted: &Depmod) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("compare-").tempdir_in(wanted.settings.out_dir())?;
        let modules = wanted.modules.canonicalize()?;
        let bench = Self { binary: wanted.settings.binary()?, modules, scratch };
        std::fs::create_dir_all(bench.version())?;
        std::fs::create_dir(bench.out())?;
        std::fs::create_dir(bench.scratch.path().join("configuration"))?;
        let is_input = |name: &str| {
            !name.starts_with("modules.")
                || matches!(name, "modules.order" | "modules.builtin" | "modules.builtin.modinfo")
        };
        for entry in std::fs::read_dir(&bench.modules)? {
            let name = entry?.file_name();
            if name.to_str().is_some_and(is_input) {
                symlink(bench.modules.join(&name), bench.version().join(name))?;
            }
        }
        Ok(bench)
    }

    fn version(&self) -> PathBuf {
        self.scratch.path().join("lib/modules/1.0")
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }

    fn measure(&self, contender: Contender, is_first: bool) -> Result<Sample> {
        let mut command = match contender {
            Contender::Rootcast | Contender::OneThread => {
                let mut command = Command::new(&self.binary);
                command.arg("depmod").arg(&self.modules).arg("-q").arg("-o").arg(self.out());
                command
            }
            Contender::Depmod => {
                let mut command = Command::new("depmod");
                command.arg("-C").arg(self.scratch.path().join("configuration"));
                command.arg("-b").arg(self.scratch.path()).arg("1.0");
                command
            }
        };
        if contender == Contender::OneThread {
            command.args(["-j", "1"]);
        }
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let directory = if contender == Contender::Depmod { self.version() } else { self.out() };
        let sample = child::measure(&mut command, &directory.join("modules.dep"), false)?;
        if is_first && contender == Contender::Depmod {
            self.compare()?;
        }
        Ok(sample)
    }

    /// Compares the files of the contenders.
    fn compare(&self) -> Result<()> {
        let read = |directory: &Path, name: &str| {
            std::fs::read(directory.join(name)).with_context(|| name.to_owned())
        };
        for name in ["dep", "alias", "symbols", "softdep", "devname"].map(|part| format!("modules.{part}")) {
            ensure!(
                read(&self.out(), &name)? == read(&self.version(), &name)?,
                "{name} is not that of depmod"
            );
        }
        Ok(())
    }
}

/// Compares the indices of the modules in a directory.
pub(crate) fn compare(wanted: &Depmod) -> Result<()> {
    ensure!(wanted.modules.is_dir(), "{}: not a directory", wanted.modules.display());
    let bench = Bench::new(wanted)?;
    let plan = wanted.settings.plan();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}: {} runs", wanted.modules.display(), plan.runs)?;
    let records = rounds::run(&plan, &Contender::ALL, |contender, round| {
        bench.measure(contender, round == 0).map_err(|error| format!("{error:#}"))
    });
    write!(stdout, "{}", table(&records)?)?;
    Ok(())
}

/// Formats a line for each contender, with the ratio of the first to it.
fn table(records: &[Record<Contender>]) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "{:<14} {:>8} {:>8} {:>10} {:>9}", "", "wall", "cpu", "peak", "wall of")?;
    let Some(first) = records.first() else { return Ok(text) };
    for record in records {
        let name = record.tool.name();
        let Some((_, sample)) = record.samples.first() else {
            writeln!(text, "{name:<14} {}", record.failure.as_deref().unwrap_or("did not run"))?;
            continue;
        };
        let walls = values(record, |sample| sample.wall);
        let cpus = values(record, |sample| sample.user + sample.system);
        let ratio = pairwise(&values(first, |sample| sample.wall), &walls).unwrap_or(f64::NAN);
        let (wall, cpu, peak) = (middle(&walls), middle(&cpus), mebibytes(sample.peak_rss));
        writeln!(text, "{name:<14} {wall:>8.3} {cpu:>8.3} {peak:>10} {ratio:>9.3}")?;
    }
    Ok(text)
}

fn values(record: &Record<Contender>, of: fn(&Sample) -> Duration) -> Vec<(u32, f64)> {
    record.samples.iter().map(|(round, sample)| (*round, of(sample).as_secs_f64())).collect()
}

fn middle(values: &[(u32, f64)]) -> f64 {
    median(values.iter().map(|(_, value)| *value)).unwrap_or(f64::NAN)
}
