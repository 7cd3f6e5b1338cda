//! Tests of archives with programs independent of this crate: GNU tar, bsdtar and Python unpack
//! them as root, and the trees are compared.
//!
//! If a program is missing, a line on standard error names the skipped judge.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

mod fixtures;
mod judge;
mod layouts;
mod listed;
mod unpacked;
