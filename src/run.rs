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

pub use verbs::{
    check, closure, completions, export, image, import_dracut, initrd, man, print_recipe_json, print_recipes,
    root_hash, tar, tree, version,
};
