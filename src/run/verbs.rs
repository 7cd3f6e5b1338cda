//! The verbs of the command line.

mod check;
mod closure;
mod generate;
mod image;
mod initrd;
mod oci_export;
mod recipe;
mod root_hash;
mod tar;
mod tree;

pub use check::check;
pub use closure::closure;
pub use generate::{completions, man, version};
pub use image::image;
pub use initrd::initrd;
pub use oci_export::export;
pub use recipe::{import_dracut, print_recipe_json, print_recipes};
pub use root_hash::root_hash;
pub use tar::tar;
pub use tree::tree;
