//! Carries out recipes: source → transform → plan → place → write.

mod check;
mod closure;
mod documents;
mod image;
mod initrd;
mod pipeline;
mod print;
mod put;
mod sources;
mod stopwatch;
mod tree;
mod way_out;

pub use check::check;
pub use closure::closure;
pub use documents::{completions, man, version};
pub use image::image;
pub use initrd::initrd;
pub use tree::tree;
