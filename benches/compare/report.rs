//! The printed report: the machine, and a table for each tree and output directory.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::census::Census;
use crate::child::Sample;
use crate::rounds::{Plan, Record};
use crate::statistics::{median, pairwise};
use crate::tool::{Programs, Tool};

/// The legend of the table.
pub(crate) const LEGEND: &str = "\
wall: median (min-max) of the runs, in seconds. cpu: median of user + system seconds. peak: median of peak memory.
size, allocated: of the output. /limit: median wall over the limit's. rootcast/it: rootcast's median wall over the
tool's, below 1 where rootcast is faster. pairwise: the same as the median of the ratios within each round.";

/// The machine and the versions of the tools.
pub(crate) struct Machine {
    cores: usize,
    kernel: String,
    load: String,
    versions: Vec<(&'static str, String)>,
}

impl Machine {
    /// Describes the current state of this machine.
    pub(crate) fn now(tools: &[Tool], programs: &Programs) -> Machine {
        let first_line = |path| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Machine {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            load: first_line("/proc/loadavg"),
            versions: programs.versions(tools),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cores, Linux {}, load {}", self.cores, self.kernel, self.load)?;
        for (name, version) in &self.versions {
            writeln!(f, "{name}: {version}")?;
        }
        if cfg!(debug_assertions) {
            writeln!(
                f,
                "BEWARE: a debug build, in which mkext4 and limit are slower than they are. Use --release."
            )?;
        }
        Ok(())
    }
}

/// The measurements of one tree into one output directory.
pub(crate) struct Table {
    tree: PathBuf,
    census: Census,
    out_dir: PathBuf,
    filesystem: String,
    plan: Plan,
    records: Vec<Record>,
}

impl Table {
    pub(crate) fn new(
        plan: &Plan,
        tree: &Path,
        census: Census,
        out_dir: &Path,
        records: Vec<Record>,
    ) -> Table {
        let filesystem = filesystem_of(out_dir);
        Table { tree: tree.to_owned(), census, out_dir: out_dir.to_owned(), filesystem, plan: *plan, records }
    }

    fn walls(&self, tool: Tool) -> Vec<(u32, f64)> {
        let record = self.records.iter().find(|record| record.tool == tool);
        let samples = record.map_or(&[][..], |record| &record.samples);
        samples.iter().map(|(round, sample)| (*round, sample.wall.as_secs_f64())).collect()
    }

    /// Returns the ratio of the median wall times of two tools.
    fn ratio(&self, a: Tool, b: Tool) -> Option<f64> {
        Some(middle(&self.walls(a))? / middle(&self.walls(b))?)
    }

    fn row(&self, record: &Record) -> [String; COLUMNS.len()] {
        let of = |value: fn(&Sample) -> f64| median(record.samples.iter().map(|(_, sample)| value(sample)));
        let bytes = |value: fn(&Sample) -> u64| {
            let mut values: Vec<u64> = record.samples.iter().map(|(_, sample)| value(sample)).collect();
            values.sort_unstable();
            values.get(values.len() / 2).map_or_else(dash, |bytes| mebibytes(*bytes))
        };
        let walls = self.walls(record.tool);
        let wall = middle(&walls).map_or_else(dash, |middle| {
            let values = || walls.iter().map(|(_, value)| *value);
            let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
            format!("{middle:.3} ({least:.3}-{most:.3})")
        });
        let user = of(|sample| sample.user.as_secs_f64());
        let system = of(|sample| sample.system.as_secs_f64());
        let cpu = user.zip(system).map_or_else(dash, |(user, system)| format!("{user:.2} + {system:.2}"));
        let itself = record.tool == Tool::Rootcast;
        let against = |ratio: Option<f64>| if itself { dash() } else { ratio.map_or_else(dash, two_digits) };
        [
            record.tool.name().to_owned(),
            wall,
            cpu,
            bytes(|sample| sample.peak_rss),
            bytes(|sample| sample.apparent),
            bytes(|sample| sample.allocated),
            self.ratio(record.tool, Tool::Limit).map_or_else(dash, two_digits),
            against(self.ratio(Tool::Rootcast, record.tool)),
            against(pairwise(&self.walls(Tool::Rootcast), &walls)),
        ]
    }

    fn json(&self) -> Value {
        let sample = |(round, sample): &(u32, Sample)| {
            json!({
                "round": round,
                "wall_seconds": sample.wall.as_secs_f64(),
                "user_seconds": sample.user.as_secs_f64(),
                "system_seconds": sample.system.as_secs_f64(),
                "peak_rss_bytes": sample.peak_rss,
                "apparent_bytes": sample.apparent,
                "allocated_bytes": sample.allocated,
            })
        };
        let record = |record: &Record| {
            json!({
                "tool": record.tool.name(),
                "failure": record.failure,
                "too_slow": record.too_slow,
                "runs": record.samples.iter().map(sample).collect::<Vec<_>>(),
            })
        };
        json!({
            "tree": self.tree.display().to_string(),
            "files": self.census.files,
            "bytes": self.census.bytes,
            "directories": self.census.directories,
            "others": self.census.others,
            "out_dir": self.out_dir.display().to_string(),
            "filesystem": self.filesystem,
            "tools": self.records.iter().map(record).collect::<Vec<_>>(),
        })
    }
}

const COLUMNS: [&str; 9] =
    ["tool", "wall", "cpu", "peak", "size", "allocated", "/limit", "rootcast/it", "pairwise"];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Census { files, bytes, directories, others, .. } = self.census;
        writeln!(
            f,
            "{}: {files} files of {bytes} bytes, {directories} directories, {others} others",
            self.tree.display()
        )?;
        let cache = if self.plan.cold { "dropped before each run" } else { "warm" };
        writeln!(
            f,
            "into {} ({}), {} runs after {} of warm-up, page cache {cache}",
            self.out_dir.display(),
            self.filesystem,
            self.plan.runs,
            self.plan.warmup,
        )?;
        let measured = self.records.iter().filter(|record| !record.samples.is_empty());
        let rows: Vec<_> =
            [COLUMNS.map(str::to_owned)].into_iter().chain(measured.map(|r| self.row(r))).collect();
        for row in &rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
                // Names are left-aligned, numbers right-aligned.
                line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            }
            writeln!(f, "{line}")?;
        }
        for record in &self.records {
            let name = record.tool.name();
            if let Some(failure) = &record.failure {
                writeln!(f, "{name} left out after {} counted runs: {failure}", record.samples.len())?;
            }
            if record.too_slow {
                let (runs, patience) = (record.samples.len(), self.plan.patience.as_secs());
                writeln!(
                    f,
                    "{name} took more than the {patience} s of --patience and ran {runs} time(s) only"
                )?;
            }
        }
        Ok(())
    }
}

/// Returns all measurements in machine-readable form.
pub(crate) fn json(machine: &Machine, plan: &Plan, tables: &[Table]) -> Value {
    let versions: serde_json::Map<String, Value> =
        machine.versions.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
    json!({
        "cores": machine.cores,
        "kernel": machine.kernel,
        "load": machine.load,
        "debug_build": cfg!(debug_assertions),
        "versions": versions,
        "runs": plan.runs,
        "warmup": plan.warmup,
        "patience_seconds": plan.patience.as_secs(),
        "cold": plan.cold,
        "tables": tables.iter().map(Table::json).collect::<Vec<_>>(),
    })
}

/// Formats a number of bytes in MiB with one decimal.
pub(crate) fn mebibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + (1 << 19)) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn middle(values: &[(u32, f64)]) -> Option<f64> {
    median(values.iter().map(|(_, value)| *value))
}

fn two_digits(ratio: f64) -> String {
    format!("{ratio:.2}")
}

fn dash() -> String {
    "-".to_owned()
}

/// Returns the type of the filesystem that holds `path`.
fn filesystem_of(path: &Path) -> String {
    // The magic numbers of linux/magic.h.
    let known = [
        (0x0102_1994_i128, "tmpfs"),
        (0xef53, "ext2/3/4"),
        (0x5846_5342, "xfs"),
        (0x9123_683e, "btrfs"),
        (0x794c_7630, "overlayfs"),
        (0x2fc1_2fc1, "zfs"),
    ];
    match rustix::fs::statfs(path) {
        Err(error) => error.to_string(),
        Ok(statfs) => {
            let magic = i128::from(statfs.f_type);
            let name = known.iter().find(|(number, _)| *number == magic);
            name.map_or_else(|| format!("filesystem {magic:#x}"), |(_, name)| (*name).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn record(tool: Tool, millis: &[u64]) -> Record {
        let sample = |(round, millis): (u32, &u64)| {
            let wall = Duration::from_millis(*millis);
            (round, Sample { wall, apparent: 512 << 20, peak_rss: 3 << 19, ..Sample::default() })
        };
        Record { tool, samples: (1..).zip(millis).map(sample).collect(), failure: None, too_slow: false }
    }

    fn table(records: Vec<Record>) -> Table {
        let plan = Plan { runs: 3, warmup: 1, patience: Duration::from_secs(60), cold: false };
        Table::new(&plan, Path::new("/tree"), Census::default(), Path::new("/"), records)
    }

    #[test]
    fn ratios_above_one_favour_rootcast() {
        let records = vec![
            record(Tool::Rootcast, &[100, 200, 100]),
            record(Tool::Mke2fs, &[400, 800, 500]),
            record(Tool::Limit, &[80, 160, 80]),
        ];
        let table = table(records);
        let row = table.row(&table.records[0]);
        assert_eq!(row[1], "0.100 (0.100-0.200)");
        assert_eq!(row[3..5], ["1.5 MiB", "512.0 MiB"]);
        assert_eq!(row[6..], ["1.25", "-", "-"]);
        assert_eq!(table.row(&table.records[1])[6..], ["6.25", "0.20", "0.25"]);
    }

    #[test]
    fn tools_that_did_not_run_are_reported() {
        let mut gone = record(Tool::Mkext4, &[]);
        gone.failure = Some("gone".to_owned());
        let mut slow = record(Tool::Mke2fs, &[400_000]);
        slow.too_slow = true;
        let text = table(vec![gone, slow]).to_string();
        assert!(text.contains("mkext4 left out after 0 counted runs: gone"), "{text}");
        assert!(text.contains("60 s of --patience and ran 1 time(s) only"), "{text}");
    }

    #[test]
    fn bytes_are_rounded_to_mebibytes() {
        assert_eq!(mebibytes(0), "0.0 MiB");
        assert_eq!(mebibytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(mebibytes(u64::MAX), "17592186044416.0 MiB");
    }

    #[test]
    fn filesystems_are_named() {
        assert_eq!(filesystem_of(Path::new("/dev/shm")), "tmpfs");
        assert!(filesystem_of(Path::new("/proc")).starts_with("filesystem 0x"));
    }
}
