//! Packages of Debian, Ubuntu and their derivatives.
//!
//! ```text
//! specification, flags, apt's configuration ─▶ archives ─▶ Release ─▶ Packages ─▶ universe
//!                                                                                    │
//!                       Selection: names, versions, URLs, digests, reasons ◀─ resolver
//! ```

pub mod files;
pub mod index;
pub mod preferences;
pub mod relation;
pub mod resolve;
pub mod selected;
pub mod universe;
pub mod version;
