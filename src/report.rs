//! The messages and reports of the program.

mod artifact;
mod bar;
mod check;
mod closure;
mod container;
mod counts;
mod export;
mod image;
mod initrd;
pub mod kata;
mod recipe;
mod seconds;
mod tar;
mod verity;
pub mod version;

pub use artifact::{Artifact, BuildInfo, Timings, Transfer};
pub use bar::Bar;
pub use check::{CheckReport, FindingReport};
pub use closure::{ClosureReport, ClosureTimings, KeptName, KeptReason};
pub use container::ContainerReport;
pub use counts::Counts;
pub use export::{ExportReport, ExportedLayer};
pub use image::{ImageReport, Partition, PartitionReport};
pub use initrd::{AppendedFile, Archive, CacheUse, InitrdReport};
pub use recipe::{RecipeFlag, RecipeReport};
pub use tar::{TarArchive, TarReport};
pub use verity::{FecReport, VerityReport};
