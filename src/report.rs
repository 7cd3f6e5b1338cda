//! The messages and reports of the program.

mod artifact;
#[cfg(feature = "cli")]
mod bar;
mod check;
mod closure;
mod container;
mod counts;
mod export;
mod image;
mod initrd;
pub mod kata;
mod package;
mod product;
mod recipe;
pub mod sbom;
mod seconds;
mod selection;
mod tar;
mod verity;
pub mod version;

pub use artifact::{Artifact, BuildInfo, Timings, Transfer};
#[cfg(feature = "cli")]
pub use bar::{Bar, Bars};
pub use check::{CheckReport, FindingReport};
pub use closure::{ClosureReport, ClosureTimings, KeptName, KeptReason};
pub use container::ContainerReport;
pub use counts::Counts;
pub use export::{ExportReport, ExportedLayer};
pub use image::{ImageReport, Partition, PartitionReport};
pub use initrd::{AppendedFile, Archive, CacheUse, InitrdReport};
pub use package::PackageReport;
pub use product::Report;
pub use recipe::{RecipeFlag, RecipeReport};
pub use selection::SelectionReport;
pub use tar::{TarArchive, TarReport};
pub use verity::{FecReport, VerityReport};
