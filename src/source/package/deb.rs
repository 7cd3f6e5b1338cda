//! Packages of Debian, Ubuntu and their derivatives.
//!
//! ```text
//! spec, options, apt's sources ─▶ archive: Release ─▶ indices ─▶ universe ─▶ resolve
//!                                                                               │
//!       vendor: a directory ◀─ selected: names, versions, URLs, digests, reasons ◀┘ select
//! ```

pub mod apt_config;
pub mod architecture;
pub mod archive;
pub mod files;
pub mod index;
pub mod options;
pub mod preferences;
pub mod relation;
pub mod resolve;
pub mod select;
pub mod selected;
pub mod spec;
pub mod universe;
pub mod vendor;
pub mod version;
