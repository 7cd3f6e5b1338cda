//! The seam between `image` and the formats of filesystems.
//!
//! ```text
//! recipe ──▶ Filesystem ──properties──▶ how the tree is prepared: holes, shared blocks, lost+found
//!                 │
//!                 └─plan(tree, seed, place on the disk)──▶ PlannedFilesystem: an Image, and a report
//! ```
//!
//! Each format is a module here, one in `recipe/filesystem` (its options as data) and one in
//! `cli/flags/filesystem` (its flags). Nothing else knows a format: `image` prepares the tree by
//! the [`Properties`], and passes on the report.

pub mod advice;
pub mod erofs;
pub mod ext4;
mod label;
mod plan;
mod report;
mod size;

use std::ops::RangeInclusive;

pub use label::{Label, LabelError};
pub use plan::{Filesystem, PlanRequest, PlannedFilesystem, Properties, Work};
pub use report::FilesystemReport;
pub use size::Size;

/// The seconds since 1970 that at least one format can represent. A format with fewer refuses the
/// files of other times.
pub const TIME_RANGE: RangeInclusive<i64> = ext4::TIME_RANGE;

/// The number of names that a file can have in every format: the limit for trees of which none is
/// planned.
pub const MAX_LINKS: u64 = ext4::MAX_LINKS;

/// The name of the byte layout of the default format.
pub const BYTE_LAYOUT: &str = ext4::BYTE_LAYOUT;
