//! Flags of the kernel modules that are kept.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgGroup, Args};

use crate::cli::flags::values;
use crate::cli::help::group;
use crate::closure::kernel_modules;
use crate::closure::requests::{KernelModules, NamePattern};
use crate::recipe::modules::{Compression, ModulesRecipe};

/// The group of flags that name modules.
const NAMED: &str = "named_modules";

/// The version of the kernel, the relations that are followed, and the form of modules.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new(NAMED).multiple(true).args(["keep_module", "keep_module_optional", "modules"]))]
pub(super) struct ModuleArguments {
    /// Take the modules of --keep-module from this version of the kernel
    ///
    /// It is the name of a directory in the tree's /lib/modules, or in that of --modules, and needed
    /// if there are several.
    #[arg(long, value_name = "VERSION", requires = NAMED, help_heading = group::KEEP)]
    kver: Option<OsString>,

    /// Add the kernel modules in this directory of the host to the tree
    ///
    /// It is lib/modules/VERSION of a tree, or a directory of versions, of which --kver names one.
    /// The modules are root's, and those of --keep-module. If the tree has the version, both must
    /// have the same files.
    #[arg(long, value_name = "DIR", help_heading = group::KEEP)]
    modules: Option<PathBuf>,

    /// Keep also modules that those of --keep-module may load (weakdep)
    #[arg(long, requires = NAMED, help_heading = group::KEEP)]
    weak_modules: bool,

    /// Compression of kernel modules
    #[arg(
        long, value_name = "WHAT", value_parser = values::choice_with_help(compression_help), default_value = "keep",
        help_heading = group::KEEP
    )]
    kmod_compress: Compression,

    /// Remove debug sections of kernel modules, and the signatures of those that had some
    ///
    /// It is an error if the kernel loads signed modules only: if its configuration in the tree,
    /// /boot/config-VERSION or /lib/modules/VERSION/config, has CONFIG_MODULE_SIG_FORCE=y.
    #[arg(long, help_heading = group::KEEP)]
    strip_modules: bool,
}

impl ModuleArguments {
    /// Returns the modules that are kept, and the changes to modules.
    pub(super) fn of(
        self,
        names: Vec<NamePattern>,
        optional: Vec<NamePattern>,
    ) -> (KernelModules, ModulesRecipe) {
        let version = self.kver.map(OsString::into_vec);
        let changes = ModulesRecipe {
            directory: self.modules,
            version: version.clone(),
            compression: self.kmod_compress,
            strip: self.strip_modules,
        };
        (KernelModules { names, optional, version, weak: self.weak_modules }, changes)
    }
}

fn compression_help(compression: Compression) -> &'static str {
    match compression {
        Compression::Keep => "They remain as they are",
        Compression::None => ".ko.xz, .ko.zst and .ko.gz become .ko",
    }
}

pub(super) fn pattern() -> impl TypedValueParser<Value = NamePattern> {
    OsStringValueParser::new().try_map(|text| kernel_modules::parse(text.as_bytes()))
}
