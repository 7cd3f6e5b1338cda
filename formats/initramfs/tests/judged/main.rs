//! Tests of archives with programs and readers independent of this crate, and of invalid archives
//! with [`initramfs::check`].
//!
//! GNU cpio, bsdtar and `lsinitramfs` are called where they are installed; where they are missing,
//! a line on standard error names the skipped judge. The crate `cpio-archive` always reads
//! everything back.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

mod compress;
mod extracted;
mod fixtures;
mod judge;
mod kernels;
mod layouts;
mod properties;
mod rules;
