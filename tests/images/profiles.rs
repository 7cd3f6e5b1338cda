//! Every profile and every feature, before e2fsck and the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::fixtures::{EVERY_KIND_DUMP, Fixture, Item, Kind, small, wide};
use crate::judges;
use crate::oracle::expected::{self, Content};
use crate::oracle::{self, Expected, Judge, Owner, Volume, dumpe2fs, e2fsck, kernel};
use crate::product::{self, Scratch, run};

/// The tree to cast, and its expected contents.
struct Source {
    /// A directory, and a dump laid over it.
    layers: [PathBuf; 2],
    expected: Expected,
    scratch: Scratch,
}

impl Source {
    /// Every kind of file, a directory with an index, files with the same bytes, and one as long as
    /// a huge page.
    fn new() -> Self {
        let scratch = Scratch::new();
        let layers = [scratch.join("source"), scratch.file("tree.dump", EVERY_KIND_DUMP)];
        let mut fixture: Fixture = small::small();
        // The first is the root, which is there already.
        fixture.items.extend(wide::wide(1000).items.into_iter().skip(1));
        fixture.items.push(Item::new("same", Kind::Directory));
        fixture.items.extend(
            ["same/a", "same/b", "same/c"].map(|path| Item::new(path, Kind::File(vec![b's'; 10_000]))),
        );
        let bytes: Vec<u8> = (0..=250).cycle().take((2 << 20) + 1).collect();
        fixture.items.push(Item::new("huge", Kind::File(bytes)));
        fixture.make(&layers[0]);
        let mut expected = Expected::from_directory(&layers[0], Owner::Root);
        expected.files.extend(Expected::from_dump(EVERY_KIND_DUMP).files);
        Self { layers, expected, scratch }
    }

    /// Casts it as in `case`, runs the judges, and returns the image's digest.
    fn check(&self, case: &Case) -> [u8; 32] {
        let image = self.scratch.join("image");
        let mut expected = self.expected.clone();
        let mut arguments: Vec<&str> = vec![self.layers[1].to_str().unwrap(), "--layout", "bare"];
        arguments.extend(case.arguments.split_whitespace());
        if case.writable {
            // The kernel's judge only writes if there is free space.
            arguments.extend(["--free", "4M"]);
        }
        let excluded: Vec<String> = case.too_large().iter().map(|path| format!("--exclude={path}")).collect();
        arguments.extend(excluded.iter().map(String::as_str));
        for path in case.too_large() {
            expected.files.remove(path.as_bytes());
        }
        if case.arguments.contains("--hardlinks content") {
            link_same_content(&mut expected);
        }
        product::image(&self.layers[0], &image, &arguments);

        if let Some(summary) = dumpe2fs::read(&Volume::new(&image, None)).unwrap() {
            case.check_features(&summary.features().unwrap());
        }
        let judges: [(&str, Judge); 3] = [
            ("e2fsck", |volume, _| e2fsck::check_clean(volume)),
            ("kernel", kernel::check),
            ("kernel, writing", |volume, _| kernel::check_writing(volume)),
        ];
        let judges = if case.writable { &judges[..] } else { &judges[..2] };
        println!("{}", case.arguments);
        oracle::judge_by(&image, None, &expected, judges);
        Content::read(File::open(&image).unwrap()).unwrap().sha256
    }
}

/// The flags of an image and their expected effects.
struct Case {
    arguments: String,
    /// The features it has or, with `^`, does not have.
    features: &'static str,
    /// True if the kernel can mount it for writing.
    writable: bool,
}

impl Case {
    fn new(arguments: impl Into<String>, features: &'static str) -> Self {
        Self { arguments: arguments.into(), features, writable: true }
    }

    fn read_only(self) -> Self {
        Self { writable: false, ..self }
    }

    /// The files that do not fit in the blocks.
    fn too_large(&self) -> Vec<&'static str> {
        if self.arguments.contains("-b 1024") || self.arguments.contains("-b 2048") {
            let xattr =
                if self.arguments.contains("ea_inode") { &[][..] } else { &["/usr/with-large-xattr"] };
            [&small::LARGE[..], xattr].concat()
        } else {
            Vec::new()
        }
    }

    fn check_features(&self, found: &BTreeSet<&str>) {
        for feature in self.features.split_whitespace() {
            let (name, has) = feature.strip_prefix('^').map_or((feature, true), |name| (name, false));
            assert_eq!(found.contains(name), has, "{}: {name} in {found:?}", self.arguments);
        }
    }
}

/// Turns all non-empty files with the same bytes and metadata into hard links of one file.
fn link_same_content(expected: &mut Expected) {
    let mut first: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (path, file) in &mut expected.files {
        let expected::Kind::Regular(Content { len: 1.., .. }) = file.kind else { continue };
        let alike = format!("{:?}", expected::File { same_as: None, ..file.clone() });
        file.same_as = first.get(&alike).cloned();
        first.entry(alike).or_insert_with(|| path.clone());
    }
    assert_eq!(expected.file_mut("/same/c").same_as.as_deref(), Some(&b"/same/a"[..]));
}

/// Checks every case. Two with the same bytes mean that one of them tests nothing.
fn check_all(cases: &[Case]) {
    let source = Source::new();
    let digests: BTreeSet<[u8; 32]> = cases.iter().map(|case| source.check(case)).collect();
    assert_eq!(digests.len(), cases.len(), "two cases have the same bytes");
}

#[test]
fn each_profile_and_block_size_stores_every_file_type() {
    let profiles = [
        ("default", "has_journal resize_inode sparse_super ^orphan_file ^read-only"),
        ("kata", "has_journal ^resize_inode ^inline_data"),
        ("ro-min", "^has_journal ^resize_inode sparse_super2 read-only"),
        ("rw", "has_journal resize_inode orphan_file"),
    ];
    let mut cases = Vec::new();
    for (profile, features) in profiles {
        for block_size in [1024, 2048, 4096] {
            let case = Case::new(format!("--profile {profile} -b {block_size}"), features);
            cases.push(if profile == "ro-min" { case.read_only() } else { case });
        }
    }
    check_all(&cases);
}

#[test]
fn each_feature_set_stores_every_file_type() {
    check_all(&[
        Case::new("", "^orphan_file ^inline_data metadata_csum_seed ^sparse_super2 resize_inode"),
        Case::new("-O orphan_file", "orphan_file"),
        Case::new("-O inline_data", "inline_data"),
        Case::new("-O inline_data -b 1024", "inline_data"),
        Case::new("-O ea_inode", "ea_inode"),
        Case::new("-O ea_inode,inline_data -b 1024", "ea_inode inline_data"),
        Case::new("-O ^metadata_csum_seed", "^metadata_csum_seed metadata_csum"),
        Case::new("-O ^64bit", "^64bit metadata_csum dir_index"),
        Case::new("-O ^metadata_csum", "^metadata_csum ^metadata_csum_seed ^uninit_bg 64bit"),
        Case::new("-O ^dir_index", "^dir_index 64bit"),
        Case::new(
            "--profile rw -O ^64bit,^metadata_csum,^dir_index -b 1024",
            "^64bit ^metadata_csum ^dir_index",
        ),
        Case::new("-O sparse_super2,^resize_inode", "sparse_super2 ^resize_inode"),
        Case::new("-O ^resize_inode", "^resize_inode ^sparse_super2"),
        Case::new("-O ^has_journal", "^has_journal"),
        Case::new("-O ^has_journal,^resize_inode,inline_data", "^has_journal ^resize_inode inline_data"),
        Case::new("-O read-only", "read-only has_journal").read_only(),
        Case::new("--journal 8M", "has_journal"),
        Case::new("--profile ro-min --dedupe", "shared_blocks read-only").read_only(),
        Case::new("--profile kata --dedupe -b 1024", "shared_blocks has_journal").read_only(),
        Case::new("--huge-pages", ""),
        Case::new("--profile kata --huge-pages=64K", ""),
        Case::new("--hardlinks content", ""),
        Case::new("--directory-slack 50%", ""),
        Case::new("--profile rw --directory-slack 50% -b 1024", "orphan_file"),
    ]);
}

/// The directories are already as `e2fsck -fyD` would write them; the superblock has the time of
/// its run.
#[test]
fn e2fsck_finds_the_directories_of_the_profile_rw_optimized() {
    let source = Source::new();
    let image = source.scratch.join("image");
    product::image(&source.layers[0], &image, &["--layout", "bare", "--profile", "rw", "--free", "4M"]);
    let Some(mut e2fsck) = judges::command("e2fsck") else { return };
    let copy = Volume::new(&image, None).copy();
    let outcome = run(e2fsck.arg("-fyD").arg(&copy.volume.image));
    assert!(matches!(outcome.code, Some(0 | 1)), "{outcome}");

    let (before, after) = (fs::read(&image).unwrap(), fs::read(&copy.volume.image).unwrap());
    assert_eq!(before.len(), after.len());
    let superblock = 1024..2048;
    let changed = |at: &usize| before[*at] != after[*at];
    assert!(superblock.clone().any(|at| changed(&at)), "e2fsck did not even note that it ran");
    let elsewhere = (0..before.len()).find(|at| !superblock.contains(at) && changed(at));
    assert_eq!(elsewhere, None, "the first byte that differs outside the superblock");
}

/// Filesystems of up to 64 TiB, of which only nonzero bytes take space: about 1 GB of memory for
/// the largest, and 1.4 GB for e2fsck, which takes minutes.
#[test]
fn filesystems_of_many_terabytes_are_clean() {
    if !judges::long_tests() {
        return;
    }
    let _heavy = judges::heavy();
    let scratch = Scratch::in_memory();
    let (source, image) = (scratch.file("tree.dump", EVERY_KIND_DUMP), scratch.join("image"));
    for profile in ["default", "kata", "ro-min", "rw"] {
        for terabytes in [1, 16, 64] {
            check_terabytes(&source, &image, profile, terabytes);
        }
    }
}

fn check_terabytes(source: &Path, image: &Path, profile: &str, terabytes: u64) {
    let size = format!("{terabytes}T");
    if let Err(error) = File::create(image).unwrap().write_all_at(b"x", (terabytes << 40) - 1) {
        judges::skip("e2fsck", &format!("{} may not have {size}: {error}", image.display()));
        return;
    }
    fs::remove_file(image).unwrap();
    let started = Instant::now();
    product::image(source, image, &["--layout", "bare", "--profile", profile, "--size", &size]);
    let written = started.elapsed();
    let found = fs::metadata(image).unwrap();
    assert_eq!(found.len(), terabytes << 40);
    e2fsck::check_clean(&Volume::new(image, None)).unwrap_or_else(|why| panic!("{profile}, {size}: {why}"));
    eprintln!(
        "{profile}, {size}: {:.1} s to write {} MB, {:.1} s to check",
        written.as_secs_f64(),
        found.blocks() * 512 / 1_000_000,
        (started.elapsed() - written).as_secs_f64()
    );
}
