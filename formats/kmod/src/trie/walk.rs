//! A walk over all keys of an index.

use std::ops::ControlFlow;

use super::index::Index;
use super::node::{Node, Reference, Value};
use crate::error::IndexError;

/// Counts the bytes of nodes that were read. Those of an index do not overlap, so that they are not
/// longer than the file.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new(index: &Index<'_>) -> Self {
        // A search reads a node up to three times: literally, as the first of a pattern, and below
        // one.
        Self(index.bytes.len().saturating_mul(3))
    }

    pub(super) fn take(&mut self, len: usize) -> Result<(), IndexError> {
        self.0 = self.0.checked_sub(len).ok_or(IndexError::Circle)?;
        Ok(())
    }
}

/// A node whose children are visited.
struct Step {
    children: std::vec::IntoIter<(u8, Reference)>,
    /// The length of the key up to the node, with its prefix.
    len: usize,
}

impl<'b> Index<'b> {
    /// Calls `visit` with each key and value, in the order of the keys, until it breaks.
    ///
    /// # Errors
    /// If a node is not valid, or nodes lead in a circle.
    pub fn for_each(
        &self,
        visit: &mut dyn FnMut(&[u8], Value<'b>) -> ControlFlow<()>,
    ) -> Result<(), IndexError> {
        let mut budget = Budget::new(self);
        walk(self, self.root, Vec::new(), &mut budget, visit)
    }
}

/// Visits a node and all below. `key` is the key up to the node's prefix.
pub(super) fn walk<'b>(
    index: &Index<'b>,
    from: Reference,
    mut key: Vec<u8>,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&[u8], Value<'b>) -> ControlFlow<()>,
) -> Result<(), IndexError> {
    let mut stack: Vec<Step> = Vec::new();
    let mut next = Some(from);
    loop {
        if let Some(reference) = next {
            let node = index.node(reference)?;
            budget.take(node.len())?;
            key.extend_from_slice(node.prefix);
            if values(&node, &key, budget, visit)?.is_break() {
                return Ok(());
            }
            stack.push(Step { children: node.children(), len: key.len() });
        }
        let Some(step) = stack.last_mut() else { return Ok(()) };
        key.truncate(step.len);
        next = step.children.next().map(|(byte, child)| {
            key.push(byte);
            child
        });
        if next.is_none() {
            stack.pop();
        }
    }
}

fn values<'b>(
    node: &Node<'b>,
    key: &[u8],
    budget: &mut Budget,
    visit: &mut dyn FnMut(&[u8], Value<'b>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, IndexError> {
    let mut flow = ControlFlow::Continue(());
    let len = node.values(|value| {
        if flow.is_continue() {
            flow = visit(key, value);
        }
    })?;
    budget.take(len)?;
    Ok(flow)
}
