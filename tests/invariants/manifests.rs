//! Rules for the manifests of the workspace.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::lexer;

/// The crates of the workspace that a format crate may use.
const FOUNDATION: [&str; 3] = ["image-tree", "image-runs", VECTORS];

/// The crate that calls functions compiled for vector instructions, which is unsafe code.
const VECTORS: &str = "sha256-lanes";

/// The only file that may have unsafe code.
const UNSAFE: &str = "formats/sha256/src/x86.rs";

/// The package of the program, which may use every format crate. No crate uses the program.
const PROGRAM: &str = "rootcast";

#[test]
fn crates_use_only_the_crates_that_they_may_use() {
    let crates = workspace();
    assert!(crates.len() >= 7, "only {} crates were found", crates.len());
    let wrong = wrong_dependencies(&crates);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for (name, manifest) in &workspace() {
        assert!(manifest.takes_lints || name == VECTORS, "{name} has lints of its own");
    }
    let lints = |file: &str, table: &str| {
        let text = fs::read_to_string(super::root().join(file)).expect("the manifest is there");
        let of = |kind: &str| {
            let lines = text.lines().skip_while(|line| *line != format!("[{table}.{kind}]")).skip(1);
            let lints = lines.take_while(|line| !line.starts_with('[')).filter(|line| line.contains(" = "));
            lints.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        [of("rust"), of("clippy")].concat()
    };
    let mut expected = lints("Cargo.toml", "workspace.lints");
    let level = expected.iter_mut().find(|lint| lint.starts_with("unsafe_code"));
    let level = level.expect("there is a lint of unsafe code");
    assert_eq!(level, "unsafe_code = \"forbid\"");
    // One module may allow what is forbidden elsewhere.
    *level = "unsafe_code = \"deny\"".to_owned();
    expected.retain(|lint| !lint.starts_with("collapsible_else_if"));
    assert_eq!(lints("formats/sha256/Cargo.toml", "lints"), expected);
}

/// The lints of one crate let its modules allow unsafe code.
#[test]
fn unsafe_code_is_in_one_module_with_its_reason() {
    let files = super::rust_files(&["src", "formats", "benches", "tests", "fuzz"]);
    let with_unsafe = files.iter().filter_map(|path| {
        let text = fs::read_to_string(path).expect("it is readable");
        lexer::tokens(&text).iter().any(|token| token.text == "unsafe").then(|| super::relative(path))
    });
    assert_eq!(with_unsafe.collect::<Vec<_>>(), [UNSAFE]);
    let text = fs::read_to_string(super::root().join(UNSAFE)).expect("it is there");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("unsafe ")) {
        let before =
            lines[..index].iter().rev().find(|line| !line.starts_with("// ") || line.contains("SAFETY"));
        assert!(before.is_some_and(|line| line.starts_with("// SAFETY: ")), "no reason for {line}");
    }
}

/// The parts of a package's manifest that rules are about.
#[derive(Default)]
struct Manifest {
    name: String,
    format: bool,
    dependencies: Vec<String>,
    takes_lints: bool,
}

/// Returns the packages of the workspace: the program, and all that the members' patterns match.
fn workspace() -> BTreeMap<String, Manifest> {
    let root = super::root();
    let text = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest is there");
    let members = text.lines().find_map(|line| line.strip_prefix("members = [")).expect("members are listed");
    let mut folders = vec![root.to_owned()];
    for pattern in members.trim_end_matches(']').split(',') {
        folders.extend(matching(pattern.trim().trim_matches('"')));
    }
    let mut found = BTreeMap::new();
    for folder in folders {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is missing", path.display()));
        let manifest = parse(&text, folder.starts_with(root.join("formats")));
        found.insert(manifest.name.clone(), manifest);
    }
    found
}

/// Returns the folders that a member's path matches, which may end with `*`.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let root = super::root();
    let Some(folder) = pattern.strip_suffix("/*") else { return vec![root.join(pattern)] };
    let entries = fs::read_dir(root.join(folder)).expect("the folder of the members is there");
    let paths = entries.map(|entry| entry.expect("it is readable").path());
    paths.filter(|path| path.is_dir()).collect()
}

fn parse(text: &str, format: bool) -> Manifest {
    let mut manifest = Manifest { format, ..Manifest::default() };
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            // A section of one dependency.
            if let Some((sections, name)) = section.rsplit_once('.')
                && sections.ends_with("dependencies")
            {
                manifest.dependencies.push(name.to_owned());
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        match section {
            "package" if key == "name" => manifest.name = value.trim_matches('"').to_owned(),
            "lints" if key == "workspace" => manifest.takes_lints = value == "true",
            section if section.ends_with("dependencies") && !section.starts_with("workspace") => {
                let renamed = value.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
                let name = key.split('.').next().unwrap_or(key).trim_matches('"');
                manifest.dependencies.push(renamed.unwrap_or(name).to_owned());
            }
            _ => {}
        }
    }
    manifest
}

/// Returns the dependencies on crates of the workspace that are not allowed.
fn wrong_dependencies(crates: &BTreeMap<String, Manifest>) -> Vec<String> {
    let mut wrong = Vec::new();
    for manifest in crates.values() {
        let name = manifest.name.as_str();
        for other in manifest.dependencies.iter().filter_map(|other| crates.get(other)) {
            let allowed = match name {
                PROGRAM => other.format,
                "image-tree" | VECTORS => false,
                "image-runs" => other.name == "image-tree",
                _ => FOUNDATION.contains(&other.name.as_str()),
            };
            if !allowed {
                wrong.push(format!("{name} depends on {}", other.name));
            }
        }
    }
    wrong
}

#[test]
fn a_dependency_that_is_not_allowed_is_found() {
    let made_up = |name: &str, dependencies: &str| {
        let text = format!("[package]\nname = \"{name}\"\n{dependencies}\n[lints]\nworkspace = true\n");
        let manifest = parse(&text, name != "rootcast");
        assert!(manifest.takes_lints);
        (name.to_owned(), manifest)
    };
    let crates = [
        made_up("rootcast", "[dependencies]\next4.workspace = true\nimage-tree.workspace = true"),
        made_up("image-tree", "[dev-dependencies]\nimage-runs = { path = \"../runs\" }"),
        made_up("image-runs", "[dependencies.image-tree]\nworkspace = true"),
        made_up("ext4", "[dependencies]\nimage-tree.workspace = true\nserde = \"1\""),
        made_up("erofs", "[target.'cfg(unix)'.dependencies]\nrootcast = \"1\"\nx = { package = \"ext4\" }"),
    ];
    let wrong = wrong_dependencies(&crates.into());
    let expected = ["erofs depends on rootcast", "erofs depends on ext4", "image-tree depends on image-runs"];
    assert_eq!(wrong, expected);
    assert!(!parse("[package]\nname = \"a\"\n[lints.rust]\nworkspace = true\n", true).takes_lints);
}
