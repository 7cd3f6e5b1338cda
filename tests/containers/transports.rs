//! One image in every form makes the same tree, and among several the right one is chosen.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::layout::{INDEX, Layer, Layout, MANIFEST, Member, digest, oci, tar, usual};
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};
use crate::sources::tar::builder::Archive;

fn image_digest(source: &str, more: &[&str]) -> String {
    let outcome = run(rootcast().args(["image", source, "--digest"]).args(more));
    outcome.success().unwrap_or_else(|why| panic!("{source}: {why}")).text().trim_end().to_owned()
}

fn report(source: &str, more: &[&str]) -> Value {
    let outcome = run(rootcast().args(["tar", source, "--dry-run", "--json", "-q"]).args(more));
    let outcome = outcome.success().unwrap_or_else(|why| panic!("{source}: {why}"));
    serde_json::from_slice(&outcome.stdout).expect("it is JSON")
}

fn failed(source: &str, more: &[&str]) -> Outcome {
    let outcome = run(rootcast().args(["tree", source]).args(more));
    assert!(matches!(outcome.code, Some(2 | 3 | 6)), "{outcome}");
    outcome
}

/// Returns the archive of a directory as a tar archive, without its own entry.
fn packed(directory: &Path) -> Vec<u8> {
    let mut archive = Archive::new();
    let mut left = vec![directory.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        match path.is_dir() {
            true => left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => files.push(path),
        }
    }
    files.sort();
    for path in files {
        let name = path.strip_prefix(directory).unwrap().display().to_string();
        archive = archive.member(&name, b'0', &fs::read(&path).unwrap());
    }
    archive.finish()
}

/// Returns what `docker save` wrote before it wrote layouts: the second layer is a link to a file.
fn saved(layers: &[Vec<u8>]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": { "Cmd": ["/init"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = config.to_string();
    let name = digest(config.as_bytes()).replace("sha256:", "") + ".json";
    let paths: Vec<String> = (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let list = json!([{ "Config": name, "RepoTags": ["example.org/n:t", "n:latest"], "Layers": paths }]);
    let mut archive = Archive::new().member(&name, b'0', config.as_bytes());
    for (number, layer) in layers.iter().enumerate() {
        archive = match number {
            1 => archive.member("second.tar", b'0', layer).link("1/layer.tar", b'2', "../second.tar"),
            _ => archive.member(&format!("{number}/layer.tar"), b'0', layer),
        };
    }
    archive.member("manifest.json", b'0', list.to_string().as_bytes()).finish()
}

#[test]
fn every_transport_of_an_image_gives_one_digest() {
    let scratch = Scratch::new();
    let layers = usual();
    let packed_as = |pack: fn(Vec<u8>) -> Layer| layers.iter().cloned().map(pack).collect::<Vec<_>>();
    let zstd = |plain: Vec<u8>| Layer {
        stored: zstd::bulk::compress(&plain, 3).expect("memory takes it"),
        plain,
        media_type: "application/vnd.oci.image.layer.v1.tar+zstd".to_owned(),
    };
    let mut sources = Vec::new();
    for (name, layers) in
        [("gzip", packed_as(Layer::gzip)), ("plain", packed_as(Layer::plain)), ("zstd", packed_as(zstd))]
    {
        let layout = Layout::new(scratch.join(name));
        layout.image(&layers);
        sources.push(oci(&layout.0));
        sources.push(format!("{}:latest", oci(&layout.0)));
        let archive = scratch.file(&format!("{name}.tar"), packed(&layout.0));
        sources.push(format!("oci-archive:{}:@0", archive.display()));
    }
    let archive = scratch.file("saved.tar", saved(&layers));
    for image in ["", ":n:latest", ":docker.io/library/n", ":example.org/n:t", ":@0"] {
        sources.push(format!("docker-archive:{}{image}", archive.display()));
    }
    let packed = scratch.file("saved.tar.gz", super::layout::gzip(&saved(&layers)));
    sources.push(format!("docker-archive:{}", packed.display()));
    let expected = image_digest(&sources[0], &[]);
    for source in &sources {
        for more in [&["-j", "1"][..], &["-j", "3", "--spool", scratch.path().to_str().unwrap()]] {
            assert_eq!(image_digest(source, more), expected, "{source}");
        }
    }
    // The whole tree, which no layer has alone.
    let report = report(&sources[0], &[]);
    assert_eq!(report["counts"]["hard_links"], 2);
    assert_eq!(report["containers"][0]["layers"], 3);
    assert_eq!(report["containers"][0]["config"], json!({ "Cmd": ["/init"] }));
}

#[test]
fn altered_layers_of_docker_archives_are_refused() {
    let scratch = Scratch::new();
    let mut archive = saved(&[tar(&[Member::file("f", "contents")])]);
    let at = archive.windows(8).position(|bytes| bytes == b"contents").unwrap();
    archive[at] ^= 1;
    let archive = scratch.file("saved.tar", archive);
    let outcome = failed(&format!("docker-archive:{}", archive.display()), &[]);
    assert!(outcome.stderr.contains("layer 1 of 1") && outcome.stderr.contains("its diffID is"), "{outcome}");
}

#[test]
fn the_table_of_contents_of_a_layer_is_not_a_file_of_the_tree() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let layer = Layer::gzip(tar(&[Member::file("stargz.index.json", "{}"), Member::file("top", "top")]));
    let mut manifest = layout.manifest(&[layer], "amd64");
    for is_toc in [false, true] {
        if is_toc {
            let annotations = json!({ "containerd.io/snapshot/stargz/toc.digest": digest(b"{}") });
            manifest["layers"][0]["annotations"] = annotations;
        }
        layout.index(&[layout.json(MANIFEST, &manifest)]);
        let tree = run(rootcast().args(["tree", &oci(&layout.0)])).text();
        assert!(tree.contains("/top ") && tree.contains("/stargz.index.json ") != is_toc, "{tree}");
    }
}

#[test]
fn the_image_for_the_platform_is_chosen() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let entry = |architecture: &str, variant: Option<&str>, file: &str| {
        let layer = Layer::gzip(tar(&[Member::file(file, file)]));
        let mut descriptor = layout.json(MANIFEST, &layout.manifest(&[layer], architecture));
        descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
        if let Some(variant) = variant {
            descriptor["platform"]["variant"] = variant.into();
        }
        descriptor
    };
    let mut attestation = layout.blob(MANIFEST, b"{}");
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    let entries = [
        attestation,
        entry("amd64", None, "amd64"),
        entry("arm", Some("v6"), "armv6"),
        entry("arm", Some("v7"), "armv7"),
        entry("arm64", Some("v8"), "arm64"),
    ];
    let inner = layout.json(INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }));
    layout.index(&[inner]);
    let source = oci(&layout.0);
    let found = |more: &[&str]| {
        let outcome = run(rootcast().args(["tree", &source]).args(more)).success();
        let text = outcome.unwrap_or_else(|why| panic!("{why}")).text();
        text.lines().nth(1).and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned()
    };
    assert_eq!(found(&["--platform", "linux/amd64"]), "/amd64");
    assert_eq!(found(&["--platform", "linux/arm/v6"]), "/armv6");
    assert_eq!(found(&["--platform", "linux/arm"]), "/armv7");
    assert_eq!(found(&["--arch", "aarch64"]), "/arm64");
    let outcome = failed(&source, &["--platform", "linux/s390x"]);
    assert!(
        outcome.stderr.contains("no image for linux/s390x; --platform takes one of linux/amd64"),
        "{outcome}"
    );
    let only = Layout::new(scratch.join("only"));
    only.image(&[Layer::gzip(tar(&[]))]);
    let outcome = failed(&oci(&only.0), &["--platform", "linux/arm64"]);
    assert!(outcome.stderr.contains("is an image for linux/amd64, and not for linux/arm64"), "{outcome}");
}

#[test]
fn several_images_need_a_reference() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let image = |name: &str| {
        let layer = Layer::gzip(tar(&[Member::file(name, name)]));
        let mut descriptor = layout.json(MANIFEST, &layout.manifest(&[layer], "amd64"));
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        descriptor
    };
    layout.index(&[image("v1"), image("v2")]);
    let source = oci(&layout.0);
    let tree = |source: &str| run(rootcast().args(["tree", source])).success().unwrap().text();
    assert!(tree(&format!("{source}:v2")).contains("/v2 "));
    assert!(tree(&format!("{source}:@0")).contains("/v1 "));
    let outcome = failed(&source, &[]);
    assert!(outcome.stderr.contains("has several images: add a colon and one of v1, v2"), "{outcome}");
    let outcome = failed(&format!("{source}:v3"), &[]);
    assert!(outcome.stderr.contains("has no such image, only v1, v2"), "{outcome}");
    // With a dot it is a path, also where a layout has that name.
    let outcome = run(rootcast().args(["tree", "./oci:layout"]).current_dir(scratch.path()));
    assert!(outcome.stderr.contains("No such file"), "{outcome}");
}

#[test]
fn skopeo_copies_images_that_give_the_same_digest() {
    let Some(_) = judges::command("skopeo") else { return };
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    layout.image(&usual().into_iter().map(Layer::gzip).collect::<Vec<_>>());
    let source = format!("{}:latest", oci(&layout.0));
    let expected = image_digest(&source, &[]);
    let at = |name: &str| scratch.join(name).display().to_string();
    for target in [
        format!("dir:{}", at("dir")),
        format!("oci-archive:{}:latest", at("oci.tar")),
        format!("docker-archive:{}:n:t", at("docker.tar")),
        format!("oci:{}:copy", at("copy")),
    ] {
        let mut skopeo = judges::command("skopeo").expect("it was there");
        skopeo.args(["--insecure-policy", "--override-arch", "amd64", "copy", "-q"]).args([&source, &target]);
        run(&mut skopeo).success().unwrap_or_else(|why| panic!("{why}"));
        run(std::process::Command::new("chmod").args(["-R", "a+rX"]).arg(scratch.path())).success().unwrap();
        assert_eq!(image_digest(&target, &[]), expected, "{target}");
    }
}

#[test]
fn settings_are_a_file_of_the_tree() {
    const FILE: &str = "/etc/rootcast/config.json 18 100644 1 0 0 0 7.0 - {\"Cmd\":[\"/init\"]}\\n -";
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    layout.image(&[Layer::gzip(tar(&[Member::file("f", "x")]))]);
    let source = oci(&layout.0);
    let tree = |more: &[&str]| {
        run(rootcast().args(["tree", &source, "--source-date-epoch", "7"]).args(more))
            .success()
            .unwrap()
            .text()
    };
    let usual = tree(&[]);
    assert!(usual.contains(FILE), "{usual}");
    let file = scratch.file("recipe.toml", "image-config = \"opt/x\"\n").display().to_string();
    for more in [&["--image-config", "opt/x"][..], &["--recipe", &file]] {
        let text = tree(more);
        assert!(text.contains(&FILE.replace("/etc/rootcast/config.json", "/opt/x")), "{text}");
        assert!(!text.contains("/etc"), "{text}");
    }
    assert_eq!(tree(&["--image-config", "none"]).lines().count(), 2);
    // It is in a reduced tree as well, and in each kind of output.
    let kept = tree(&["--keep", "/f"]);
    assert!(kept.contains(FILE), "{kept}");
    let archive = run(rootcast().args(["tar", &source, "-o", "-"])).success().unwrap().stdout;
    let archive = scratch.file("out.tar", archive).display().to_string();
    let text = run(rootcast().args(["tree", &archive])).success().unwrap().text();
    assert!(text.contains("/etc/rootcast/config.json 18 100644"), "{text}");
    let outcome = run(rootcast().args(["tree", &archive, "--image-config", "/x"]));
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("no source is one"), "{outcome}");
    let outcome = run(rootcast().args(["tree", &source, "--image-config", "/etc", "--mkdir", "/etc"]));
    assert!(outcome.stderr.contains("--image-config /etc: it is a directory"), "{outcome}");
}
