//! Look-ups in an index.

use std::ops::ControlFlow;

use super::index::Index;
use super::node::{Reference, Value};
use super::walk::{Budget, walk};
use crate::error::IndexError;
use crate::fnmatch::fnmatch;

impl<'b> Index<'b> {
    /// Returns the values of a key, in the order of their priority.
    ///
    /// # Errors
    /// If a node on the way is not valid.
    pub fn get(&self, key: &[u8]) -> Result<Vec<Value<'b>>, IndexError> {
        let (mut next, mut rest) = (Some(self.root), key);
        let mut found = Vec::new();
        while let Some(reference) = next {
            let node = self.node(reference)?;
            let Some(behind) = rest.strip_prefix(node.prefix) else { break };
            let Some((byte, behind)) = behind.split_first() else {
                node.values(|value| found.push(value))?;
                break;
            };
            (next, rest) = (node.child(*byte), behind);
        }
        found.sort_by_key(|value| value.priority);
        Ok(found)
    }

    /// Returns the values of the keys that are patterns for a name, in the order of their priority.
    /// As in kmod, a key is compared literally up to its first `*`, `?` or `[`.
    ///
    /// # Errors
    /// If a node on the way is not valid, or nodes lead in a circle.
    pub fn matching(&self, name: &[u8]) -> Result<Vec<Value<'b>>, IndexError> {
        let mut search = Search { index: self, name, budget: Budget::new(self), found: Vec::new() };
        search.run()?;
        let mut found = search.found;
        found.sort();
        // A name with a wildcard can match a key both literally and as a pattern.
        found.dedup();
        Ok(found)
    }
}

/// A search for patterns.
struct Search<'i, 'b> {
    index: &'i Index<'b>,
    name: &'i [u8],
    budget: Budget,
    found: Vec<Value<'b>>,
}

impl Search<'_, '_> {
    fn run(&mut self) -> Result<(), IndexError> {
        let (mut next, mut at) = (Some(self.index.root), 0);
        while let Some(reference) = next {
            let node = self.index.node(reference)?;
            self.budget.take(node.len())?;
            let rest = &self.name[at..];
            if let Some(wild) = node.prefix.iter().position(|byte| is_wild(*byte)) {
                if rest.starts_with(&node.prefix[..wild]) {
                    self.patterns(reference, self.name[..at].to_vec(), at + wild)?;
                }
                break;
            }
            let Some(behind) = rest.strip_prefix(node.prefix) else { break };
            at += node.prefix.len();
            for (byte, child) in node.children().filter(|(byte, _)| is_wild(*byte)) {
                self.patterns(child, [&self.name[..at], &[byte]].concat(), at)?;
            }
            let Some((byte, _)) = behind.split_first() else {
                let found = &mut self.found;
                let len = node.values(|value| found.push(value))?;
                return self.budget.take(len);
            };
            next = node.child(*byte);
            at += 1;
        }
        Ok(())
    }

    /// Adds the values of the keys from a node on that match. Up to `literal` they are equal to the
    /// name.
    fn patterns(&mut self, from: Reference, key: Vec<u8>, literal: usize) -> Result<(), IndexError> {
        let Self { index, name, budget, found } = self;
        walk(index, from, key, budget, &mut |key, value| {
            if fnmatch(&key[literal..], &name[literal..]) {
                found.push(value);
            }
            ControlFlow::Continue(())
        })
    }
}

fn is_wild(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[')
}
