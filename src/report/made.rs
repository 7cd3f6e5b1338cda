//! What reports of everything that is made have in common. It begins and ends them.

use serde::Serialize;

use super::shown::JsonName;
use super::{Counts, Exclusion, Log, Timings, Transfer, version};
use crate::transform::hardlinks::Linked;

/// What was made, of what, and where it is. `L` is `u64` where the length is always known, or else `Option<u64>`.
#[derive(Clone, Debug, Serialize)]
pub struct Product<L> {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The name of how bytes are laid out.
    pub byte_layout: &'static str,
    /// What the tree was read from, as given, in order.
    pub sources: Vec<JsonName>,
    /// The file it was written to; none when it was not to be written.
    pub output: Option<JsonName>,
    /// Whether it was written: not when it was only planned or digested.
    pub written: bool,
    /// How its bytes came to be in the output; none when it was not written to a file.
    pub transfer: Option<Transfer>,
    /// Its length in bytes.
    pub size: L,
    /// Its SHA-256 in hexadecimal; none when it was not asked for.
    pub sha256: Option<String>,
}

impl<L> Product<L> {
    /// Notes that it was written. How its bytes came to be there is said of files.
    pub fn put(&mut self, transfer: Transfer) {
        self.written = true;
        self.transfer = self.output.is_some().then_some(transfer);
    }

    /// What is planned and not written yet.
    #[must_use]
    pub fn planned(
        byte_layout: &'static str,
        sources: Vec<JsonName>,
        output: Option<JsonName>,
        size: L,
    ) -> Self {
        let rootcast = version::VERSION;
        Self { rootcast, byte_layout, sources, output, written: false, transfer: None, size, sha256: None }
    }
}

/// How it was made.
#[derive(Clone, Debug, Serialize)]
pub struct Making {
    /// Which hard links were made or broken.
    pub hardlinks: Linked,
    /// What the tree holds.
    pub counts: Counts,
    /// How long each step took.
    pub timings: Timings,
    /// What of the source is not in it.
    pub exclusions: Vec<Exclusion>,
    /// What was warned of, in order.
    pub warnings: Vec<String>,
}

impl Making {
    /// Of such a tree; how long it took and what was told comes when it is done.
    #[must_use]
    pub fn of(counts: Counts, hardlinks: Linked) -> Self {
        let (exclusions, warnings) = (Vec::new(), Vec::new());
        Self { hardlinks, counts, timings: Timings::default(), exclusions, warnings }
    }

    /// Takes over what was told.
    pub fn told(&mut self, log: &Log) {
        (self.warnings, self.exclusions) = (log.warnings(), log.exclusions());
    }
}
