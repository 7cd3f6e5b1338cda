//! `--cache`: decoded layers for later runs, whose digests are verified when they are used.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::layout::{Layer, Layout, Member, digest, oci, tar, usual};
use crate::output::failures::{SmallFilesystem, names};
use crate::product::{Outcome, Scratch, rootcast, run};

fn good(command: &mut Command) -> Outcome {
    run(command).success().unwrap_or_else(|why| panic!("{why}"))
}

fn image(source: &str, cache: &Path) -> Command {
    let mut command = rootcast();
    command.args(["image", source, "--digest", "-v", "--cache"]).arg(cache);
    command
}

/// Makes the layout of an image with layers compressed by gzip.
fn layout(scratch: &Scratch, name: &str, layers: &[Vec<u8>]) -> Layout {
    let layout = Layout::new(scratch.join(name));
    layout.image(&layers.iter().cloned().map(Layer::gzip).collect::<Vec<_>>());
    layout
}

/// Returns the paths of the decoded layers.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let mut names = names(cache);
    names.retain(|name| name.starts_with('l'));
    names.sort();
    names.into_iter().map(|name| cache.join(name)).collect()
}

#[test]
fn a_second_image_of_the_same_base_decodes_nothing_of_it() {
    let scratch = Scratch::new();
    let cache = scratch.join("cache");
    let [base, upper, _] = usual().try_into().expect("three layers");
    let other = tar(&[Member::file("other", "other")]);
    let first = layout(&scratch, "first", &[base.clone(), upper.clone()]);
    let second = layout(&scratch, "second", &[base.clone(), upper, other]);
    let expected = good(rootcast().args(["image", &oci(&second.0), "--digest"])).stdout;
    good(&mut image(&oci(&first.0), &cache));
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in entries(&cache) {
        assert_eq!(fs::metadata(&entry).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(
            format!("l{}", &digest(&fs::read(&entry).unwrap())[7..]),
            entry.file_name().unwrap().to_str().unwrap()
        );
    }
    assert_eq!(entries(&cache).len(), 2);
    // With garbage in their place, the base's bytes can only be those of the first image.
    let manifest = second.manifest(&[Layer::gzip(base)], "amd64");
    let blob = second.path(manifest["layers"][0]["digest"].as_str().unwrap());
    let len = fs::metadata(&blob).unwrap().len();
    fs::write(&blob, vec![0x1f; usize::try_from(len).unwrap()]).unwrap();
    let mut start = fs::read(&blob).unwrap();
    start[1] = 0x8b;
    fs::write(&blob, start).unwrap();
    let found = good(&mut image(&oci(&second.0), &cache));
    assert_eq!(found.stdout, expected);
    assert_eq!(found.stderr.matches("it was in the cache").count(), 2, "{found}");
    assert_eq!(found.stderr.matches("it is kept in the cache").count(), 1, "{found}");
    let outcome = run(rootcast().args(["image", &oci(&second.0), "--digest"]));
    assert!(outcome.stderr.contains("its digest is sha256:"), "{outcome}");
}

#[test]
fn a_changed_entry_is_not_used_and_is_replaced() {
    let scratch = Scratch::new();
    let cache = scratch.join("cache");
    let source = oci(&layout(&scratch, "layout", &usual()).0);
    let expected = good(&mut image(&source, &cache)).stdout;
    // Verified, and old enough so that they need not be verified again.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    good(&mut image(&source, &cache));
    let states = names(&cache).into_iter().filter(|name| name.starts_with('v'));
    assert_eq!(states.filter(|name| fs::metadata(cache.join(name)).unwrap().len() > 0).count(), 3);
    good(&mut image(&source, &cache));
    let before: Vec<Vec<u8>> = entries(&cache).iter().map(|entry| fs::read(entry).unwrap()).collect();
    let changes: [fn(&mut Vec<u8>); 4] =
        [|bytes| bytes[600] ^= 1, |bytes| bytes.truncate(512), Vec::clear, |bytes| bytes.extend([0; 512])];
    for change in changes {
        for entry in entries(&cache) {
            let mut bytes = fs::read(&entry).unwrap();
            change(&mut bytes);
            fs::set_permissions(&entry, fs::Permissions::from_mode(0o600)).unwrap();
            fs::write(&entry, bytes).unwrap();
        }
        let found = good(&mut image(&source, &cache));
        assert_eq!(found.stdout, expected);
        assert_eq!(found.stderr.matches("in the cache is damaged").count(), 3, "{found}");
        let after: Vec<Vec<u8>> = entries(&cache).iter().map(|entry| fs::read(entry).unwrap()).collect();
        assert!(after == before);
    }
    assert!(!good(&mut image(&source, &cache)).stderr.contains("warning"));
}

#[test]
fn every_verb_that_decodes_uses_the_cache() {
    let scratch = Scratch::new();
    let cache = scratch.join("cache");
    let source = oci(&layout(&scratch, "layout", &usual()).0);
    good(&mut image(&source, &cache));
    let target = format!("oci:{}:v1", scratch.join("exported").display());
    let file = scratch.join("out").display().to_string();
    for arguments in [
        &["tree"][..],
        &["tar", "-o", &file],
        &["closure", "--keep", "/bin/sh"],
        &["initrd", "--init", "none", "-o", &file],
        &["initrd", "--init", "none", "--compress", "none", "-o", &file],
        &["oci-export", "--arch", "amd64", "-o", &target],
    ] {
        let mut command = rootcast();
        command.args(arguments).args([&source, "-v", "--cache"]).arg(&cache);
        let found = good(&mut command);
        assert_eq!(found.stderr.matches("it was in the cache").count(), 3, "{arguments:?}: {found}");
    }
    let file = scratch.file("recipe.toml", format!("cache = \"{}\"\ncache-size = \"1M\"\n", cache.display()));
    let found = good(rootcast().args(["image", &source, "--digest", "-v", "--recipe"]).arg(file));
    assert_eq!(found.stderr.matches("it was in the cache").count(), 3, "{found}");
}

#[test]
fn a_cache_that_is_too_small_or_full_is_no_error() {
    let scratch = Scratch::new();
    let cache = scratch.join("cache");
    let source = oci(&layout(&scratch, "layout", &usual()).0);
    let expected = good(rootcast().args(["image", &source, "--digest"])).stdout;
    let found = good(image(&source, &cache).args(["--cache-size", "8K"]));
    assert_eq!(found.stdout, expected);
    assert!(found.stderr.contains("larger than --cache-size"), "{found}");
    assert!(entries(&cache).iter().map(|entry| fs::metadata(entry).unwrap().len()).sum::<u64>() <= 8192);
    let Some(small) = SmallFilesystem::new(&scratch) else { return };
    let full = small.0.join("cache");
    let long = "no zeros ".repeat(1 << 20);
    let source = oci(&layout(&scratch, "large", &[tar(&[Member::file("f", &long)])]).0);
    let expected = good(rootcast().args(["image", &source, "--digest"])).stdout;
    // The attempt to store it does not count.
    let limits = ["--max-size", "10M", "--max-entries", "1"];
    let found = good(image(&source, &full).args(limits).arg("--spool").arg(scratch.path()));
    assert_eq!(found.stdout, expected);
    assert!(
        found.stderr.contains("warning: ") && found.stderr.contains("No space left on device"),
        "{found}"
    );
    assert!(found.stderr.contains("it is not kept for the next run"), "{found}");
    assert!(entries(&full).is_empty());
}

#[test]
fn runs_share_a_cache_and_a_killed_one_leaves_nothing_wrong() {
    let scratch = Scratch::new();
    let cache = scratch.join("cache");
    let file = |number: u64| {
        let text: String = (0..2 << 20)
            .map(|at| char::from(b'a' + u8::try_from((at + number) * at / 7 % 26).unwrap()))
            .collect();
        tar(&[Member::file("f", &text), Member::file(&number.to_string(), "x")])
    };
    let layers: Vec<Vec<u8>> = (0..4).map(file).collect();
    let source = oci(&layout(&scratch, "layout", &layers).0);
    let expected = good(rootcast().args(["image", &source, "--digest"])).stdout;
    let start = |cache: &Path| {
        let mut command = image(&source, cache);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    for milliseconds in [0, 20, 50, 100, 200] {
        let mut killed = start(&cache);
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    let runs: Vec<_> = (0..3).map(|_| start(&cache)).collect();
    for run in runs {
        assert_eq!(run.wait_with_output().unwrap().stdout, expected);
    }
    let mut wanted: Vec<PathBuf> =
        layers.iter().map(|layer| cache.join(format!("l{}", &digest(layer)[7..]))).collect();
    wanted.sort();
    assert_eq!(entries(&cache), wanted);
    let found = good(&mut image(&source, &cache));
    assert!(!found.stderr.contains("damaged") && found.stdout == expected, "{found}");
}

#[test]
fn a_dry_run_uses_a_cache_and_leaves_it_unchanged() {
    let scratch = Scratch::new();
    let cache = scratch.join("cache");
    let source = oci(&layout(&scratch, "layout", &usual()).0);
    let other = layout(&scratch, "other", &[tar(&[Member::file("other", "other")])]);
    let dry_run = |source: &str, arguments: &[&str]| {
        let mut command = rootcast();
        command.args(arguments).args([source, "--dry-run", "-v", "--cache-size", "4K", "--cache"]);
        good(command.arg(&cache))
    };
    let verbs = [&["image"][..], &["tar"], &["initrd", "--init", "none"], &["oci-export", "--arch", "amd64"]];
    for arguments in verbs {
        let found = dry_run(&source, arguments);
        assert!(!cache.exists() && !found.stderr.contains("--cache"), "{arguments:?}: {found}");
    }
    good(&mut image(&source, &cache));
    let listed = || -> Vec<_> {
        let of = |path: PathBuf| (fs::metadata(&path).unwrap().modified().unwrap(), path);
        let mut all = names(&cache);
        all.sort();
        all.into_iter().map(|name| of(cache.join(name))).collect()
    };
    let before = listed();
    for arguments in verbs {
        let found = dry_run(&source, arguments);
        assert_eq!(found.stderr.matches("it was in the cache").count(), 3, "{arguments:?}: {found}");
        let found = dry_run(&oci(&other.0), arguments);
        assert!(!found.stderr.contains("--cache"), "{arguments:?}: {found}");
        assert!(!found.stderr.contains("kept in the cache"), "{arguments:?}: {found}");
        assert_eq!(listed(), before, "{arguments:?}");
    }
}
