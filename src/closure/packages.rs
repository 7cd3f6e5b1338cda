//! The packages that are installed in a tree, by its own package database.
//!
//! ```text
//!  var/lib/dpkg/status, status.d ─┐
//!  lib/apk/db/installed ──────────┼─▶ packages ──▶ selection ──▶ lists of files ──▶ requests
//!  rpmdb.sqlite ─▶ headers ───────┘   requires,      │  ▲             └──────────▶ owners of paths
//!                                     provides       └──┘ dependencies
//! ```
//!
//! Lists of files are read when they are needed: a distribution's are longer than everything else.

pub mod apk;
pub mod dpkg;
pub mod error;
mod installed;
mod model;
mod owners;
mod places;
mod providers;
mod read;
mod requests;
pub mod rpm;
mod select;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use model::{Capability, Listed, Package, Requirement};
pub use owners::{Owners, owners};
pub use requests::requests;
