//! Compressed EROFS images: their bytes are pinned for each codec and layout, the kernel reads
//! them, and neither threads nor a cache change them.

use std::fs;
use std::path::Path;

use mkfs_erofs::KernelVersion;
use serde_json::Value;

use crate::fixtures::{Fixture, Item, Kind};
use crate::judges;
use crate::oracle::expected::Content;
use crate::oracle::{Expected, Owner, judge_by, kernel};
use crate::product::{Scratch, rootcast, run};

/// Layouts of the tree of [`source`]: the arguments, the oldest kernel that reads them, the number
/// of compressed files, and the digest of the image. A change of a digest is a change of the
/// format, and needs a new name for it. The bytes depend on the libraries in the lock file.
const PINNED: [(&str, &str, u64, &str); 12] = [
    ("--profile kata", "5.13", 7, "c2a1ef782d67b8a4ca396ed279ed6b12df091f3f7c504cfa546174512d32e2ce"),
    (
        "--compress lz4 --pcluster 4K --inline none",
        "5.4",
        7,
        "4ae7311a4e6cb3ca5617fb2632ce5fc7ffe9aa69b9c4cd7104fd709efa81de0d",
    ),
    (
        "--compress lz4 --pcluster 8K",
        "5.17",
        18,
        "c9f0efe8325318c03ed7f999d8a8280c07a3fa60cd687f0e867721d53bca7bd4",
    ),
    ("--compress lz4hc", "5.17", 23, "186f6d59b32d71fbc3dc960f63ea157a889c0d54e2a8c4deb3b254a8331e0f7e"),
    (
        "--compress lz4hc:12 --pcluster 64K --fragments",
        "6.1",
        34,
        "2b9d1cf1c58c5ea4f2b2cb04c4919f85a1aa9944739f17c6f1f7baae80f14168",
    ),
    (
        "--compress lz4hc --pcluster 16K --dedupe",
        "6.1",
        23,
        "f430ce009d03d671b54c28b6baf82003b47d0ae0101c281d8ff0a77f84bdf4ed",
    ),
    ("--compress deflate", "6.6", 28, "ae415a4563fbd45e5e799c1477a817b22468c76ff2b023c99eda14f6215a70ff"),
    (
        "--compress deflate:9 --pcluster 4K --fragments",
        "6.6",
        34,
        "160ad090e5f61ce40fbc0c1633dea87222a04a3595695ad4768d2117f42f03a3",
    ),
    (
        "--compress deflate:1 --pcluster 64K --fragments --dedupe",
        "6.6",
        34,
        "a794d8dbfd09a22601df441c301c3f2fef421dc3dec8a4d92c0c1abe1f1c7fe5",
    ),
    ("--compress zstd:3", "6.10", 28, "edbf0933d51fff150672c4e2d06edef662b1a770c5d10dcb0d7caa7610396744"),
    (
        "--compress zstd:9 --pcluster 256K --fragments",
        "6.10",
        34,
        "b074dfed70fcf26dc236d0ee7640314d6b888c6f68686c73680ccaa1afc17749",
    ),
    (
        "--compress zstd:1 --pcluster 4K --compress-exclude /of-*",
        "6.10",
        21,
        "a72c6030aec68d3d9095f2a46e27a492e9c13c085f3fecd6a8eb6e03b9bcdc5d",
    ),
];

/// Words of a few letters, in an order of their own for each seed.
fn text(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{:x} ", (state >> 22) * 7919).into_bytes()
    });
    words.flatten().take(len).collect()
}

/// Bytes that no codec makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Creates a tree of files at the edges of blocks and pieces, with bytes that do not get shorter,
/// equal pieces at different offsets, equal files, and small files.
fn source() -> Scratch {
    let mut items = vec![Item::new("", Kind::Directory).mtime(1, 0)];
    let mut add = |name: &str, bytes: Vec<u8>| {
        items.push(Item::new(name, Kind::File(bytes)).mtime(1, 0).mode(0o644));
    };
    add("text", text(300_000, 1));
    add("again", [noise(777), text(300_000, 1)].concat());
    add("noise", noise(70_000));
    add("mixed", [text(50_000, 2), noise(30_001), vec![b'x'; 140_000], text(10, 3)].concat());
    for len in [1, 64, 65, 4095, 4096, 4097, 8192, 8193, 131_072, 131_073] {
        add(&format!("of-{len}"), text(len, 4));
    }
    (0..20u32).for_each(|number| add(&format!("small-{number}"), text(number as usize * 151, number)));
    add("twin", text(151, 1));
    let scratch = Scratch::new();
    Fixture { items }.make(&scratch.join("source"));
    scratch
}

#[test]
fn compressed_images_have_their_pinned_digests_and_are_read_by_the_kernel() {
    let scratch = source();
    let expected = Expected::from_directory(&scratch.join("source"), Owner::Root);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let running: KernelVersion = release.trim().parse().unwrap();
    let mut wrong = Vec::new();
    for pinned in PINNED {
        let (arguments, image) = (pinned.0, scratch.join("image"));
        let mut command = rootcast();
        command.arg("image").arg(scratch.join("source")).arg("-o").arg(&image);
        command.args(["--fs", "erofs", "--layout", "bare", "-j", "1", "--json", "-q"]);
        let outcome = run(command.args(arguments.split(' ')));
        let report = outcome.success().unwrap_or_else(|why| panic!("{arguments}: {why}")).stdout;
        let report: Value = serde_json::from_slice(&report).unwrap();
        let filesystem = &report["filesystem"];
        let oldest = filesystem["oldest_kernel"].as_str().unwrap();
        let compressed = filesystem["compressed_files"].as_u64().unwrap();
        let sha256 = Content::read(fs::File::open(&image).unwrap()).unwrap().sha256;
        let digest: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        if (arguments, oldest, compressed, &*digest) != pinned {
            wrong.push(format!("    (\"{arguments}\", \"{oldest}\", {compressed}, \"{digest}\"),"));
        }
        if running < oldest.parse().unwrap() {
            judges::skip("kernel", &format!("{release} does not read {arguments}"));
            continue;
        }
        judge_by(&image, None, &expected, &[("kernel", kernel::check_erofs)]);
    }
    assert!(wrong.is_empty(), "found\n{}", wrong.join("\n"));
}

/// All layouts share one cache: a result for one is not that for another. On the second run, all
/// results are in it.
#[test]
fn compressed_bytes_do_not_depend_on_threads_or_cache() {
    let scratch = source();
    let digest = |arguments: &str, threads: &str, cache: Option<&Path>| {
        let mut command = rootcast();
        command.arg("image").arg(scratch.join("source")).args(["--fs", "erofs", "--layout", "bare"]);
        command.args(["--digest", "-q", "-j", threads]).args(arguments.split(' '));
        if let Some(cache) = cache {
            command.arg("--cache").arg(cache);
        }
        run(&mut command)
            .success()
            .unwrap_or_else(|why| panic!("{arguments}: {why}"))
            .text()
            .trim()
            .to_owned()
    };
    let cache = scratch.join("cache");
    for (arguments, _, _, pinned) in PINNED {
        for (threads, cache) in [("2", Some(&*cache)), ("8", Some(&*cache)), ("8", None)] {
            assert_eq!(digest(arguments, threads, cache), pinned, "{arguments} -j {threads} {cache:?}");
        }
    }
    assert!(fs::read_dir(&cache).unwrap().count() > PINNED.len(), "the cache has the results");
}
