//! The common parts of all reports on products, at their beginning and end.

use serde::Serialize;

use super::{Counts, Timings, Transfer, version};
use crate::log::{Exclusion, Log};
use crate::shown::JsonName;
use crate::transform::hardlinks::Linked;

/// The product, its sources and its destination. `L` is `u64` if the length is always known, or
/// else `Option<u64>`.
#[derive(Clone, Debug, Serialize)]
pub struct Product<L> {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The name of the byte layout.
    pub byte_layout: &'static str,
    /// The sources of the tree, as given, in order.
    pub sources: Vec<JsonName>,
    /// The output file; `None` if it is not to be written.
    pub output: Option<JsonName>,
    /// True if it was written, false if it was only planned or hashed.
    pub written: bool,
    /// The numbers of bytes cloned, copied and left as holes; `None` if it was not written to a
    /// file.
    pub transfer: Option<Transfer>,
    /// The length in bytes.
    pub size: L,
    /// The SHA-256 in hexadecimal; `None` if it was not requested.
    pub sha256: Option<String>,
}

impl<L> Product<L> {
    /// Records that it was written. `transfer` is kept for files only.
    pub fn put(&mut self, transfer: Transfer) {
        self.written = true;
        self.transfer = self.output.is_some().then_some(transfer);
    }

    /// Returns a product that is planned and not yet written.
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

/// The common final part of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Making {
    /// The hard links that were made or broken.
    pub hardlinks: Linked,
    /// The numbers of files in the tree.
    pub counts: Counts,
    /// The duration of each step.
    pub timings: Timings,
    /// The parts of the source that were excluded.
    pub exclusions: Vec<Exclusion>,
    /// The warnings, in order.
    pub warnings: Vec<String>,
}

impl Making {
    /// Returns the part for such a tree; timings, exclusions and warnings are added at the end.
    #[must_use]
    pub fn of(counts: Counts, hardlinks: Linked) -> Self {
        let (exclusions, warnings) = (Vec::new(), Vec::new());
        Self { hardlinks, counts, timings: Timings::default(), exclusions, warnings }
    }

    /// Copies the warnings and exclusions of a log.
    pub fn told(&mut self, log: &Log) {
        (self.warnings, self.exclusions) = (log.warnings(), log.exclusions());
    }
}
