//! The binary form of an index: a trie of keys, each with values in the order of their priority.
//!
//! ```text
//! file   B0 07 F4 57 │ 00 02 00 01 │ reference of the root │ nodes
//! node   prefix NUL │ first last reference[last − first + 1] │ count { priority text NUL }
//!        if PREFIX     if CHILDREN                              if VALUES
//! ```
//!
//! Numbers are big-endian. A reference is the offset of a node with the flags of its parts in the
//! upper four bits; 0 is a child that is not there. The byte that leads to a child is not part of
//! its prefix, and the root has no prefix. Children precede their parent, as kmod 30 writes them;
//! readers take any order.

mod index;
mod node;
mod search;
mod walk;
mod write;

pub use index::Index;
pub use node::Value;
pub(crate) use write::{Entry, write};
