//! What a closure keeps is what the loader of the tree would load: the loaders themselves are asked.

#[path = "../src/closure/testing/build.rs"]
mod build;
mod glibc;
mod guest;
mod judge;
mod others;
mod programs;
mod reduced;
mod whole;
