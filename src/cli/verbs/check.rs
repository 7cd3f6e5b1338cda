//! `rootcast check`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::flags::kernel::KernelArguments;
use crate::cli::help::{Help, group};
use crate::recipe::initrd::CheckRecipe;

/// Check that a kernel unpacks an initramfs
///
/// The rules are those of the kernel; findings have offsets. The exit code is 1 if a kernel would
/// not accept all of it.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckVerb {
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

pub(in crate::cli) const HELP: Help = Help {
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
    pub(in crate::cli) fn recipe(self) -> CheckRecipe {
        CheckRecipe { file: self.file, kernel: self.kernel.file(), json: self.json }
    }
}
