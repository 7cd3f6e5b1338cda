//! `rootcast oci-export`: images that skopeo and umoci take, and that give the same tree again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::layout::{Layer, Layout};
use super::layout::{digest, tar, usual};
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

fn good(command: &mut std::process::Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Exports a source, and returns the report.
fn export(source: &str, output: &str, more: &[&str]) -> Value {
    let mut command = rootcast();
    command.args(["oci-export", source, "-o", output, "--json", "-q", "--arch", "amd64"]).args(more);
    let json = good(&mut command).stdout;
    if let Some(mut jsonschema) = judges::command("jsonschema") {
        let scratch = Scratch::new();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/export.schema.json");
        good(jsonschema.arg("-i").arg(scratch.file("report.json", &json)).arg(schema));
    }
    serde_json::from_slice(&json).expect("it is JSON")
}

fn image(source: &str) -> String {
    good(rootcast().args(["image", source, "--digest"])).text()
}

/// Returns the name of a source with every kind of file.
fn source(scratch: &Scratch) -> String {
    let layout = Layout::new(scratch.join("source"));
    layout.image(&usual().into_iter().map(Layer::gzip).collect::<Vec<_>>());
    format!("oci:{}", layout.0.display())
}

#[test]
fn the_image_of_an_export_is_that_of_its_source() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let expected = image(&source);
    let directory = scratch.join("images").display().to_string();
    for (codec, suffix) in [("none", "tar"), ("gzip:1", "tar+gzip"), ("zstd:1", "tar+zstd")] {
        let name = codec.replace(':', "-");
        let target = format!("oci:{directory}:{name}");
        let one = export(&source, &target, &["--compress", codec, "-j", "1"]);
        let archive = format!("oci-archive:{}:{name}", scratch.join(&name).display());
        let other = export(&source, &archive, &["--compress", codec, "-j", "3"]);
        assert_eq!((&one["manifest"], &one["layers"]), (&other["manifest"], &other["layers"]), "{codec}");
        for target in [&target, &archive] {
            assert_eq!(image(target), expected, "{target}");
        }
        let hex = one["manifest"].as_str().unwrap().replace("sha256:", "");
        let manifest = fs::read(scratch.join("images/blobs/sha256").join(&hex)).unwrap();
        assert_eq!(digest(&manifest), format!("sha256:{hex}"));
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert!(manifest["layers"][0]["mediaType"].as_str().unwrap().ends_with(suffix), "{manifest}");
    }
    // All of them are in one layout, without a file that is left over.
    let index: Value = serde_json::from_slice(&fs::read(scratch.join("images/index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
    let names = fs::read_dir(scratch.join("images/blobs/sha256")).unwrap();
    assert!(names.into_iter().all(|entry| entry.unwrap().file_name().len() == 64));
}

#[test]
fn settings_and_times_are_in_the_configuration() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let settings = json!({ "Entrypoint": ["/init"], "Env": ["A=b"], "Unknown": { "x": 1 } });
    let file = scratch.file("config.json", settings.to_string()).display().to_string();
    let target = format!("oci:{}:v1", scratch.join("images").display());
    let report = export(&source, &target, &["--config", &file, "--source-date-epoch", "1600000000"]);
    let hex = report["config_digest"].as_str().unwrap().replace("sha256:", "");
    let text = fs::read_to_string(scratch.join("images/blobs/sha256").join(hex)).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&config["config"], &config["created"]), (&settings, &json!("2020-09-13T12:26:40Z")));
    assert!(text.starts_with("{\"architecture\":\"amd64\",\"config\":{\"Entrypoint\""), "{text}");
    assert_eq!(config["rootfs"]["diff_ids"][0], report["layers"][0]["diff_id"]);
    let json = good(rootcast().args(["tar", &target, "--dry-run", "--json", "-q"])).stdout;
    let found: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(found["containers"][0]["config"], settings);
    // The same name takes the place of the former image.
    export(&source, &target, &[]);
    let json = good(rootcast().args(["tar", &target, "--dry-run", "--json", "-q"])).stdout;
    let found: Value = serde_json::from_slice(&json).unwrap();
    assert!(found["containers"][0]["config"].is_null());
}

#[test]
fn skopeo_and_umoci_take_what_is_exported() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    for codec in ["gzip", "zstd"] {
        let archive = format!("oci-archive:{}:v1", scratch.join(codec).display());
        export(&source, &archive, &["--compress", codec]);
        let Some(mut skopeo) = judges::command("skopeo") else { return };
        let copy = scratch.join(format!("{codec}-copy"));
        let target = format!("oci:{}:v1", copy.display());
        good(skopeo.args(["--insecure-policy", "--override-arch", "amd64", "copy", "-q", &archive, &target]));
        good(std::process::Command::new("chmod").args(["-R", "a+rX"]).arg(&copy));
        assert_eq!(image(&target), image(&source), "{codec}");
        if codec == "gzip" && judges::is_root() {
            unpacked(&scratch, &copy);
        }
    }
}

/// Compares the tree that umoci unpacks with that of the image.
fn unpacked(scratch: &Scratch, layout: &Path) {
    let Some(mut umoci) = judges::command("umoci") else { return };
    let bundle = scratch.join("bundle");
    good(umoci.args(["unpack", "--image", &format!("{}:v1", layout.display())]).arg(&bundle));
    let tree = |source: &str| {
        let mut command = crate::product::rootcast_as_root();
        command.args([
            "tar",
            source,
            "--digest",
            "--owner",
            "keep",
            "--xattr-filter",
            "drop=security.selinux",
        ]);
        good(command.args(["--source-date-epoch", "1600000000", "--clamp-mtime-min", "1600000000"])).text()
    };
    let rootfs = bundle.join("rootfs").display().to_string();
    assert_eq!(tree(&rootfs), tree(&format!("oci:{}:v1", layout.display())));
}

#[test]
fn what_an_image_cannot_state_is_refused() {
    let scratch = Scratch::new();
    let empty = scratch.file("empty.tar", tar(&[])).display().to_string();
    let target = format!("oci:{}:v1", scratch.join("images").display());
    for (arguments, code, words) in [
        (&["-o", &target][..], 2, "give --arch or --platform"),
        (&["-o", "images"], 2, "--output is oci:DIR or oci-archive:FILE"),
        (&["-o", "docker-archive:x"], 2, "--output is oci:DIR or oci-archive:FILE"),
        (&["-o", &target, "--config", &empty], 3, "is not a JSON object"),
        (
            &["-o", &target, "--arch", "arm64", "--mknod", "/x:c:0:0"],
            3,
            "is a whiteout in a layer; --remove /x",
        ),
    ] {
        let outcome = run(rootcast().args(["oci-export", &empty]).args(arguments));
        assert_eq!(outcome.code, Some(code), "{outcome}");
        assert!(outcome.stderr.contains(words), "{outcome}");
        assert!(!scratch.join("images/index.json").exists());
    }
}
