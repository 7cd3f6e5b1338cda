//! The messages and reports of the program.

mod bar;
mod check;
mod counts;
mod image;
mod initrd;
mod made;
pub mod version;

pub use bar::Bar;
pub use check::{CheckReport, FindingReport};
pub use counts::Counts;
pub use image::{Filesystem, ImageReport, Partition, Timings, Transfer};
pub use initrd::{AppendedFile, Archive, CacheUse, InitrdReport};
pub use made::{Making, Product};
