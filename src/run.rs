//! Carries out recipes: source → transform → plan → place → write.

mod advice;
mod compressed;
mod firmware;
mod output;
mod pipeline;
mod print;
mod reduction;
mod sources;
mod stopwatch;
mod verbs;

pub use verbs::{check, closure, completions, export, image, initrd, man, root_hash, tar, tree, version};
