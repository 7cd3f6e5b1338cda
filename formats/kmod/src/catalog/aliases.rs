//! Patterns with the modules that they stand for.

use crate::fnmatch::fnmatch;

/// Normalized aliases with the names of their modules, in the order of the modules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases(Vec<(Vec<u8>, Vec<u8>)>);

impl Aliases {
    pub(super) fn push(&mut self, pattern: Vec<u8>, module: Vec<u8>) {
        self.0.push((pattern, module));
    }

    /// The modules that a normalized name stands for, each once.
    pub(super) fn matching(&self, name: &[u8]) -> Vec<&[u8]> {
        let mut found: Vec<&[u8]> = Vec::new();
        for (pattern, module) in &self.0 {
            if fnmatch(pattern, name) && !found.contains(&module.as_slice()) {
                found.push(module);
            }
        }
        found
    }
}
