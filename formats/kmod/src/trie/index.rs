//! The header of an index.

use super::node::{HEADER, MAGIC, Node, Reference};
use crate::error::IndexError;

/// A binary index, as `modules.alias.bin`.
#[derive(Clone, Copy, Debug)]
pub struct Index<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) root: Reference,
}

impl<'b> Index<'b> {
    /// Reads the header of an index.
    ///
    /// # Errors
    /// If these bytes are not an index.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, IndexError> {
        match bytes.split_first_chunk::<HEADER>() {
            Some((header, _)) if header.starts_with(&MAGIC) => {
                let [.., a, b, c, d] = *header;
                Ok(Self { bytes, root: Reference(u32::from_be_bytes([a, b, c, d])) })
            }
            _ => Err(IndexError::NotAnIndex),
        }
    }

    pub(super) fn node(&self, reference: Reference) -> Result<Node<'b>, IndexError> {
        Node::parse(self.bytes, reference)
    }
}
