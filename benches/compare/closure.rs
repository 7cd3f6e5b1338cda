//! Compares closures with similar tools: `lddtree` and `ldd`.
//!
//! ```text
//! compare closure /
//! compare closure --runs 7 --out-dir /dev/shm /var/tmp/trees/debian
//! ```
//!
//! The closure of every ELF file in the tree's `/usr/bin` is computed:
//!
//! | contender              | what it does                                                                              |
//! |------------------------|-------------------------------------------------------------------------------------------|
//! | `rootcast`             | `rootcast closure`, once for all; without what only rootcast knows: `--nss`, `--dlopen`, `--known` |
//! | `rootcast, by default` | the same with name services and what programs open when they run, such as Python's library |
//! | `ldd, one by one`      | `ldd FILE` for each: the dynamic linker of the tree itself, by chroot as root |
//! | `ldd, all at once`     | `ldd FILE…`, a shell script that starts the dynamic linker for each                               |
//! | `lddtree`              | `lddtree -R TREE -l FILE…` of pax-utils, once for all, which parses each library once      |
//!
//! Scanning the tree is included in rootcast's time, whatever else the tree contains. In the
//! warm-up the resolved libraries of the contenders are compared, and differences are printed.
//!
//! If the tree has systemd, its closure with `multi-user.target` and everything that this pulls in
//! is measured too, with separate times for scanning and closing as reported by `--json`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::child::{self, Sample};
use crate::report::mebibytes;
use crate::rounds::{self, Plan, Record, Settings};
use crate::statistics::{median, pairwise};

/// The tree to compare on, and the settings.
#[derive(clap::Args)]
pub(crate) struct Closure {
    /// The root to close over the programs of: / or another
    tree: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Rootcast,
    Default,
    OneByOne,
    AllAtOnce,
    Lddtree,
}

impl Contender {
    /// All contenders, rootcast first.
    const ALL: [Self; 5] = [Self::Rootcast, Self::Default, Self::OneByOne, Self::AllAtOnce, Self::Lddtree];

    fn name(self) -> &'static str {
        match self {
            Self::Rootcast => "rootcast",
            Self::Default => "rootcast, by default",
            Self::OneByOne => "ldd, one by one",
            Self::AllAtOnce => "ldd, all at once",
            Self::Lddtree => "lddtree",
        }
    }

    /// Returns a shell command, whose arguments are the files.
    fn script(self) -> &'static str {
        match self {
            Self::Rootcast => {
                "exec \"$BINARY\" closure \"$TREE\" --nss no --dlopen none --known none \"$@\" > \"$OUT\""
            }
            Self::Default => "exec \"$BINARY\" closure \"$TREE\" \"$@\" > \"$OUT\"",
            // ldd reports a static program as an error.
            Self::OneByOne => "for file do $IN ldd \"$file\" || :; done > \"$OUT\" 2> \"$OUT.messages\"",
            Self::AllAtOnce => "$IN ldd \"$@\" > \"$OUT\" 2> \"$OUT.messages\" || :",
            Self::Lddtree => "exec lddtree -R \"$TREE\" -l \"$@\" > \"$OUT\"",
        }
    }

    fn is_rootcast(self) -> bool {
        matches!(self, Self::Rootcast | Self::Default)
    }
}

/// Compares the closures of the programs in `/usr/bin`, and prints the time for that of systemd.
pub(crate) fn compare(wanted: &Closure) -> Result<()> {
    ensure!(wanted.tree.is_dir(), "{}: not a directory", wanted.tree.display());
    let (binary, out_dir) = (wanted.settings.binary()?, wanted.settings.out_dir());
    let scratch = tempfile::Builder::new().prefix("compare-").tempdir_in(&out_dir)?;
    let tree = wanted.tree.canonicalize()?;
    let programs = programs(&tree)?;
    ensure!(!programs.is_empty(), "{}: no ELF file in its /usr/bin", tree.display());
    let bench = Bench { tree, binary, programs, out: scratch.path().join("out") };
    let plan = wanted.settings.plan();
    let mut stdout = std::io::stdout();
    let count = bench.programs.len();
    writeln!(stdout, "{}: {count} ELF files in /usr/bin, {} runs", wanted.tree.display(), plan.runs)?;
    let mut named = BTreeMap::new();
    let records = rounds::run(&plan, &Contender::ALL, |contender, round| {
        bench.measure(contender, round == 0, &mut named).map_err(|error| format!("{error:#}"))
    });
    write!(stdout, "{}", table(&records)?)?;
    write!(stdout, "{}", differences(&named)?)?;
    if bench.tree.join("usr/lib/systemd/systemd").exists() {
        let phases = bench.systemd(&plan)?;
        write!(stdout, "\n{phases}")?;
    }
    Ok(())
}

/// Returns the ELF files in `/usr/bin` by their paths inside the tree, without links.
fn programs(tree: &Path) -> Result<Vec<PathBuf>> {
    let directory = tree.join("usr/bin");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let mut magic = [0; 4];
        if entry.file_type()?.is_file() {
            let read = std::fs::File::open(entry.path())?.read_exact(&mut magic);
            if read.is_ok() && magic == *b"\x7fELF" {
                found.push(Path::new("/usr/bin").join(entry.file_name()));
            }
        }
    }
    found.sort();
    Ok(found)
}

struct Bench {
    tree: PathBuf,
    binary: PathBuf,
    programs: Vec<PathBuf>,
    out: PathBuf,
}

/// The libraries reported by each contender, as files of the tree.
type Named = BTreeMap<&'static str, BTreeSet<PathBuf>>;

impl Bench {
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        // lddtree is a script for the system's Python, and ldd one for its shell.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.arg("-c").arg(script).arg("sh");
        command.env("TREE", &self.tree).env("BINARY", &self.binary).env("OUT", &self.out);
        if self.tree != Path::new("/") {
            command.env("IN", format!("chroot {}", self.tree.display()));
        }
        command
    }

    fn measure(&self, contender: Contender, is_first: bool, named: &mut Named) -> Result<Sample> {
        let mut command = self.shell(contender.script());
        for program in &self.programs {
            match contender.is_rootcast() {
                true => _ = command.arg("--keep").arg(quoted(program)),
                false => _ = command.arg(program),
            }
        }
        let sample = child::measure(&mut command, &self.out, false)?;
        if is_first {
            named.insert(contender.name(), self.libraries(contender)?);
        }
        child::remove_output(&self.out)?;
        Ok(sample)
    }

    /// Returns the ELF files in the output, without the requested ones.
    fn libraries(&self, contender: Contender) -> Result<BTreeSet<PathBuf>> {
        let output = std::fs::read(&self.out)?;
        let prefix = if contender == Contender::Lddtree && self.tree != Path::new("/") {
            self.tree.as_os_str().as_bytes()
        } else {
            b""
        };
        let root = rustix::fs::open(&self.tree, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let lines = output.split(|byte| *byte == b'\n');
        let paths = lines.filter_map(|line| path_of(line, contender)?.strip_prefix(prefix));
        let files = paths.filter_map(|path| elf_file(&root, &self.tree, Path::new(OsStr::from_bytes(path))));
        Ok(files.filter(|file| self.programs.binary_search(file).is_err()).collect())
    }

    /// Measures the times for scanning and closing, as reported by rootcast.
    fn systemd(&self, plan: &Plan) -> Result<String> {
        let script = "exec \"$BINARY\" closure \"$TREE\" --json --missing warn --keep /usr/lib/systemd/systemd \
                      --keep-unit multi-user.target --follow-units all > \"$OUT\"";
        let mut phases = [("wall", Vec::new()), ("scanning", Vec::new()), ("closing", Vec::new())];
        let mut kept = 0;
        for round in 0..plan.warmup.saturating_add(plan.runs) {
            let sample = child::measure(&mut self.shell(script), &self.out, false)?;
            let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&self.out)?)?;
            child::remove_output(&self.out)?;
            kept = report["kept"].as_array().map_or(0, Vec::len);
            let said = |phase: &str| report["timings"][phase].as_f64().context("a report without timings");
            let took = [sample.wall.as_secs_f64(), said("read_seconds")?, said("close_seconds")?];
            if round >= plan.warmup {
                phases.iter_mut().zip(took).for_each(|((_, values), took)| values.push((round, took)));
            }
        }
        let mut text = format!("systemd and multi-user.target: {kept} names kept\n");
        for (phase, values) in &phases {
            writeln!(text, "{phase:<24} {:>20}", spread(values))?;
        }
        Ok(text)
    }
}

/// Escapes a path for `--keep`, in which `[` starts a pattern.
fn quoted(path: &Path) -> OsString {
    let bytes = path.as_os_str().as_bytes().iter();
    let quoted =
        bytes.flat_map(|byte| if b"*?[".contains(byte) { vec![b'[', *byte, b']'] } else { vec![*byte] });
    OsString::from_vec(quoted.collect())
}

/// Returns the path in a line of output: all of it, or for `ldd` the part between `=> ` and `
/// (0x…)`.
fn path_of(line: &[u8], contender: Contender) -> Option<&[u8]> {
    let path = match contender {
        Contender::OneByOne | Contender::AllAtOnce => {
            let line = line.strip_prefix(b"\t")?;
            let end = line.windows(4).rposition(|part| part == b" (0x")?;
            let start = line.windows(4).position(|part| part == b" => ").map_or(0, |arrow| arrow + 4);
            line.get(start..end)?
        }
        _ => line,
    };
    path.starts_with(b"/").then_some(path)
}

/// Resolves a path of the tree to an ELF file, by its path without links.
fn elf_file(root: &impl AsFd, tree: &Path, path: &Path) -> Option<PathBuf> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
    let mut file = std::fs::File::from(file);
    let mut magic = [0; 4];
    file.read_exact(&mut magic).ok().filter(|()| magic == *b"\x7fELF")?;
    let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    real.strip_prefix(tree).ok().map(|inside| Path::new("/").join(inside))
}

/// Formats a line for each contender, with the ratio of the first to it.
fn table(records: &[Record<Contender>]) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "{:<24} {:>20} {:>8} {:>10}  {:>8} {:>8}",
        "", "wall", "cpu", "peak", "wall of", "cpu of"
    )?;
    let Some(first) = records.first() else { return Ok(text) };
    for record in records {
        let name = record.tool.name();
        let Some((_, sample)) = record.samples.first() else {
            writeln!(text, "{name:<24} {}", record.failure.as_deref().unwrap_or("did not run"))?;
            continue;
        };
        let (walls, cpus) =
            (values(record, |sample| sample.wall), values(record, |sample| sample.user + sample.system));
        let ratio = |of: fn(&Sample) -> Duration, own: &[(u32, f64)]| {
            pairwise(&values(first, of), own).unwrap_or(f64::NAN)
        };
        let (wall, cpu) = (spread(&walls), middle(&cpus));
        let wall_of = ratio(|sample| sample.wall, &walls);
        let cpu_of = ratio(|sample| sample.user + sample.system, &cpus);
        let peak = mebibytes(sample.peak_rss);
        writeln!(text, "{name:<24} {wall:>20} {cpu:>8.3} {peak:>10}  {wall_of:>8.4} {cpu_of:>8.4}")?;
    }
    Ok(text)
}

fn values(record: &Record<Contender>, of: fn(&Sample) -> Duration) -> Vec<(u32, f64)> {
    record.samples.iter().map(|(round, sample)| (*round, of(sample).as_secs_f64())).collect()
}

fn middle(values: &[(u32, f64)]) -> f64 {
    median(values.iter().map(|(_, value)| *value)).unwrap_or(f64::NAN)
}

/// Formats the median in seconds, with the minimum and the maximum.
fn spread(values: &[(u32, f64)]) -> String {
    let least = values.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let most = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    format!("{:.3} ({least:.3}-{most:.3})", middle(values))
}

/// Formats the number of libraries of each contender, and the differences to those of rootcast.
fn differences(named: &Named) -> Result<String> {
    let mut text = String::new();
    let own = named.get(Contender::Rootcast.name()).cloned().unwrap_or_default();
    for contender in Contender::ALL {
        let Some(libraries) = named.get(contender.name()) else { continue };
        let more = shown(libraries.difference(&own));
        let less = shown(own.difference(libraries));
        let (name, count) = (contender.name(), libraries.len());
        writeln!(text, "{name}: {count} libraries{}{}", named_if("more", &more), named_if("fewer", &less))?;
    }
    Ok(text)
}

fn named_if(which: &str, paths: &[String]) -> String {
    const SHOWN: usize = 10;
    match paths.len() {
        0 => String::new(),
        count => format!("; {count} {which}: {}", paths[..count.min(SHOWN)].join(" ")),
    }
}

fn shown<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<String> {
    paths.map(|path| path.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed_from_lines() {
        let ldd = |line: &'static str| path_of(line.as_bytes(), Contender::OneByOne);
        assert_eq!(ldd("\tlibc.so.6 => /lib/libc.so.6 (0x00007f5525b78000)"), Some(&b"/lib/libc.so.6"[..]));
        assert_eq!(ldd("\t/lib64/ld.so.2 (0x00007f5525d78000)"), Some(&b"/lib64/ld.so.2"[..]));
        for none in [
            "\tlinux-vdso.so.1 (0x00007f5525d76000)",
            "\tlibx.so => not found",
            "/usr/bin/apt:",
            "",
            "\tstatically linked",
        ] {
            assert_eq!(ldd(none), None, "{none}");
        }
        assert_eq!(path_of(b"/usr/lib/x", Contender::Lddtree), Some(&b"/usr/lib/x"[..]));
    }

    #[test]
    fn names_are_not_used_as_patterns() {
        assert_eq!(quoted(Path::new("/usr/bin/[")), "/usr/bin/[[]");
        assert_eq!(quoted(Path::new("/usr/bin/g++")), "/usr/bin/g++");
    }

    #[test]
    fn differences_are_reported() {
        let set = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        let named = [
            ("rootcast", set(&["/a", "/b"])),
            ("lddtree", set(&["/b", "/c"])),
            ("ldd, one by one", set(&["/a", "/b"])),
        ];
        let text = differences(&named.into()).unwrap();
        assert_eq!(
            text,
            "rootcast: 2 libraries\nldd, one by one: 2 libraries\nlddtree: 2 libraries; 1 more: /c; 1 fewer: /a\n"
        );
    }

    #[test]
    fn files_are_found_by_their_real_paths() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().canonicalize().unwrap();
        std::fs::create_dir_all(tree.join("usr/lib")).unwrap();
        std::fs::write(tree.join("usr/lib/liba.so"), b"\x7fELF and more").unwrap();
        std::fs::write(tree.join("usr/lib/text"), b"text").unwrap();
        std::os::unix::fs::symlink("/usr/lib", tree.join("lib")).unwrap();
        let root = rustix::fs::open(&tree, OFlags::PATH, Mode::empty()).unwrap();
        let found = |path: &str| elf_file(&root, &tree, Path::new(path));
        assert_eq!(found("/lib/liba.so"), Some(PathBuf::from("/usr/lib/liba.so")));
        assert_eq!((found("/lib/text"), found("/lib/none")), (None, None));
    }
}
