//! The flags of `rootcast check`.

use std::path::PathBuf;

use clap::Args;

use super::help::{Help, group};
use crate::recipe::initrd::{CheckRecipe, KernelFile};

/// Check that a kernel unpacks an initramfs
///
/// The rules are those of the kernel; findings have offsets. The exit code is 1 if a kernel would not accept all of it.
#[derive(Debug, Args)]
pub(super) struct CheckVerb {
    /// Initramfs, or - for standard input
    #[arg(value_name = "FILE", help_heading = group::INPUT)]
    file: PathBuf,

    #[command(flatten)]
    kernel: KernelArguments,

    /// Print a report as one JSON object with the findings
    ///
    /// Its schema is src/report/check.schema.json in the sources of rootcast.
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

/// The kernel that an initramfs is for.
#[derive(Debug, Args)]
pub(super) struct KernelArguments {
    /// Configuration of the kernel that it is for
    ///
    /// It lists the codecs that the kernel supports. Distributions install it as /boot/config-*.
    #[arg(long, value_name = "FILE", help_heading = group::GUEST)]
    kernel_config: Option<PathBuf>,

    /// Kernel that it is for, whose configuration is embedded in it (CONFIG_IKCONFIG)
    #[arg(long, value_name = "FILE", conflicts_with = "kernel_config", help_heading = group::GUEST)]
    kernel: Option<PathBuf>,
}

impl KernelArguments {
    /// Returns the source of the kernel's configuration.
    pub(super) fn file(self) -> Option<KernelFile> {
        match self.kernel_config {
            Some(config) => Some(KernelFile::Config(config)),
            None => self.kernel.map(KernelFile::Kernel),
        }
    }
}

pub(super) const HELP: Help = Help {
    verb: "check",
    usage: "rootcast check <FILE> [OPTIONS]",
    examples: &[
        "rootcast check /boot/initrd.img                    by the kernel's rules",
        "rootcast check initrd.img --kernel-config /boot/config-6.12",
        "rootcast check initrd.img --json",
    ],
    common: &["file", "kernel_config", "kernel", "json"],
};

impl CheckVerb {
    pub(super) fn recipe(self) -> CheckRecipe {
        CheckRecipe { file: self.file, kernel: self.kernel.file(), json: self.json }
    }
}
