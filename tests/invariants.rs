//! Architecture rules that lints cannot express.

use std::fs;
use std::path::{Path, PathBuf};

mod circles;
mod graph;
mod items;
mod layers;
mod lexer;
mod manifests;
mod sizes;
mod words;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Returns a path without that of the checkout.
fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns the files of Rust code in folders of the checkout, in order.
fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let (mut files, mut left) = (Vec::new(), Vec::from_iter(folders.iter().map(|name| root().join(name))));
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).expect("it is a directory") {
            let path = entry.expect("it is readable").path();
            if path.is_dir() && !path.ends_with("target") {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns the roots of the program's library and of the format crates.
fn crate_roots() -> Vec<PathBuf> {
    let formats = fs::read_dir(root().join("formats")).expect("formats is a directory");
    let mut roots: Vec<PathBuf> = formats
        .map(|entry| entry.expect("it is readable").path().join("src/lib.rs"))
        .filter(|path| path.exists())
        .chain([root().join("src/lib.rs")])
        .collect();
    roots.sort();
    roots
}

/// A build that can fail at random says nothing about the change.
#[test]
fn properties_are_tried_with_the_same_cases_in_every_run() {
    let mut found = 0;
    for path in rust_files(&["src", "tests", "formats", "benches"]) {
        let text = read(&path).expect("code is UTF-8");
        if text.lines().any(|line| line == "proptest! {") {
            let seeded = text.contains("RngSeed::Fixed(") || text.contains("properties::config;");
            assert!(seeded, "{} leaves its cases to chance", relative(&path));
            found += 1;
        }
    }
    assert!(found >= 4, "only {found} files with properties were found");
}

/// A name that is printed raw can move the cursor and begin lines that look like messages.
#[test]
fn names_of_the_host_go_through_one_type() {
    let files = rust_files(&["src"]);
    assert!(files.len() > 100, "only {} files were found", files.len());
    for path in files {
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        if is_test {
            continue;
        }
        let text = read(&path).expect("code is UTF-8");
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let raw = product.lines().position(|line| line.contains(".display()"));
        let line = raw.map(|line| line + 1);
        assert_eq!(line, None, "{}: use shown::path for a path in a message", relative(&path));
    }
}
