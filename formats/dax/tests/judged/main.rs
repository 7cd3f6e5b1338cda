//! Info blocks read and written by `ndctl`, and properties of arbitrary ones.
//!
//! If `ndctl` is not installed, a line on standard error names the skipped judge; with
//! `ROOTCAST_REQUIRE_JUDGES=1` that is a failure.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

mod ndctl;
mod properties;
