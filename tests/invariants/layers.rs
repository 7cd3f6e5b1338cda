//! The program's modules use those below them, and none above.

use super::graph::{Crate, made_up};

/// The top-level modules of `src`, the highest layer first. Above them is `main`.
const LAYERS: [&[&str]; 12] = [
    &["cli", "run"],
    &["report"],
    &["recipe"],
    &["filesystem", "disk", "output"],
    &["transform"],
    &["source"],
    &["stack"],
    &["blob"],
    &["fetch"],
    &["accounts", "architecture", "cache", "seed", "xattr_filter"],
    &[
        "bounded",
        "calendar",
        "error",
        "interrupt",
        "log",
        "named",
        "progress",
        "quantity",
        "shown",
        "threads",
        "watch",
        "zeros",
    ],
    &["closure"],
];

/// Modules that use nothing of the program, so that they could be crates.
const ALONE: [&str; 1] = ["closure"];

#[test]
fn modules_use_lower_layers_only() {
    let program = Crate::new(&super::root().join("src/lib.rs"), super::read);
    let wrong = violations(&program, &LAYERS, &ALONE);
    assert!(wrong.is_empty(), "{} uses against the layers:\n{}", wrong.len(), wrong.join("\n"));
}

/// Returns the uses that lead to a higher layer or out of a module that stands alone, and the
/// modules that are not in exactly one layer.
fn violations(program: &Crate, layers: &[&[&str]], alone: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for module in program.top_level() {
        let count = layers.iter().flat_map(|layer| layer.iter()).filter(|name| **name == module).count();
        if count != 1 {
            wrong.push(format!("{module} is in {count} layers of the table"));
        }
    }
    let layer = |name: &str| layers.iter().position(|layer| layer.contains(&name));
    for found in program.uses() {
        let from = program.top_level_of(&found.from);
        let to = program.top_level_of(&found.to);
        let (Some(from), Some(to)) = (from, to) else { continue };
        if from != to && (layer(from) > layer(to) || alone.contains(&from)) {
            let file = super::relative(&found.from);
            wrong.push(format!("{file}:{} uses {} of {to}", found.line, found.path));
        }
    }
    wrong
}

#[test]
fn a_use_of_a_higher_layer_is_found() {
    let program = made_up(&[
        ("src/lib.rs", "mod top;\nmod middle;\nmod bottom;\nmod new;"),
        ("src/top.rs", "use crate::middle::Middle;\npub struct Top;"),
        ("src/middle.rs", "use crate::bottom::Bottom;\npub struct Middle;"),
        (
            "src/bottom.rs",
            "pub struct Bottom;\nfn f(_: crate::top::Top) {}\n#[test]\nfn g() { crate::middle::Middle; }",
        ),
        ("src/new.rs", ""),
    ]);
    let wrong = violations(&program, &[&["top"], &["middle"], &["bottom"]], &[]);
    assert_eq!(wrong, ["new is in 0 layers of the table", "src/bottom.rs:2 uses crate::top::Top of top"]);

    let wrong = violations(&program, &[&["top", "new"], &["middle"], &["bottom"]], &["middle"]);
    assert_eq!(wrong[1], "src/middle.rs:1 uses crate::bottom::Bottom of bottom");
}
