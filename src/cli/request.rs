//! The request of a command line.

use std::path::PathBuf;

use clap_complete::Shell;

use crate::recipe::archive::ArchiveRecipe;
use crate::recipe::closure::ClosureRecipe;
use crate::recipe::depmod::DepmodRecipe;
use crate::recipe::export::ExportRecipe;
use crate::recipe::initrd::CheckRecipe;
use crate::recipe::root_hash::RootHashRecipe;
use crate::recipe::{Build, OutputRecipe, TreeRecipe};
use crate::report::RecipeReport;

/// The request of a command line.
#[derive(Debug)]
pub enum Request {
    /// `rootcast image`, `initrd` and `tar`
    Build(Box<Build>, Box<OutputRecipe>),
    /// `rootcast oci-export`
    Export(Box<ExportRecipe>),
    /// `rootcast check`
    Check(CheckRecipe),
    /// `rootcast root-hash`
    RootHash(Box<RootHashRecipe>),
    /// `rootcast tree`
    Tree(Box<TreeRecipe>),
    /// `rootcast closure`
    Closure(Box<ClosureRecipe>),
    /// The usage of a script is printed.
    Usage(&'static str),
    /// `rootcast resolve`, as JSON or not
    Resolve(Box<ArchiveRecipe>, bool),
    /// `rootcast fetch` into a directory
    Fetch(Box<ArchiveRecipe>, PathBuf),
    /// `rootcast recipe`
    Recipe(RecipeRequest),
    /// `rootcast depmod`
    Depmod(DepmodRecipe),
    /// `rootcast completions`
    Completions(Shell),
    /// `rootcast man`: into a directory, or to standard output.
    Man(Option<PathBuf>),
    /// `rootcast --version`
    Version {
        /// True for JSON.
        json: bool,
    },
}

/// The request of `rootcast recipe`.
#[derive(Debug)]
pub enum RecipeRequest {
    /// This text is printed.
    Print(String),
    /// This report is printed as JSON.
    Json(RecipeReport),
    /// dracut's configuration is imported.
    ImportDracut {
        /// A directory, or a single file.
        directory: PathBuf,
        /// The recipe, or `-` for standard output.
        output: PathBuf,
    },
}
