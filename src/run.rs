//! Carries out recipes: source → transform → plan → place → write.

mod advice;
mod check;
mod closure;
mod generate;
mod image;
mod initrd;
mod output;
mod pipeline;
mod print;
mod reduction;
mod sources;
mod stopwatch;
mod tree;

pub use check::check;
pub use closure::closure;
pub use generate::{completions, man, version};
pub use image::image;
pub use initrd::initrd;
pub use tree::tree;
