//! The verbs that make a tree.

/// A verb that makes a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Verb {
    Image,
    Initrd,
    Tar,
    Tree,
    Closure,
}
