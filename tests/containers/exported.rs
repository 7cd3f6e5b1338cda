//! `rootcast oci-export`: images that skopeo and umoci take, and that give the same tree again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::layout::{CONFIG, Layer, Layout, MANIFEST, Member, digest, oci, tar, usual};
use crate::judges;
use crate::output::failures::{SmallFilesystem, names};
use crate::product::{Outcome, Scratch, rootcast, run};

fn good(command: &mut std::process::Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

/// Exports a source, and returns the report.
fn export(source: &str, output: &str, more: &[&str]) -> Value {
    let mut command = rootcast();
    command.args(["oci-export", source, "-o", output, "--json", "-q", "--arch", "amd64"]).args(more);
    report(&mut command)
}

/// Returns the report of a run, which has to be valid.
fn report(command: &mut std::process::Command) -> Value {
    let json = good(command).stdout;
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

/// Each run adds its image to the index that the others change.
#[test]
fn runs_at_the_same_time_lose_no_image() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let directory = scratch.join("images");
    let at = |number: u32| format!("oci:{}:v{number}", directory.display());
    std::thread::scope(|scope| {
        for number in 0..12 {
            let (source, target) = (&source, at(number));
            scope.spawn(move || {
                good(rootcast().args(["oci-export", source, "-o", &target, "--arch", "amd64"]))
            });
        }
    });
    let expected = image(&source);
    assert!((0..12).all(|number| image(&at(number)) == expected));
}

#[test]
fn an_existing_index_keeps_all_else() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("images"));
    let other = json!({ "mediaType": "application/json", "digest": digest(b""), "size": 0, "x": [1] });
    let index = json!({ "schemaVersion": 2, "annotations": { "a": "b" }, "manifests": [other] });
    fs::write(layout.0.join("index.json"), index.to_string()).unwrap();
    good(std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(&layout.0));
    export(&source(&scratch), &format!("{}:v1", oci(&layout.0)), &[]);
    let found: Value = serde_json::from_slice(&fs::read(layout.0.join("index.json")).unwrap()).unwrap();
    assert_eq!((&found["annotations"], &found["manifests"][0]), (&index["annotations"], &other));
    assert_eq!(found["manifests"].as_array().unwrap().len(), 2);
    fs::write(layout.0.join("index.json"), "[]").unwrap();
    let target = format!("{}:v2", oci(&layout.0));
    let outcome = run(rootcast().args(["oci-export", &source(&scratch), "-o", &target, "--arch", "amd64"]));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("index.json: is not an index"), "{outcome}");
}

/// Returns the name of a source whose layer gzip does not compress, of 64 MiB.
fn long_source(scratch: &Scratch) -> String {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let data: Vec<u8> = noise.take(1 << 20).collect();
    let member = |number: u32| Member { data: data.clone(), ..Member::file(&number.to_string(), "") };
    scratch.file("long.tar", tar(&(0..64).map(member).collect::<Vec<_>>())).display().to_string()
}

#[test]
fn an_export_that_fails_or_is_killed_leaves_nothing() {
    let scratch = Scratch::new();
    let source = long_source(&scratch);
    if let Some(small) = SmallFilesystem::new(&scratch) {
        let at = small.0.display().to_string();
        for target in [format!("oci:{at}/new/images:v1"), format!("oci-archive:{at}/archive")] {
            let outcome = run(rootcast().args(["oci-export", &source, "-o", &target, "--arch", "amd64"]));
            assert_eq!(outcome.code, Some(6), "{outcome}");
            assert!(outcome.stderr.contains(&at) && outcome.stderr.contains("No space left"), "{outcome}");
            assert_eq!(names(&small.0), [""; 0], "{target}");
        }
    }
    let layout = Layout::new(scratch.join("images"));
    good(std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(&layout.0));
    let new = format!("oci:{}", scratch.join("new/images").display());
    let archive = format!("oci-archive:{}", scratch.join("archive").display());
    for target in [oci(&layout.0), new, archive] {
        let before = names(scratch.path());
        let mut command = rootcast();
        command.args(["oci-export", &source, "-o", &target, "--arch", "amd64"]);
        kill_while_it_writes(command.args(["--compress", "gzip:9", "-j", "1", "-q"]));
        assert_eq!(names(scratch.path()), before, "{target}");
    }
    assert_eq!(names(&layout.0.join("blobs/sha256")), [""; 0]);
    assert!(!layout.0.join("index.json").exists());
}

/// Kills a run after it wrote the first MiB to a file without a name.
fn kill_while_it_writes(command: &mut std::process::Command) {
    let mut child = command.spawn().expect("rootcast starts");
    let files = std::path::PathBuf::from(format!("/proc/{}/fd", child.id()));
    let is_written = |file: fs::DirEntry| {
        let is_unnamed =
            fs::read_link(file.path()).is_ok_and(|name| name.to_string_lossy().ends_with(" (deleted)"));
        is_unnamed && fs::metadata(file.path()).is_ok_and(|found| found.len() >= 1 << 20)
    };
    while !fs::read_dir(&files).unwrap().flatten().any(is_written) {
        assert!(child.try_wait().unwrap().is_none(), "it ends before it is killed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_dry_run_of_an_export_writes_nothing() {
    let scratch = Scratch::new();
    let source = source(&scratch);
    let image = scratch.join("images");
    let target = format!("oci:{}:v1", image.display());
    let planned = |arguments: &[&str]| {
        let mut command = rootcast();
        report(
            command.args(["oci-export", &source, "--arch", "amd64", "--dry-run", "--json"]).args(arguments),
        )
    };
    let nowhere = planned(&["--compress", "none"]);
    let planned = planned(&["-o", &target]);
    assert!(!image.exists());
    let exported = export(&source, &target, &[]);
    assert_eq!((&planned["written"], &exported["written"]), (&json!(false), &json!(true)));
    assert_eq!(planned["output"], exported["output"]);
    let len = &exported["layers"][0]["archive_bytes"];
    let unknown = json!({ "digest": null, "diff_id": null, "size": null, "archive_bytes": len });
    assert_eq!((&planned["layers"], &planned["manifest"]), (&json!([unknown]), &Value::Null));
    assert_eq!((&nowhere["output"], &nowhere["layers"][0]["size"]), (&Value::Null, len));
    let text = good(rootcast().args(["oci-export", &source, "--arch", "amd64", "--dry-run"])).text();
    assert!(text.starts_with("image          linux/amd64\n  layer"), "{text}");
    assert!(text.ends_with("nothing was written\n"), "{text}");
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
    // The same name takes the place of the former image. Without others, the settings are those of
    // the source.
    export(&source, &target, &[]);
    let json = good(rootcast().args(["tar", &target, "--dry-run", "--json", "-q"])).stdout;
    let found: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(found["containers"][0]["config"], json!({ "Cmd": ["/init"] }));
}

#[test]
fn platform_and_settings_are_those_of_the_last_image_among_the_sources() {
    let scratch = Scratch::new();
    let image = |name: &str, platform: &[(&str, &str)]| {
        let layout = Layout::new(scratch.join(name));
        let mut manifest = layout.manifest(&[Layer::gzip(tar(&[Member::file(name, "")]))], "unknown");
        let path = layout.path(manifest["config"]["digest"].as_str().unwrap());
        let mut config: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        config["config"] = json!({ "Cmd": [name] });
        for (key, value) in platform {
            config[key] = json!(value);
        }
        manifest["config"] = layout.json(CONFIG, &config);
        layout.index(&[layout.json(MANIFEST, &manifest)]);
        oci(&layout.0)
    };
    let unknown = image("unknown", &[]);
    let strange = image("strange", &[("architecture", "arm/v6/x")]);
    let riscv = image("riscv", &[("architecture", "riscv64")]);
    let arm = image("arm", &[("architecture", "arm"), ("variant", "v6")]);
    let export = |arguments: &[&str]| {
        let target = format!("oci:{}:v1", scratch.join("exported").display());
        let mut command = rootcast();
        run(command
            .args(["oci-export", "-o", &target, "--json", "-q", "--image-config=none"])
            .args(arguments))
    };
    let platform = |arguments: &[&str]| {
        let outcome = export(arguments).success().unwrap_or_else(|why| panic!("{why}"));
        let report: Value = serde_json::from_slice(&outcome.stdout).expect("it is JSON");
        let hex = report["config_digest"].as_str().unwrap().replace("sha256:", "");
        let config = fs::read(scratch.join("exported/blobs/sha256").join(hex)).unwrap();
        let config: Value = serde_json::from_slice(&config).unwrap();
        let stated = [&config["os"], &config["architecture"], &config["variant"]];
        let stated: Vec<&str> = stated.into_iter().filter_map(Value::as_str).collect();
        assert_eq!(report["platform"], stated.join("/"));
        format!("{} {}", stated.join("/"), config["config"]["Cmd"][0])
    };
    assert_eq!(platform(&[&riscv]), "linux/riscv64 \"riscv\"");
    assert_eq!(platform(&[&riscv, &arm]), "linux/arm/v6 \"arm\"");
    assert_eq!(platform(&[&arm, &riscv]), "linux/riscv64 \"riscv\"");
    assert_eq!(platform(&[&arm, "--arch", "arm"]), "linux/arm \"arm\"");
    // One that states none leaves the choice to the programs, of which there are none.
    for source in [&unknown, &strange] {
        let outcome = export(&[source]);
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert!(outcome.stderr.contains("give --arch or --platform"), "{outcome}");
    }
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
            "--image-config=none",
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

/// Returns the sources of three layers: files of several kinds, a directory over them, and one with
/// whiteouts.
fn sources(scratch: &Scratch) -> Vec<String> {
    let [base, _, _] = usual().try_into().expect("three layers");
    let directory = scratch.join("overlay");
    fs::create_dir_all(directory.join("d/sub")).unwrap();
    fs::write(directory.join("d/sub/new"), "new").unwrap();
    fs::write(directory.join("owned"), "changed").unwrap();
    let last = tar(&[
        Member::file(".wh.gone", ""),
        Member::file("d/.wh.old", ""),
        Member::directory("bin"),
        Member::file("bin/.wh.ash", ""),
        Member { owner: (3, 4), mtime: 5, ..Member::file("bin/own", "own") },
    ]);
    vec![
        scratch.file("base.tar", base).display().to_string(),
        directory.display().to_string(),
        scratch.file("last.tar", last).display().to_string(),
    ]
}

/// Returns the digest of the tree of an image as an archive.
fn archived(source: &str) -> String {
    good(rootcast().args(["tar", source, "--digest"])).text()
}

fn split(scratch: &Scratch, output: &str, more: &[&str]) -> (Value, String) {
    let sources = sources(scratch);
    let (first, others) = sources.split_first().unwrap();
    let mut arguments = vec!["--whiteouts", "apply"];
    arguments.extend(others.iter().map(String::as_str));
    arguments.extend(more);
    let expected = good(rootcast().args(["tar", first, "--digest"]).args(&arguments)).text();
    arguments.push("--split");
    (export(first, output, &arguments), expected)
}

#[test]
fn split_images_have_a_layer_for_each_source() {
    let scratch = Scratch::new();
    let target = format!("oci:{}:v1", scratch.join("images").display());
    let times = ["--source-date-epoch", "1600000000"];
    let (report, expected) =
        split(&scratch, &target, &[&times[..], &["--remove", "/null", "-j", "1"]].concat());
    assert_eq!(archived(&target), expected);
    assert_eq!(report["layers"].as_array().unwrap().len(), 3);
    let hex = report["config_digest"].as_str().unwrap().replace("sha256:", "");
    let config: Value =
        serde_json::from_slice(&fs::read(scratch.join("images/blobs/sha256").join(hex)).unwrap()).unwrap();
    let created = "2020-09-13T12:26:40Z";
    let entry = json!({ "created": created, "created_by": "rootcast oci-export --split" });
    assert_eq!(config["history"], json!([entry, entry, entry]));
    let diff_ids: Vec<&Value> =
        report["layers"].as_array().unwrap().iter().map(|of| &of["diff_id"]).collect();
    assert_eq!(config["rootfs"]["diff_ids"], json!(diff_ids));
    // The same at any number of threads, in an archive, and with a cache that has all pieces.
    let archive = format!("oci-archive:{}:v1", scratch.join("image.tar").display());
    let cache = scratch.join("cache").display().to_string();
    for _ in 0..2 {
        let more = [&times[..], &["--remove", "/null", "-j", "3", "--cache", &cache]].concat();
        assert_eq!(split(&scratch, &archive, &more).0["manifest"], report["manifest"]);
        fs::remove_dir_all(scratch.join("overlay")).unwrap();
    }
    // The base is the layer that it is in other images, with what later sources hide.
    let source = sources(&scratch).remove(0);
    let other = scratch.file("other.tar", tar(&[Member::file("x", "x")])).display().to_string();
    let alone = export(&source, &archive, &[&other, "--split", times[0], times[1], "--remove", "/null"]);
    assert_eq!(alone["layers"][0], report["layers"][0]);
    // A removed file is in no layer.
    let layer = report["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "");
    let layer = scratch.join("images/blobs/sha256").join(layer).display().to_string();
    let text = good(rootcast().args(["tree", &layer])).text();
    assert!(text.contains("/gone ") && text.contains("/bin/ash ") && !text.contains("/null "), "{text}");
    let one = export(&source, &archive, &["--split"]);
    assert_eq!(one["layers"].as_array().unwrap().len(), 1);
}

#[test]
fn empty_layers_of_split_images_are_one_blob() {
    let scratch = Scratch::new();
    let file = scratch.file("x.tar", tar(&[Member::file("x", "x")])).display().to_string();
    for target in [
        format!("oci:{}", scratch.join("a").display()),
        format!("oci-archive:{}", scratch.join("b").display()),
    ] {
        let report = export(&file, &target, &[&file, &file, "--split"]);
        assert_eq!(report["layers"][1], report["layers"][2]);
        assert_eq!(image(&target), image(&file));
    }
}

#[test]
fn umoci_unpacks_split_images_to_the_merged_tree() {
    let scratch = Scratch::new();
    let (images, times) = (scratch.join("images"), ["--source-date-epoch", "1600000000"]);
    let target = format!("oci:{}:v1", images.display());
    let (_, expected) = split(&scratch, &target, &times);
    if judges::is_root() {
        unpacked(&scratch, &images);
    }
    let Some(mut skopeo) = judges::command("skopeo") else { return };
    let copy = format!("docker-archive:{}:n:t", scratch.join("copy.tar").display());
    good(skopeo.args(["--insecure-policy", "--override-arch", "amd64", "copy", "-q", &target, &copy]));
    good(std::process::Command::new("chmod").arg("a+r").arg(scratch.join("copy.tar")));
    assert_eq!(archived(&copy), expected);
}
