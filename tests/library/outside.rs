//! A crate outside of the workspace that uses the library by its documentation, without the
//! features of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::tree;
use crate::product::{Scratch, run};

/// The program: what the documentation of the library shows, and no more.
const MAIN: &str = include_str!("outside/program.rs");

#[test]
fn a_program_outside_of_the_workspace_uses_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Scratch::new();
    let folder = scratch.join("outside");
    fs::create_dir_all(folder.join("src")).expect("new");
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         rootcast = {{ path = '{}', default-features = false }}\n\n[workspace]\n\n{}",
        root.display(),
        profiles(root)
    );
    fs::write(folder.join("Cargo.toml"), &manifest).expect("new");
    fs::write(folder.join("src/main.rs"), MAIN).expect("new");
    // The same versions as in the workspace, none of which is downloaded.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("it is there");
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.current_dir(&folder).env("CARGO_TARGET_DIR", target());
        cargo
    };
    let tree_of_crates = run(cargo().args(["tree", "--offline", "--edges", "normal", "--prefix", "none"]));
    let crates = tree_of_crates.text();
    assert!(crates.contains("rootcast v"), "{tree_of_crates}");
    for of_the_program in ["clap", "indicatif", "signal-hook", "console"] {
        assert!(!crates.lines().any(|line| line.starts_with(of_the_program)), "{crates}");
    }
    fs::write(folder.join("Cargo.toml"), manifest + &not_optimized(root, &crates)).expect("it is there");
    let built = run(cargo().args(["build", "--offline", "--quiet"]));
    assert_eq!(built.code, Some(0), "{built}");
    assert_eq!(built.stderr, "", "warnings");
    let output = scratch.join("disk.img");
    let outcome = run(Command::new(target().join("debug/outside")).arg(tree(&scratch)).arg(&output));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome}");
    let len = fs::metadata(&output).expect("it was written").len();
    let digest = run(Command::new("sha256sum").arg(&output)).text();
    let digest = digest.split(' ').next().expect("a digest");
    assert_eq!(outcome.text(), format!("{len} {digest}\n"));
}

/// The folder of what is built, that of the tests, so that crates are built once.
fn target() -> std::path::PathBuf {
    let own = std::env::current_exe().expect("a test has a program");
    own.ancestors().nth(3).expect("it is in the folder of a profile").to_owned()
}

/// The profiles of the workspace's own crates, which are not members here and would be optimized as
/// the others.
fn not_optimized(root: &Path, crates: &str) -> String {
    let is_ours = |line: &&str| line.contains(&format!("({}", root.display()));
    let names: BTreeSet<&str> =
        crates.lines().filter(is_ours).filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("rootcast") && names.len() > 5, "{names:?}");
    let of_the_workspace = profiles(root);
    let sections = names.iter().map(|name| format!("[profile.dev.package.{name}]"));
    let sections = sections.filter(|section| !of_the_workspace.contains(section));
    sections.map(|section| format!("\n{section}\nopt-level = 0\n")).collect()
}

/// The profiles of the workspace: with others, the crates would be built again.
fn profiles(root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("it is there");
    let start = manifest.find("[profile.dev]").expect("it has one");
    manifest[start..].to_owned()
}
