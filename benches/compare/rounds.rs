//! The order of runs: every tool once in each round.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::child::Sample;
use crate::tool::Tool;

/// The number of rounds and the time limit for a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The number of counted rounds.
    pub(crate) runs: u32,
    /// The number of rounds before them.
    pub(crate) warmup: u32,
    /// A tool that took longer than this is not run again.
    pub(crate) patience: Duration,
    /// True if each run starts with an empty page cache.
    pub(crate) cold: bool,
}

/// The settings shared by the comparisons of one tree.
#[derive(clap::Args)]
pub(crate) struct Settings {
    /// Counted rounds; every contender runs once in each
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Rounds before the counted ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    warmup: u32,
    /// Directory for outputs, which are removed again [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// The rootcast binary to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    rootcast: Option<PathBuf>,
    /// Do not repeat a contender once it took longer than this
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    patience: u64,
}

impl Settings {
    pub(crate) fn plan(&self) -> Plan {
        let patience = Duration::from_secs(self.patience);
        Plan { runs: self.runs, warmup: self.warmup, patience, cold: false }
    }

    /// Returns the path of rootcast, after checking that it exists.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        let own = std::env::current_exe().context("this program's own path")?;
        let binary = self.rootcast.clone().unwrap_or_else(|| own.with_file_name("rootcast"));
        ensure!(binary.is_file(), "{}: no such file; build it with --release", binary.display());
        Ok(binary.canonicalize()?)
    }

    pub(crate) fn out_dir(&self) -> PathBuf {
        self.out_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// The results of one tool in all rounds.
#[derive(Clone, Debug)]
pub(crate) struct Record<T = Tool> {
    /// The tool.
    pub(crate) tool: T,
    /// The counted runs with the number of their round, warm-up rounds first.
    pub(crate) samples: Vec<(u32, Sample)>,
    /// The reason why the tool was excluded, if it was.
    pub(crate) failure: Option<String>,
    /// True if it exceeded the time limit and was excluded from later rounds.
    pub(crate) too_slow: bool,
}

/// Runs `tools` round by round; `run` is called with a tool and the number of the round, 0 being
/// the first.
pub(crate) fn run<T: Copy>(
    plan: &Plan,
    tools: &[T],
    mut run: impl FnMut(T, u32) -> std::result::Result<Sample, String>,
) -> Vec<Record<T>> {
    let new = |&tool: &T| Record { tool, samples: Vec::new(), failure: None, too_slow: false };
    let mut records: Vec<Record<T>> = tools.iter().map(new).collect();
    for round in 0..plan.warmup.saturating_add(plan.runs) {
        for record in &mut records {
            if record.too_slow || record.failure.is_some() {
                continue;
            }
            match run(record.tool, round) {
                Err(failure) => record.failure = Some(failure),
                Ok(sample) => {
                    record.too_slow = sample.wall > plan.patience;
                    // If the tool is too slow to repeat, its warm-up run is the only measurement.
                    if round >= plan.warmup || record.too_slow {
                        record.samples.push((round, sample));
                    }
                }
            }
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { runs: 2, warmup: 1, patience: Duration::from_secs(60), cold: false };

    fn taking(seconds: u64) -> Sample {
        Sample { wall: Duration::from_secs(seconds), ..Sample::default() }
    }

    #[test]
    fn rounds_are_interleaved_and_warmup_is_not_counted() {
        let mut order = Vec::new();
        let records = run(&PLAN, &[Tool::Rootcast, Tool::Tar], |tool, round| {
            order.push((round, tool));
            Ok(taking(u64::from(round) + 1))
        });
        let expected = [0, 1, 2].map(|round| [(round, Tool::Rootcast), (round, Tool::Tar)]);
        assert_eq!(order, expected.concat());
        assert_eq!(records[1].samples, [(1, taking(2)), (2, taking(3))]);
    }

    #[test]
    fn a_slow_tool_runs_once_and_counts() {
        let records = run(&PLAN, &[Tool::Mke2fs, Tool::Tar], |tool, _| {
            Ok(taking(if tool == Tool::Mke2fs { 400 } else { 1 }))
        });
        assert_eq!(records[0].samples, [(0, taking(400))]);
        assert!(records[0].too_slow);
        assert_eq!(records[1].samples.len(), 2);
    }

    #[test]
    fn a_failed_tool_is_kept_with_its_reason() {
        let mut calls = 0;
        let records = run(&PLAN, &[Tool::Mkext4], |_, _| {
            calls += 1;
            Err("gone".to_owned())
        });
        assert_eq!((calls, records[0].failure.as_deref()), (1, Some("gone")));
    }
}
