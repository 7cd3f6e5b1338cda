//! Archives judged by programs and readers that this crate has nothing to do with, and bad archives judged by
//! [`initramfs::check`].
//!
//! GNU cpio, bsdtar and `lsinitramfs` are called where they are installed; where they are missing, a line on standard error
//! says which judge was left out. The crate `cpio-archive` always reads everything back.
#![expect(clippy::disallowed_methods, reason = "judges run programs on files")]

mod compress;
mod extracted;
mod fixtures;
mod judge;
mod kernels;
mod layouts;
mod properties;
mod rules;
