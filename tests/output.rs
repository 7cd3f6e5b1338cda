//! Outputs: files, devices and reflinks, and what failed or interrupted runs leave of them.

mod devices;
pub(crate) mod failures;
mod files;
pub(crate) mod reflinks;
mod signals;
