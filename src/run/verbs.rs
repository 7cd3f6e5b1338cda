//! The verbs of the command line.

mod build;
mod check;
mod closure;
mod depmod;
mod generate;
mod oci_export;
mod recipe;
mod resolve;
mod root_hash;
mod tree;

pub use build::build;
pub use check::check;
pub use closure::closure;
pub use depmod::depmod;
pub use generate::{completions, man, version};
pub use oci_export::export;
pub use recipe::{import_dracut, print_recipe_json, print_recipes};
pub use resolve::{fetch, resolve};
pub use root_hash::root_hash;
pub use tree::tree;
