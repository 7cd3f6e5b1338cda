//! The messages and reports of the program.

mod check;
mod counts;
mod image;
mod initrd;
mod log;
mod made;
pub mod progress;
pub mod shown;
pub mod version;

pub use check::{CheckReport, FindingReport};
pub use counts::Counts;
pub use image::{Filesystem, ImageReport, Partition, Range, Timings, Transfer};
pub use initrd::{AppendedFile, Archive, CacheUse, InitrdReport};
pub use log::{Exclusion, Level, Log};
pub use made::{Making, Product};
