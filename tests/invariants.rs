//! Architecture rules that lints cannot express.

use std::fs;
use std::path::Path;

/// The two crates that every format crate may depend on, and that depend on no workspace crate.
const FOUNDATION: [&str; 2] = ["image-tree", "image-runs"];

#[test]
fn no_format_depends_on_another() {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("formats");
    let manifests: Vec<(String, String)> = fs::read_dir(formats)
        .expect("formats is a directory")
        .map(|entry| entry.expect("it is readable").path().join("Cargo.toml"))
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|text| (package_name(&text), text))
        .collect();
    assert!(manifests.len() >= 4, "only {} formats were found", manifests.len());
    for (package, text) in &manifests {
        for (other, _) in &manifests {
            let allowed = package == other
                || (FOUNDATION.contains(&other.as_str()) && !FOUNDATION.contains(&package.as_str()))
                || (package == "image-runs" && other == "image-tree");
            let depends = text
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")));
            assert!(allowed || !depends, "{package} depends on {other}");
        }
        assert!(!text.lines().any(|line| line.starts_with("rootcast")), "{package} depends on the program");
    }
}

fn package_name(manifest: &str) -> String {
    let line = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
    line.and_then(|rest| rest.strip_suffix('"'))
        .expect("a manifest begins with the package's name")
        .to_owned()
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for manifest in
        ["Cargo.toml", "benches/Cargo.toml", "formats/tree/Cargo.toml", "formats/image/Cargo.toml"]
            .into_iter()
            .chain([
                "formats/ext4/Cargo.toml",
                "formats/partition/Cargo.toml",
                "formats/initramfs/Cargo.toml",
            ])
    {
        let text = fs::read_to_string(root.join(manifest)).expect("the manifest is there");
        assert!(text.contains("[lints]\nworkspace = true"), "{manifest} has lints of its own");
    }
    let text = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest is there");
    assert!(text.contains("unsafe_code = \"forbid\""), "unsafe code is forbidden everywhere");
}

/// A build that can fail at random says nothing about the change.
#[test]
fn properties_are_tried_with_the_same_cases_in_every_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories: Vec<_> = ["src", "tests", "formats", "benches"].map(|name| root.join(name)).into();
    let mut found = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("it is a directory") {
            let path = entry.expect("it is readable").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("code is UTF-8");
                if text.lines().any(|line| line == "proptest! {") {
                    let seeded = text.contains("RngSeed::Fixed(") || text.contains("properties::config;");
                    assert!(seeded, "{} leaves its cases to chance", path.display());
                    found += 1;
                }
            }
        }
    }
    assert!(found >= 4, "only {found} files with properties were found");
}

/// A name that is printed raw can move the cursor and begin lines that look like messages.
#[test]
fn names_of_the_host_go_through_one_type() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut directories, mut files) = (vec![root], 0);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("it is a directory") {
            let path = entry.expect("it is readable").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let is_test =
                path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
            if is_test || path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            files += 1;
            let text = fs::read_to_string(&path).expect("code is UTF-8");
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let raw = product.lines().position(|line| line.contains(".display()"));
            let line = raw.map(|line| line + 1);
            assert_eq!(line, None, "{}: use shown::path for a path in a message", path.display());
        }
    }
    assert!(files > 100, "only {files} files were found");
}
