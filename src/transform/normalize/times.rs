//! Clamps the times of files to a range.

use image_tree::{Metadata, Timestamp, Tree};

use crate::error::Result;
use crate::log::{self, Log};
use crate::shown::Count;

/// The range of times of files; none is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// The earliest time, to which earlier ones are raised: `--clamp-mtime-min`.
    pub earliest: Option<Timestamp>,
    /// The latest time, to which later ones are reduced: `SOURCE_DATE_EPOCH`.
    pub latest: Option<Timestamp>,
}

/// The number of inodes whose time was clamped, to be reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clamped(pub u64);

impl log::Report for Clamped {
    fn log(&self, log: &Log) {
        if self.0 > 0 {
            log.detail(format_args!("{} clamped", Count(self.0, "time was", "times were")));
        }
    }
}

/// Clamps the times of all files. A clamped time is a whole second; others keep their nanoseconds.
///
/// # Errors
/// Never; every transform has this signature.
pub fn apply<C>(tree: &mut Tree<C>, times: &Times) -> Result<Clamped> {
    Ok(Clamped(tree.all_metadata_mut().map(|metadata| u64::from(clamp(metadata, *times))).sum()))
}

/// Clamps the time of one file, and returns true if it changed.
pub(super) fn clamp(metadata: &mut Metadata, times: Times) -> bool {
    let clamped = match times {
        Times { earliest: Some(earliest), .. } if metadata.mtime < earliest => earliest,
        Times { latest: Some(latest), .. } if metadata.mtime > latest => latest,
        _ => return false,
    };
    metadata.mtime = clamped;
    true
}
