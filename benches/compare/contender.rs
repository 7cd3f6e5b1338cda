//! Shell commands that are compared, and the table of their measurements.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::child::{self, Sample};
use crate::report::mebibytes;
use crate::rounds::{self, Plan, Record};
use crate::statistics::{median, pairwise};

/// A shell command, and the program it needs besides rootcast.
#[derive(Clone, Copy)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) needs: &'static str,
    pub(crate) script: &'static str,
}

pub(crate) fn contender(name: &'static str, needs: &'static str, script: &'static str) -> Contender {
    Contender { name, needs, script }
}

/// The directory of dracut's programs.
const DRACUT: &str = "/usr/lib/dracut";

/// Returns true if a program is installed.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // An ordinary user's path may lack the second and the third.
    let others = [DRACUT, "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut directories = std::env::split_paths(&path).chain(others);
    directories.any(|directory| directory.join(program).is_file())
}

/// Measures each contender once a round: the command that `shell` returns for its script, which
/// writes `out`.
pub(crate) fn measure(
    contenders: &[Contender],
    plan: &Plan,
    out: &Path,
    shell: impl Fn(&str) -> Command,
) -> Vec<Record<&'static str>> {
    let names: Vec<&'static str> = contenders.iter().map(|contender| contender.name).collect();
    rounds::run(plan, &names, |name, _| {
        let contender = contenders.iter().find(|contender| contender.name == name);
        let Some(contender) = contender.filter(|contender| is_there(contender.needs)) else {
            return Err("its program is not installed".to_owned());
        };
        let sample = child::measure(&mut shell(contender.script), out, false);
        let removal = child::remove_output(out);
        sample.and_then(|sample| removal.map(|()| sample)).map_err(|error| format!("{error:#}"))
    })
}

/// Formats a line for each contender, with the ratio of the first to it.
pub(crate) fn table(records: &[Record<&'static str>]) -> Result<String> {
    let walls = |record: &Record<&str>| -> Vec<(u32, f64)> {
        record.samples.iter().map(|(round, sample)| (*round, sample.wall.as_secs_f64())).collect()
    };
    let of = |record: &Record<&str>, value: fn(&Sample) -> f64| {
        median(record.samples.iter().map(|(_, sample)| value(sample))).unwrap_or(0.0)
    };
    let mut text = String::new();
    writeln!(
        text,
        "{:<32} {:>8} {:>8} {:>10} {:>12}  {:>9} {:>9}",
        "", "wall", "cpu", "peak", "bytes", "wall of", "bytes of"
    )?;
    let Some(first) = records.first() else { return Ok(text) };
    for record in records {
        let Some((_, sample)) = record.samples.first() else {
            writeln!(text, "{:<32} {}", record.tool, record.failure.as_deref().unwrap_or("did not run"))?;
            continue;
        };
        let wall = of(record, |sample| sample.wall.as_secs_f64());
        let cpu = of(record, |sample| (sample.user + sample.system).as_secs_f64());
        let ratio = pairwise(&walls(first), &walls(record))
            .unwrap_or(of(first, |sample| sample.wall.as_secs_f64()) / wall);
        #[expect(clippy::cast_precision_loss, reason = "sizes of files, to two digits")]
        let sizes =
            first.samples.first().map_or(0.0, |(_, own)| own.apparent as f64 / sample.apparent as f64);
        writeln!(
            text,
            "{:<32} {wall:>8.3} {cpu:>8.2} {:>10} {:>12}  {ratio:>9.3} {sizes:>9.4}",
            record.tool,
            mebibytes(sample.peak_rss),
            sample.apparent,
        )?;
    }
    Ok(text)
}
