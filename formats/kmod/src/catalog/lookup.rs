//! The modules that a name or alias stands for.

use super::listed::Catalog;
use crate::config::Config;
use crate::fnmatch::fnmatch;
use crate::name::normalize_alias;

/// The result of a look-up: the first group of names in which modprobe finds something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found<'c> {
    /// The modules that the configuration names for the alias. They need not exist.
    Configured(Vec<&'c [u8]>),
    /// Modules with files: the one of this name, the one that exports the symbol `symbol:NAME`, or
    /// those with an alias that matches.
    Modules(Vec<&'c [u8]>),
    /// A command of the configuration takes the place of loading and removing the module of this
    /// name.
    Command,
    /// Modules that are built into the kernel.
    BuiltIn(Vec<&'c [u8]>),
    /// Nothing.
    Nothing,
}

impl Catalog {
    /// Looks a name or alias up as modprobe does. In both, `-` stands for `_`.
    #[must_use]
    pub fn lookup<'c>(&'c self, config: &'c Config, name: &[u8]) -> Found<'c> {
        let Some(name) = normalize_alias(name) else { return Found::Nothing };
        let mut configured: Vec<&[u8]> = Vec::new();
        for line in config.aliases.iter().filter(|line| fnmatch(&line.pattern, &name)) {
            if !configured.contains(&line.module.as_slice()) {
                configured.push(&line.module);
            }
        }
        if !configured.is_empty() {
            return Found::Configured(configured);
        }
        if let Some((name, _)) = self.modules.get_key_value(&name) {
            return Found::Modules(vec![name]);
        }
        if let Some(module) = self.symbols.get(&name) {
            return Found::Modules(vec![module]);
        }
        if config.install.iter().chain(&config.remove).any(|line| line.name == name) {
            return Found::Command;
        }
        let aliased = self.aliases.matching(&name);
        if !aliased.is_empty() {
            return Found::Modules(aliased);
        }
        if let Some(name) = self.builtin.get(&name) {
            return Found::BuiltIn(vec![name]);
        }
        match self.builtin_aliases.matching(&name) {
            builtin if !builtin.is_empty() => Found::BuiltIn(builtin),
            _ => Found::Nothing,
        }
    }
}
