//! Which program this is.

use serde::Serialize;

use crate::recipe::BYTE_LAYOUT;
use crate::recipe::initrd::INITRAMFS_LAYOUT;

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `rootcast --version --json` prints.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Version {
    name: &'static str,
    version: &'static str,
    /// The name of how bytes of images are laid out: the same name, the same bytes for the same input.
    byte_layout: &'static str,
    /// The name of how bytes of initramfs are laid out.
    initramfs_layout: &'static str,
    architecture: &'static str,
}

impl Version {
    /// This program's.
    pub const THIS: Self = Self {
        name: env!("CARGO_PKG_NAME"),
        version: VERSION,
        byte_layout: BYTE_LAYOUT,
        initramfs_layout: INITRAMFS_LAYOUT,
        architecture: std::env::consts::ARCH,
    };
}
