//! What the program says while and after it works.

mod counts;
mod image;
mod log;
pub mod progress;
pub mod version;

pub use counts::Counts;
pub use image::{Filesystem, ImageReport, Partition, Range, Timings, Transfer};
pub use log::{Exclusion, Level, Log};
