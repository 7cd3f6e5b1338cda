//! The messages and reports of the program.

mod artifact;
mod bar;
mod check;
mod counts;
mod image;
mod initrd;
pub mod version;

pub use artifact::{Artifact, BuildInfo, Timings, Transfer};
pub use bar::Bar;
pub use check::{CheckReport, FindingReport};
pub use counts::Counts;
pub use image::{ImageReport, Partition};
pub use initrd::{AppendedFile, Archive, CacheUse, InitrdReport};
