//! Input for the targets, made of almost any bytes.

pub mod choices;
pub mod pattern;
pub mod small;
pub mod snapshot;
pub mod trees;
