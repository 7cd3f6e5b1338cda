//! Images that are incomplete, altered or made to exhaust the reader: an error that names the layer.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::layout::{CONFIG, GZIP, INDEX, Layer, Layout, MANIFEST, Member, digest, gzip, oci, tar};
use crate::output::failures::{SmallFilesystem, names};
use crate::product::{Scratch, rootcast, run};

fn layer() -> Layer {
    Layer::gzip(tar(&[Member::directory("d"), Member::file("d/f", "contents")]))
}

/// Makes a layout of two layers, changes it, and checks that reading it fails with these words.
#[track_caller]
fn refused(change: impl FnOnce(&Layout, &mut Value), words: &[&str]) {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let mut manifest = layout.manifest(&[layer(), Layer::gzip(tar(&[Member::file("top", "top")]))], "amd64");
    change(&layout, &mut manifest);
    if !layout.0.join("index.json").exists() {
        layout.index(&[layout.json(MANIFEST, &manifest)]);
    }
    check(&layout.0, &[], words);
}

#[track_caller]
fn check(layout: &Path, more: &[&str], words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = rootcast();
    command.args(["image", &oci(layout), "-o"]).arg(scratch.join("out")).args(more);
    let outcome = run(&mut command);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{word}: {outcome}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "{outcome}");
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn altered_blobs_are_named() {
    let flip = |layout: &Layout, descriptor: &Value, at: usize| {
        let path = layout.path(text(&descriptor["digest"]));
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    refused(
        |layout, manifest| flip(layout, &manifest["layers"][1], 30),
        &["layer 2 of 2", "its digest is sha256:"],
    );
    refused(
        |layout, manifest| flip(layout, &manifest["layers"][0], 3),
        &["layer 1 of 2", "its digest is sha256:"],
    );
    refused(|layout, manifest| flip(layout, &manifest["config"], 3), &["the configuration has the digest"]);
    let cut = |layout: &Layout, descriptor: &Value| {
        let path = layout.path(text(&descriptor["digest"]));
        let bytes = fs::read(&path).unwrap();
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    };
    refused(
        |layout, manifest| cut(layout, &manifest["layers"][0]),
        &["layer 1 of 2", "and its descriptor says"],
    );
    refused(
        |layout, manifest| fs::remove_file(layout.path(text(&manifest["layers"][1]["digest"]))).unwrap(),
        &["layer 2 of 2", "is missing"],
    );
}

#[test]
fn layers_with_other_contents_than_stated_are_refused() {
    let replace = |layout: &Layout, manifest: &mut Value, stored: &[u8]| {
        manifest["layers"][0] = layout.blob(text(&manifest["layers"][0]["mediaType"]), stored);
    };
    let other = gzip(&tar(&[Member::file("other", "")]));
    refused(|layout, manifest| replace(layout, manifest, &other), &["layer 1 of 2", "its diffID is sha256:"]);
    let whole = layer().stored;
    refused(
        |layout, manifest| replace(layout, manifest, &whole[..whole.len() - 9]),
        &["layer 1 of 2", "cannot be unpacked"],
    );
    let trailing = [&whole[..], b"trailing"].concat();
    refused(|layout, manifest| replace(layout, manifest, &trailing), &["layer 1 of 2"]);
    let zeros = [&whole[..], &[0; 512]].concat();
    refused(|layout, manifest| replace(layout, manifest, &zeros), &["layer 1 of 2", "512 zeros follow"]);
    refused(
        |layout, manifest| replace(layout, manifest, b"\xfd7zXZ\0........"),
        &["layer 1 of 2", "compressed with xz"],
    );
    refused(|layout, manifest| replace(layout, manifest, &gzip(b"not a tar archive")), &["layer 1 of 2"]);
}

#[test]
fn altered_layers_without_compression_are_named() {
    let media_type = Layer::plain(Vec::new()).media_type;
    let (right, wrong) = (tar(&[Member::file("top", "top")]), tar(&[Member::file("top", "pot")]));
    refused(
        |layout, manifest| manifest["layers"][1] = layout.blob(&media_type, &wrong),
        &["layer 2 of 2", &format!("its diffID is {}, and not {}", digest(&wrong), digest(&right))],
    );
    // Its digest and diffID are the same.
    refused(
        |layout, manifest| {
            manifest["layers"][1] = layout.blob(&media_type, &right);
            fs::write(layout.path(&digest(&right)), &wrong).unwrap();
        },
        &["layer 2 of 2", &format!("its diffID is {}, and not {}", digest(&wrong), digest(&right))],
    );
    refused(
        |layout, manifest| {
            manifest["layers"][1] = layout.blob(&media_type, &right);
            manifest["layers"][1]["digest"] = digest(&wrong).into();
            fs::rename(layout.path(&digest(&right)), layout.path(&digest(&wrong))).unwrap();
        },
        &["layer 2 of 2", &format!("its digest is {}, and not {}", digest(&right), digest(&wrong))],
    );
}

/// The rest of such a layer is hashed as well, which is longer than what decompression reads ahead.
#[test]
fn a_layer_with_its_digest_is_named_for_its_contents() {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let stored = gzip(&noise.take(4 << 20).collect::<Vec<u8>>());
    refused(
        |layout, manifest| manifest["layers"][0] = layout.blob(GZIP, &stored),
        &["layer 1 of 2", "offset 0: "],
    );
}

#[test]
fn layers_that_cannot_be_read_are_named_by_type() {
    let typed = |media_type: &'static str| {
        move |_: &Layout, manifest: &mut Value| manifest["layers"][1]["mediaType"] = media_type.into()
    };
    refused(
        typed("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
        &["layer 2 of 2", "is encrypted"],
    );
    refused(
        typed("application/vnd.in-toto+json"),
        &["layer 2 of 2", "vnd.in-toto+json", "is not the media type of a layer"],
    );
    refused(
        |layout, manifest| {
            fs::remove_file(layout.path(text(&manifest["layers"][1]["digest"]))).unwrap();
            manifest["layers"][1]["mediaType"] =
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".into();
        },
        &["layer 2 of 2", "is not distributable"],
    );
}

#[test]
fn ambiguous_and_invalid_documents_are_refused() {
    refused(|_, manifest| manifest["manifests"] = json!([]), &["has both layers and manifests"]);
    refused(|_, manifest| manifest["mediaType"] = INDEX.into(), &["media type"]);
    refused(|_, manifest| manifest["schemaVersion"] = 1.into(), &["has 1 schemaVersion"]);
    refused(
        |_, manifest| manifest["config"]["mediaType"] = "application/vnd.oci.empty.v1+json".into(),
        &["an artifact", "vnd.oci.empty"],
    );
    refused(
        |_, manifest| _ = manifest["layers"].as_array_mut().unwrap().pop(),
        &["has 1 layers, and its configuration diff_ids for 2"],
    );
    refused(|_, manifest| manifest["layers"][0]["size"] = (-1).into(), &["the manifest is not valid", "-1"]);
    refused(
        |_, manifest| manifest["layers"][0]["digest"] = "sha256:../../../etc/passwd".into(),
        &["layer 1 of 2", "is not a digest"],
    );
    refused(
        |_, manifest| manifest["layers"][0]["digest"] = "md5:00".into(),
        &["another algorithm than sha256 and sha512"],
    );
    refused(
        |layout, manifest| {
            let twice = manifest.to_string().replacen('{', "{\"schemaVersion\":2,", 1);
            layout.index(&[layout.blob(MANIFEST, twice.as_bytes())]);
        },
        &["the key \"schemaVersion\" is there twice"],
    );
    refused(
        |layout, manifest| {
            manifest["annotations"] = json!({ "long": "x".repeat(4 << 20) });
            layout.index(&[layout.json(MANIFEST, manifest)]);
        },
        &["the manifest has 419", "more than 4194304 are not read"],
    );
    refused(
        |layout, manifest| {
            let config = json!({ "os": "windows", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": [] } });
            manifest["config"] = layout.json(CONFIG, &config);
            manifest["layers"] = json!([]);
        },
        &["windows/amd64", "only those for linux"],
    );
    refused(
        |layout, _| {
            layout.index(&[json!({ "mediaType": "application/json", "digest": digest(b""), "size": 0 })])
        },
        &["has no image, only data of other types, such as \"application/json\""],
    );
}

#[test]
fn indexes_within_indexes_end() {
    let nested = |depth: usize| {
        move |layout: &Layout, manifest: &mut Value| {
            let mut entry = layout.json(MANIFEST, manifest);
            for _ in 0..depth {
                entry = layout
                    .json(INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] }));
            }
            layout.index(&[entry]);
        }
    };
    refused(nested(9), &["has an index within more than 8 others"]);
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    nested(8)(&layout, &mut layout.manifest(&[layer()], "amd64"));
    run(rootcast().args(["tree", &oci(&layout.0)])).success().unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn links_of_the_layout_are_not_followed() {
    refused(
        |layout, manifest| {
            let path = layout.path(text(&manifest["layers"][0]["digest"]));
            fs::rename(&path, layout.0.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(layout.0.join("elsewhere"), &path).unwrap();
        },
        &["is a symbolic link, which is not followed"],
    );
}

#[test]
fn limits_hold_for_all_layers_together() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let layers: Vec<Layer> = (0..4)
        .map(|number| Layer::gzip(tar(&[Member::file(&number.to_string(), &"x".repeat(100_000))])))
        .collect();
    layout.image(&layers);
    check(&layout.0, &["--max-size", "350000"], &["more than 350000 bytes; --max-size"]);
    check(&layout.0, &["--max-entries", "3"], &["more than 3 members", "--max-entries"]);
    let outcome =
        run(rootcast().args(["tree", &oci(&layout.0), "--max-size", "450000", "--max-entries", "4"]));
    outcome.success().unwrap_or_else(|why| panic!("{why}"));
}

/// Programs ignore bytes behind the end of a layer, which take time to unpack all the same.
#[test]
fn bytes_behind_the_ends_of_layers_count_together() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let layers: Vec<Layer> = (0..4)
        .map(|number| {
            let whole = tar(&[Member::file(&number.to_string(), "x")]);
            Layer::gzip([&whole[..], &vec![b'x'; 1 << 20]].concat())
        })
        .collect();
    layout.image(&layers);
    check(&layout.0, &["--max-size", "3M"], &["layer ", "more than 3145728 bytes; --max-size"]);
    let outcome = run(rootcast().args(["tree", &oci(&layout.0), "--max-size", "5M"]));
    outcome.success().unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn many_layers_are_read() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    let layer = |number: usize| {
        let text = number.to_string();
        let members = [Member::file("f", &text), Member::file(&format!("f{text}"), &text)];
        Layer::gzip(tar(&members))
    };
    layout.image(&(0..200).map(layer).collect::<Vec<_>>());
    let outcome = run(rootcast().args(["tree", &oci(&layout.0), "--image-config", "none"]));
    let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(outcome.text().lines().count(), 202);
}

#[test]
fn a_spool_that_cannot_be_written_is_named() {
    let scratch = Scratch::new();
    let layout = Layout::new(scratch.join("layout"));
    layout.image(&[layer()]);
    let source = oci(&layout.0);
    let target = format!("oci:{}", scratch.join("images").display());
    let packed = gzip(&tar(&[Member::file("index.json", "{}")]));
    let archive = format!("oci-archive:{}", scratch.file("packed.tar.gz", packed).display());
    for arguments in [
        &["tree", &source][..],
        &["tree", &archive],
        &["oci-export", &source, "-o", &target, "--arch", "amd64"],
    ] {
        let outcome = run(rootcast().args(arguments).args(["--spool", "/nowhere"]));
        assert_eq!(outcome.code, Some(6), "{outcome}");
        assert!(outcome.stderr.contains("/nowhere") && outcome.stderr.contains("--spool"), "{outcome}");
    }
    assert!(!scratch.join("images").exists());
}

#[test]
fn a_full_spool_is_named_and_left_empty() {
    let scratch = Scratch::new();
    let Some(small) = SmallFilesystem::new(&scratch) else { return };
    let layout = Layout::new(scratch.join("layout"));
    // The first 64 MiB of all layers stay in memory.
    let long = "no zeros ".repeat(5 << 20);
    let layer = |name| Layer::gzip(tar(&[Member::file(name, &long)]));
    layout.image(&[layer("a"), layer("b")]);
    let spool = small.0.display().to_string();
    let out = scratch.join("out");
    let mut command = rootcast();
    let outcome = run(command.args(["image", &oci(&layout.0), "--spool", &spool, "-j", "2", "-o"]).arg(&out));
    assert_eq!(outcome.code, Some(6), "{outcome}");
    for words in ["layer ", &spool, "No space left", "--spool names another directory"] {
        assert!(outcome.stderr.contains(words), "{words}: {outcome}");
    }
    assert_eq!((names(&small.0), out.exists()), (Vec::new(), false));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for (path, words) in [(&b"a\0b"[..], "a\\x00b"), (b"d/../../x", "d/../../x")] {
        let mut member = Member::file("x", "");
        member.records.push(("path".to_owned(), path.to_vec()));
        refused(
            |layout, manifest| {
                *manifest =
                    layout.manifest(&[layer(), Layer::gzip(tar(std::slice::from_ref(&member)))], "amd64");
            },
            &["layer 2 of 2", words],
        );
    }
}

/// An index cannot state its own digest, so that one that names itself is another than stated.
#[test]
fn an_index_that_contains_itself_is_refused() {
    refused(
        |layout, _| {
            let entry = json!({ "mediaType": INDEX, "digest": digest(b"itself"), "size": 300 });
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] }).to_string();
            fs::write(layout.path(text(&entry["digest"])), format!("{index:300}")).unwrap();
            layout.index(&[entry]);
        },
        &["has the digest sha256:", "and its descriptor says sha256:"],
    );
}
