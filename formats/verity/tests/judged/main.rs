//! Hash trees, superblocks and parity compared with those of `veritysetup`, and verified by it.
//!
//! If `veritysetup` is not installed, a line on standard error names the skipped judge; with
//! `ROOTCAST_REQUIRE_JUDGES=1` that is a failure. Properties of arbitrary data and pieces need no
//! judge.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

mod cases;
mod damage;
mod fec;
mod judge;
mod properties;
mod trees;
