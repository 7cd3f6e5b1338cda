//! The version of the program.

use serde::Serialize;

use crate::filesystem::BYTE_LAYOUT;
use crate::recipe::initrd::INITRAMFS_LAYOUT;

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the form of all reports as JSON: it is raised when a member is removed, renamed or
/// changes its meaning, and not when one is added.
pub const REPORT_VERSION: u32 = 1;

/// The output of `rootcast --version --json`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Version {
    name: &'static str,
    version: &'static str,
    /// The name of the byte layout of images: the same name means the same bytes for the same
    /// input.
    byte_layout: &'static str,
    /// The name of the byte layout of initramfs.
    initramfs_layout: &'static str,
    architecture: &'static str,
}

impl Version {
    /// The version of this program.
    pub const THIS: Self = Self {
        name: env!("CARGO_PKG_NAME"),
        version: VERSION,
        byte_layout: BYTE_LAYOUT,
        initramfs_layout: INITRAMFS_LAYOUT,
        architecture: std::env::consts::ARCH,
    };
}
