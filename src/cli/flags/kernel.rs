//! Flags of the kernel that an initramfs or filesystem is for.

use std::path::PathBuf;

use clap::Args;

use crate::cli::help::group;
use crate::recipe::initrd::KernelFile;

/// The kernel that an initramfs or filesystem is for.
#[derive(Debug, Args)]
pub(in crate::cli) struct KernelArguments {
    /// Configuration of the kernel that it is for
    ///
    /// It lists the codecs and filesystems that the kernel supports. Distributions install it as /boot/config-*.
    #[arg(long, value_name = "FILE", help_heading = group::GUEST)]
    kernel_config: Option<PathBuf>,

    /// Kernel that it is for
    ///
    /// Its configuration must be embedded in it, as with CONFIG_IKCONFIG.
    #[arg(long, value_name = "FILE", conflicts_with = "kernel_config", help_heading = group::GUEST)]
    kernel: Option<PathBuf>,
}

impl KernelArguments {
    /// Returns a flag that was given.
    pub(in crate::cli) fn given(&self) -> Option<&'static str> {
        let config = self.kernel_config.as_ref().map(|_| "--kernel-config");
        config.or(self.kernel.as_ref().map(|_| "--kernel"))
    }

    /// Returns the source of the kernel's configuration.
    pub(in crate::cli) fn file(self) -> Option<KernelFile> {
        match self.kernel_config {
            Some(config) => Some(KernelFile::Config(config)),
            None => self.kernel.map(KernelFile::Kernel),
        }
    }
}
