//! Flags of the kernel modules that are kept.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::cli::help::group;
use crate::closure::kernel_modules;
use crate::closure::requests::{KernelModules, NamePattern};

/// The version of the kernel, and the relations that are followed.
#[derive(Debug, Args)]
pub(super) struct ModuleArguments {
    /// Take the modules of --keep-module from this version of the kernel
    ///
    /// It is the name of a directory in the tree's /lib/modules, and needed if there are several.
    #[arg(long, value_name = "VERSION", requires = "keep_module", help_heading = group::KEEP)]
    kver: Option<OsString>,

    /// Keep also modules that those of --keep-module may load (weakdep)
    #[arg(long, requires = "keep_module", help_heading = group::KEEP)]
    weak_modules: bool,
}

impl ModuleArguments {
    pub(super) fn of(self, names: Vec<NamePattern>) -> KernelModules {
        KernelModules { names, version: self.kver.map(OsString::into_vec), weak: self.weak_modules }
    }
}

pub(super) fn pattern() -> impl TypedValueParser<Value = NamePattern> {
    OsStringValueParser::new().try_map(|text| kernel_modules::parse(text.as_bytes()))
}
