//! The flags that several verbs share, and those of parts of a recipe.

pub(super) mod archives;
pub(super) mod edits;
pub(super) mod filesystem;
pub(super) mod general;
pub(super) mod kata;
pub(super) mod keep;
pub(super) mod kernel;
pub(super) mod output;
pub(super) mod packages;
pub(super) mod tree;
pub(super) mod values;
pub(super) mod verity;
