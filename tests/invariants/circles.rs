//! No file and no folder uses, by way of others, one that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::graph::{Crate, Use, made_up};

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut report = String::new();
    let mut files = 0;
    for root in super::crate_roots() {
        let uses = Crate::new(&root, super::read).uses();
        for circle in circles(&edges(&uses, |file| Some(file.to_owned()))) {
            files += circle.len();
            describe(&uses, |file| circle.contains(file), &mut report);
        }
    }
    assert!(files == 0, "{files} files in circles:\n{report}");
}

#[test]
fn no_folders_use_each_other_in_a_circle() {
    let root = super::root().join("src/lib.rs");
    let program = Crate::new(&root, super::read);
    let report = folders(&program);
    assert!(report.is_empty(), "{report}");
}

/// Returns the circles of top-level modules with the uses that make them.
fn folders(program: &Crate) -> String {
    let uses = program.uses();
    let top_level = |file: &Path| program.top_level_of(file).map(str::to_owned);
    let mut report = String::new();
    for circle in circles(&edges(&uses, top_level)) {
        let _ = writeln!(report, "folders {circle:?}");
        let between: BTreeSet<Use> =
            uses.iter().filter(|found| top_level(&found.from) != top_level(&found.to)).cloned().collect();
        describe(&between, |file| top_level(file).is_some_and(|name| circle.contains(&name)), &mut report);
    }
    report
}

type Edges<Node> = BTreeMap<Node, BTreeSet<Node>>;

fn edges<Node: Ord + Clone>(uses: &BTreeSet<Use>, node: impl Fn(&Path) -> Option<Node>) -> Edges<Node> {
    let mut edges = Edges::new();
    for found in uses {
        if let (Some(from), Some(to)) = (node(&found.from), node(&found.to))
            && from != to
        {
            edges.entry(from).or_default().insert(to);
        }
    }
    edges
}

/// Returns the sets of nodes that reach each other.
fn circles<Node: Ord + Clone>(edges: &Edges<Node>) -> BTreeSet<BTreeSet<Node>> {
    let reached: BTreeMap<&Node, BTreeSet<&Node>> =
        edges.keys().map(|node| (node, reached_from(edges, node))).collect();
    let both =
        |a: &Node, b: &Node| reached[a].contains(b) && reached.get(b).is_some_and(|all| all.contains(a));
    let circle = |node: &Node| edges.keys().filter(|other| both(node, other)).cloned().collect();
    edges.keys().map(circle).filter(|circle: &BTreeSet<Node>| circle.len() > 1).collect()
}

fn reached_from<'a, Node: Ord>(edges: &'a Edges<Node>, start: &'a Node) -> BTreeSet<&'a Node> {
    let (mut reached, mut left) = (BTreeSet::new(), vec![start]);
    while let Some(node) = left.pop() {
        for next in edges.get(node).into_iter().flatten() {
            if reached.insert(next) {
                left.push(next);
            }
        }
    }
    reached
}

/// Writes the uses between the files that `inside` accepts, the first of each pair of files in
/// full.
fn describe(uses: &BTreeSet<Use>, inside: impl Fn(&PathBuf) -> bool, report: &mut String) {
    let mut pairs: BTreeMap<(&Path, &Path), Vec<&Use>> = BTreeMap::new();
    for found in uses.iter().filter(|found| inside(&found.from) && inside(&found.to)) {
        pairs.entry((&found.from, &found.to)).or_default().push(found);
    }
    let _ = writeln!(report, "circle:");
    for ((from, to), found) in pairs {
        let (from, to, line, path) =
            (super::relative(from), super::relative(to), found[0].line, &found[0].path);
        let more = if found.len() > 1 { format!(" and {} more", found.len() - 1) } else { String::new() };
        let _ = writeln!(report, "  {from}:{line} uses {path} of {to}{more}");
    }
}

#[test]
fn a_circle_is_found_by_way_of_other_files() {
    let files = |last: &'static str| {
        made_up(&[
            ("src/lib.rs", "mod a;\nmod b;\nmod c;"),
            ("src/a.rs", "pub mod inner;\nuse crate::b::B;\npub struct A;"),
            ("src/a/inner.rs", "use super::A;\npub struct Inner;"),
            ("src/b.rs", "use crate::c;\npub struct B(c::C);"),
            ("src/c.rs", last),
        ])
    };
    let found = |program: Crate| circles(&edges(&program.uses(), |file| Some(file.to_owned())));
    let closed = found(files("pub struct C;\nfn f() { let _ = crate::a::A; }"));
    let names: Vec<PathBuf> = closed.into_iter().flatten().collect();
    assert_eq!(names, ["src/a.rs", "src/b.rs", "src/c.rs"].map(PathBuf::from));

    assert!(found(files("pub struct C;")).is_empty());
    assert!(found(files("pub struct C;\n#[cfg(test)]\nmod tests { use crate::a::A; }")).is_empty());

    let folders_only = files("pub struct C;\nfn f() { let _ = crate::a::inner::Inner; }");
    assert!(folders(&folders_only).contains("src/c.rs:2 uses crate::a::inner::Inner of src/a/inner.rs"));
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
    let found = |parent: &'static str| {
        let program = made_up(&[
            ("src/lib.rs", "mod a;"),
            ("src/a.rs", parent),
            ("src/a/b.rs", "use super::A;\npub struct B(A);"),
        ]);
        circles(&edges(&program.uses(), |file| Some(file.to_owned()))).len()
    };
    assert_eq!(found("mod b;\npub use b::B;\npub struct A;"), 0);
    assert_eq!(found("mod b;\npub struct A;\nfn f() -> b::B {}"), 1);
}
