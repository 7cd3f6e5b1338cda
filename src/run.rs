//! Carries out builds and verbs: source → transform → plan → place → write.

mod advice;
mod cache;
mod firmware;
#[cfg(feature = "cli")]
mod output;
mod packages;
mod pipeline;
mod plan;
#[cfg(feature = "cli")]
mod print;
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the verb closure explains what is kept"))]
mod reduction;
#[cfg(feature = "cli")]
mod sbom;
mod sources;
mod stopwatch;
#[cfg(feature = "cli")]
mod verbs;

pub use plan::{OwnedImage, Plan, PlannedImage};
#[cfg(feature = "cli")]
pub use verbs::{
    build, check, closure, completions, depmod, export, fetch, import_dracut, man, print_recipe_json,
    print_recipes, resolve, root_hash, tree, version,
};
