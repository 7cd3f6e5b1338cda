//! The machine a tree is for.
