//! `rootcast closure`: prints the kept part of a tree.

use std::collections::BTreeMap;

use image_tree::{Content as _, Kind as FileKind, Shown, Tree};

use crate::blob::Blob;
use crate::closure::costs::{self, Cost, Node};
use crate::closure::{Kind, Reason, explain};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::recipe::Output;
use crate::recipe::closure::ClosureRecipe;
use crate::report::{ClosureReport, ClosureTimings};
use crate::run::output;
use crate::run::pipeline::{self, Prepared, Verb};
use crate::run::print::{self, print, print_json};
use crate::run::reduction::{Lookups, Reduction};
use crate::run::sbom;
use crate::run::stopwatch::Stopwatch;

/// Prints the kept part of a tree, or the reasons for it.
///
/// # Errors
/// Returns an error if the tree cannot be read, something is missing, or a path to explain is not
/// kept.
pub fn closure(recipe: &ClosureRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = print::log(recipe.tree.level());
    let mut stopwatch = Stopwatch::start();
    let own = output::own_files(&Output::Stream, None);
    let lookups = Lookups { paths: &recipe.explain, microcode: false };
    // Among several sources they mark files as whiteouts.
    let xattrs = recipe.tree.sources.len() > 1;
    let options =
        pipeline::Options { own, lookups, xattrs, ..pipeline::Options::new(&recipe.tree, interrupt, &log) };
    let Prepared { tree, reduction, packages, .. } = pipeline::run(Verb::Closure, &options)?;
    sbom::write(&recipe.tree, &packages, interrupt)?;
    let reduction = reduction.ok_or_else(|| Error::new(ErrorKind::Usage, "no file to keep is named"))?;
    let read = stopwatch.lap().saturating_sub(reduction.took);
    if recipe.json {
        let note = |reason: &Reason| reduction.note(reason).map(str::to_owned);
        let timings = ClosureTimings { read, close: reduction.took };
        return print_json(&ClosureReport::new(&reduction.closure, note, timings, &log));
    }
    let mut text = Vec::new();
    if recipe.costs {
        write_costs(&tree, &reduction, &mut text);
    } else if recipe.explain.is_empty() {
        for path in reduction.closure.kept.keys() {
            if recipe.null {
                text.extend_from_slice(path);
                text.push(0);
            } else {
                text.extend_from_slice(format!("{}\n", Shown(path)).as_bytes());
            }
        }
    }
    for path in &recipe.explain {
        write_chains(&tree, &reduction, path, &mut text)?;
    }
    print(&text)
}

/// Writes the tree of reasons, with the bytes of each.
fn write_costs(tree: &Tree<Blob>, reduction: &Reduction, text: &mut Vec<u8>) {
    let mut sizes: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        // The bytes of a file with several names are those of the first one.
        if let (true, FileKind::Regular(blob)) = (step.first, &tree.get(step.id).kind) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            sizes.insert(path, blob.len());
        }
    }
    let size = |path: &[u8]| sizes.get(path).copied().unwrap_or_default();
    let note = |reason: &Reason| reduction.note(reason).map(str::to_owned);
    for Cost { depth, node, kind, size, alone } in costs::costs(&reduction.closure, &note, &size) {
        let name = match &node {
            Node::Root => continue,
            Node::Request(name) => format!("requested by {}", Shown(name)),
            Node::Stated(name, note) if note.is_empty() => Shown(name).to_string(),
            Node::Stated(name, note) => format!("{}, which {}", Shown(name), Shown::message(note)),
            Node::Unit(name) => Shown(name).to_string(),
            Node::File(path) => Shown(path).to_string(),
        };
        let kind = kind.filter(|kind| *kind != Kind::Requested).map(|kind| format!(" ({kind})"));
        let indent = "  ".repeat(depth);
        let line = format!("{size:>12} {alone:>12}  {indent}{name}{}\n", kind.unwrap_or_default());
        text.extend_from_slice(line.as_bytes());
    }
}

/// Returns true for the request of a package, by its name or as a dependency.
fn is_request_for(reason: &Reason, package: &str) -> bool {
    let rest = reason.name.strip_prefix(format!("package {package}").as_bytes());
    reason.kind == Kind::Requested && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b","))
}

/// Writes each chain from a path to the request.
fn write_chains(tree: &Tree<Blob>, reduction: &Reduction, path: &[u8], text: &mut Vec<u8>) -> Result<()> {
    let is_there = reduction.whole_tree.paths.contains(path);
    let path = explain::kept_name(tree, &reduction.closure, path, is_there)?;
    for chain in explain::chains(&reduction.closure, &path) {
        text.extend_from_slice(format!("{}\n", Shown(&path)).as_bytes());
        for reason in &chain {
            text.extend_from_slice(format!("  {}\n", reduction.describe(reason)).as_bytes());
        }
        let is_request = |package: &String| chain.iter().any(|reason| is_request_for(reason, package));
        for package in reduction.owners(&path).iter().filter(|package| !is_request(package)) {
            text.extend_from_slice(format!("  owned by package {package}\n").as_bytes());
        }
    }
    Ok(())
}
