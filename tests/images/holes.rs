//! Files with holes: as in the source, as seen by mke2fs and the kernel, and independent of the
//! host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixtures::{Creation, Fixture, Item, Kind};
use crate::judges;
use crate::oracle::{self, Expected, Owner};
use crate::output::reflinks::Shared;
use crate::product::{Scratch, rootcast, run};
use crate::sources::tar::builder::Archive;

const BLOCK: u64 = 4096;
const BLOCK_LEN: usize = 4096;

/// Returns files whose holes are longer than any granularity of a host, with stored zeros between
/// their bytes.
fn fixture() -> Fixture {
    let mib = 1 << 20;
    let mut zeros_inside = vec![7; 40 * BLOCK_LEN];
    zeros_inside[BLOCK_LEN..9 * BLOCK_LEN].fill(0);
    zeros_inside[20 * BLOCK_LEN + 1..22 * BLOCK_LEN].fill(0);
    let mut items = vec![Item::new("", Kind::Directory)];
    let mut add = |name: &str, kind| items.push(Item::new(name, kind).mtime(1_600_000_000, 0));
    add("hole", Kind::Sparse { len: 16 * mib, data: vec![] });
    add(
        "odd",
        Kind::Sparse {
            len: 3 * mib + 17,
            data: vec![(2 * mib + 4000, vec![1; 200]), (3 * mib + 16, vec![2])],
        },
    );
    add("begins", Kind::Sparse { len: 5 * mib, data: vec![(0, b"x".to_vec())] });
    add("zeros inside", Kind::Sparse { len: 9 * mib, data: vec![(4 * mib, zeros_inside.clone())] });
    add("dense", Kind::File(zeros_inside));
    add("small", Kind::File(b"small".to_vec()));
    items[0].mtime = (1_600_000_000, 0);
    Fixture { items }
}

fn make(at: &Path) {
    fixture().make_as(at, Creation::DEFAULT);
}

fn digest(source: &Path, flags: &[&str]) -> String {
    let outcome = run(rootcast().arg("image").arg(source).args(["--digest", "--owner", "root"]).args(flags));
    outcome.success().unwrap_or_else(|why| panic!("{why}")).text().trim().to_owned()
}

fn cast(source: &Path, image: &Path, flags: &[&str]) -> Value {
    let mut command = rootcast();
    command.arg("image").arg(source).arg("-o").arg(image).args(["--layout", "bare", "--json"]);
    let outcome = run(command.args(flags)).success().unwrap_or_else(|why| panic!("{why}"));
    serde_json::from_slice(&outcome.stdout).unwrap()
}

/// Returns the number of 512-byte blocks of each file, as reported by debugfs; `None` if it is not
/// installed.
fn blocks(image: &Path, names: &[&str]) -> Option<BTreeMap<String, u64>> {
    let of = |name: &str| {
        let mut debugfs = judges::command("debugfs")?;
        let text =
            run(debugfs.args(["-R", &format!("stat \"/{name}\"")]).arg(image)).success().unwrap().text();
        let (_, count) = text.split_once("Blockcount: ").unwrap_or_else(|| panic!("{name}: {text}"));
        Some((name.to_owned(), count.split_whitespace().next().unwrap().parse().unwrap()))
    };
    names.iter().map(|name| of(name)).collect()
}

const NAMES: [&str; 6] = ["hole", "odd", "begins", "zeros inside", "dense", "small"];

#[test]
fn holes_are_where_whole_blocks_are_zero() {
    let scratch = Scratch::new();
    let (source, image) = (scratch.join("source"), scratch.join("image"));
    make(&source);
    // Of "zeros inside" 40 blocks, minus eight and, as its bytes begin with a block, one.
    let expected = |policy: &str, [odd, begins, inside, dense]: [u64; 4], hole| {
        let report = cast(&source, &image, &["--sparse", policy]);
        let found = &report["filesystem"];
        let per_file = [hole, odd, begins, inside, dense, 1].map(|blocks| blocks * 8);
        if let Some(blocks) = blocks(&image, &NAMES) {
            let expected = NAMES.iter().map(|name| (*name).to_owned()).zip(per_file).collect();
            assert_eq!(blocks, expected, "{policy}");
        }
        oracle::judge(&image, None, &Expected::from_directory(&source, Owner::Root));
        [found["sparse_files"].as_u64().unwrap(), found["hole_bytes"].as_u64().unwrap() / BLOCK]
    };
    let blocks = 4096 + 769 + 1280 + 2304;
    assert_eq!(expected("auto", [3, 1, 31, 40], 0), [4, blocks - 35]);
    assert_eq!(expected("always", [3, 1, 31, 31], 0), [5, blocks - 35 + 9]);
    assert_eq!(expected("never", [769, 1280, 2304, 40], 4096), [0, 0]);
}

/// mke2fs leaves every block of zeros as a hole, whatever the source has there.
#[test]
fn mke2fs_leaves_the_same_holes() {
    let Some(mut mke2fs) = judges::command("mke2fs") else { return };
    let scratch = Scratch::new();
    let (source, image, other) = (scratch.join("source"), scratch.join("image"), scratch.join("other"));
    make(&source);
    for block_size in ["1024", "4096"] {
        cast(&source, &image, &["--sparse", "always", "-b", block_size]);
        let _ = fs::remove_file(&other);
        let options = ["-q", "-t", "ext4", "-b", block_size, "-d"];
        run(mke2fs.args(options).arg(&source).arg(&other).arg("64M")).success().unwrap();
        assert_eq!(blocks(&image, &NAMES), blocks(&other, &NAMES), "blocks of {block_size} bytes");
        mke2fs = judges::command("mke2fs").unwrap();
    }
}

/// The kernel finds data and holes where they are.
#[test]
fn the_kernel_sees_the_holes() {
    if !judges::may_mount() {
        return;
    }
    let scratch = Scratch::new();
    let (source, image, at) = (scratch.join("source"), scratch.join("image"), scratch.join("mounted"));
    make(&source);
    fs::create_dir(&at).unwrap();
    cast(&source, &image, &[]);
    run(Command::new("mount").args(["-t", "ext4", "-o", "loop,ro"]).arg(&image).arg(&at)).success().unwrap();
    let data: Vec<u64> = NAMES.iter().map(|name| fs::metadata(at.join(name)).unwrap().blocks() / 8).collect();
    let filefrag =
        judges::command("filefrag").map(|mut filefrag| run(filefrag.arg("-v").arg(at.join("odd"))));
    run(Command::new("umount").arg(&at)).success().unwrap();
    assert_eq!(data, [0, 3, 1, 31, 40, 1]);
    let Some(extents) = filefrag else { return };
    let text = extents.success().unwrap().text();
    // Two blocks at 2 MiB and the last one.
    assert!(text.contains(" 512..     513:") && text.contains(" 768..     768:"), "{text}");
}

/// A file of the length of lastlog with the largest user id, and one of terabytes.
#[test]
fn time_and_size_follow_the_data() {
    let scratch = Scratch::new();
    let (source, image) = (scratch.join("source"), scratch.join("image"));
    let items = vec![
        Item::new("", Kind::Directory),
        Item::new("lastlog", Kind::Sparse { len: 350 << 30, data: vec![(292 * 100_000, vec![1; 292])] }),
        Item::new("terabytes", Kind::Sparse { len: 15 << 40, data: vec![(14 << 40, vec![1; 5])] }),
    ];
    let in_memory = Scratch::in_memory();
    let source = if in_memory.path().starts_with("/dev/shm") { in_memory.join("source") } else { source };
    Fixture { items }.make(&source);
    let begun = Instant::now();
    let report = cast(&source, &image, &[]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(report["size"].as_u64().unwrap() < 8 << 20, "{report}");
    if let Some(mut e2fsck) = judges::command("e2fsck") {
        run(e2fsck.arg("-fn").arg(&image)).success().unwrap_or_else(|why| panic!("{why}"));
    }
    assert_eq!(blocks(&image, &["lastlog", "terabytes"]).map(|found| found.into_values().sum()), Some(8 + 8));
}

#[test]
fn holes_do_not_depend_on_the_host_filesystem() {
    let _heavy = judges::heavy();
    let scratch = Scratch::new();
    make(&scratch.join("source"));
    let expected = ["auto", "always"].map(|policy| digest(&scratch.join("source"), &["--sparse", policy]));
    assert_eq!(digest(&scratch.join("source"), &[]), expected[0], "auto is the default");
    let check = |source: &Path, host: &str| {
        make(source);
        for (policy, expected) in ["auto", "always"].iter().zip(&expected) {
            assert_eq!(digest(source, &["--sparse", policy]), *expected, "{policy} on {host}");
        }
    };
    let in_memory = Scratch::in_memory();
    check(&in_memory.join("source"), "tmpfs");
    for shared in Shared::all() {
        check(&shared.join("source"), shared.kind);
    }
    // With `always`, even a copy without holes gives the same image.
    let dense = Scratch::new();
    for source in ["source", "sparse"] {
        let mut copy = Command::new("cp");
        let holes = if source == "source" { "never" } else { "always" };
        copy.args(["-a", &format!("--sparse={holes}")]).arg(scratch.join("source")).arg(dense.join(source));
        run(&mut copy).success().unwrap();
        fs::set_permissions(dense.join(source), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(digest(&dense.join(source), &["--sparse", "always"]), expected[1], "{holes}");
    }
    assert_ne!(digest(&dense.join("source"), &[]), expected[0], "a copy without holes has none");
}

#[test]
fn holes_do_not_depend_on_threads_or_output() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    make(&source);
    let expected = digest(&source, &["-j", "1"]);
    assert_eq!(digest(&source, &["-j", "7"]), expected);
    let in_memory = Scratch::in_memory();
    for output in [&scratch, &in_memory] {
        let image = output.join("image");
        let outcome =
            run(rootcast().arg("image").arg(&source).arg("-o").arg(&image).args(["--owner", "root"]));
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(digest_of(&image), expected);
        assert!(fs::metadata(&image).unwrap().blocks() * 512 < 1 << 20, "holes are reserved");
    }
}

fn digest_of(image: &Path) -> String {
    let file = fs::File::open(image).unwrap();
    let content = oracle::expected::Content::read(file).unwrap();
    content.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tests every way of a tar to store holes, and a dump, which takes those of the files it refers
/// to.
#[test]
fn archives_and_dumps_give_the_holes_of_the_directory() {
    let scratch = Scratch::new();
    let (source, archive) = (scratch.join("source"), scratch.join("archive.tar"));
    make(&source);
    let expected = digest(&source, &[]);
    let dialects = [
        ("tar", "--format=gnu -S"),
        ("tar", "--format=oldgnu -S"),
        ("tar", "--format=posix -S --sparse-version=0.0"),
        ("tar", "--format=posix -S --sparse-version=0.1"),
        ("tar", "--format=posix -S --sparse-version=1.0"),
        ("tar", "--format=posix -S --hole-detection=raw"),
        ("bsdtar", "--format=pax"),
    ];
    for (tool, dialect) in dialects {
        let Some(mut tar) = judges::command(tool) else { continue };
        tar.args(dialect.split(' ')).arg("-C").arg(&source).arg("-cf").arg(&archive).arg(".");
        run(&mut tar).success().unwrap();
        assert!(fs::metadata(&archive).unwrap().len() < 1 << 20, "{tool} {dialect} stored holes");
        assert_eq!(digest(&archive, &["--sparse", "always"]), digest(&source, &["--sparse", "always"]));
        assert_eq!(digest(&archive, &[]), expected, "{tool} {dialect}");
    }
    let text = run(rootcast().args(["tree", "--owner", "root"]).arg(&source)).success().unwrap().text();
    let dump = scratch.file("dump", text);
    assert_eq!(digest(&dump, &["--basedir", source.to_str().unwrap()]), expected);
}

/// The limit applies to stored bytes; without holes, zeros count too.
#[test]
fn sparse_members_may_be_longer_than_the_size_limit() {
    let scratch = Scratch::new();
    let sparse = |size: &str| {
        let records: [(&str, &[u8]); 2] = [("GNU.sparse.map", b"5,4"), ("GNU.sparse.size", size.as_bytes())];
        scratch.file(size, Archive::new().pax(b'x', &records).file("s", "abcd").finish())
    };
    let (image, tebibytes) = (scratch.join("image"), sparse("8796093022208"));
    let report = cast(&tebibytes, &image, &[]);
    assert!(report["size"].as_u64().unwrap() < 8 << 20);
    assert_eq!(report["filesystem"]["hole_bytes"], 8_796_093_022_208_u64 - BLOCK);
    assert_eq!(blocks(&image, &["s"]).map(|found| found["s"]), Some(8));
    let refused = |arguments: &[&str], source: &Path| {
        let outcome = run(rootcast().args(arguments).arg(source).arg("-o").arg(scratch.join("refused")));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        outcome.stderr
    };
    let never = refused(&["image", "--sparse", "never"], &tebibytes);
    assert!(
        never.contains("8796093022208 bytes, holes included, and --sparse never")
            && never.contains("--max-size")
    );
    let initrd = refused(&["initrd", "--init", "none"], &tebibytes);
    assert!(
        initrd.contains("an initramfs stores holes as zeros; --max-size allows 1099511627776"),
        "{initrd}"
    );
    let longest = refused(&["image"], &sparse("9223372036854775807"));
    assert!(longest.contains("/s: the file has 9223372036854775807 bytes, the limit of ext4"), "{longest}");
}

/// With broken hard links, each name of a sparse member stores the zeros of its holes.
#[test]
fn the_size_limit_of_zeros_counts_each_inode_of_the_output() {
    let scratch = Scratch::new();
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.map", b"5,4"), ("GNU.sparse.size", b"600000")];
    let archive = Archive::new().pax(b'x', &records).file("s", "abcd").link("t", b'1', "s").finish();
    let source = scratch.file("linked.tar", archive);
    for verb in [&["image", "--sparse", "never"][..], &["initrd", "--init", "none"]] {
        let cast = |hard_links: &str, limit: &str| {
            let limits = ["--max-size", limit, "--hardlinks", hard_links, "--dry-run"];
            run(rootcast().args(verb).args(limits).arg(&source))
        };
        cast("keep", "600000").success().unwrap();
        cast("break", "1200000").success().unwrap();
        let outcome = cast("break", "1199999");
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("1200000 bytes, holes included"), "{outcome}");
    }
}

/// Files with the same bytes all have the holes of the first one.
#[test]
fn identical_files_have_the_same_holes() {
    let scratch = Scratch::new();
    let (source, image) = (scratch.join("source"), scratch.join("image"));
    let mut bytes = vec![0; 100 * BLOCK_LEN];
    bytes[50 * BLOCK_LEN] = 1;
    let sparse = Kind::Sparse { len: 100 * BLOCK, data: vec![(50 * BLOCK, vec![1])] };
    let items = vec![
        Item::new("", Kind::Directory),
        Item::new("a dense", Kind::File(bytes)),
        Item::new("b sparse", sparse.clone()),
        Item::new("c sparse", sparse),
    ];
    Fixture { items }.make(&source);
    for flags in [&["--profile", "ro-min", "--dedupe"][..], &["--hardlinks", "content"]] {
        let report = cast(&source, &image, flags);
        let found = blocks(&image, &["a dense", "b sparse", "c sparse"]);
        assert!(found.is_none_or(|found| found.into_values().eq([8; 3])), "{flags:?}");
        // With --hardlinks content, links and times differ from those of the directory.
        let judges = if flags.contains(&"content") { 1 } else { 2 };
        let expected = Expected::from_directory(&source, Owner::Root);
        oracle::judge_by(&image, None, &expected, &oracle::JUDGES[..judges]);
        assert!(report["filesystem"]["sparse_files"].as_u64() >= Some(1), "{report}");
    }
}

/// The bytes of an image with holes are frozen, as those of the trees in `reproducible`.
#[test]
fn an_archive_with_holes_has_its_pinned_digest() {
    const PINNED: &str = "b3d0b5e6b8fb8bf37803cbe7c8be1d03f39de7071cab88d0ae1d75eb395dc1b8";
    let scratch = Scratch::new();
    let payload = [[1; 5000].as_slice(), &[0; 8192], &[2; 3]].concat();
    let records: [(&str, &[u8]); 2] =
        [("GNU.sparse.map", b"4000,5000,40960,8192,1099511627776,3"), ("GNU.sparse.size", b"1099511631000")];
    let archive = Archive::new().pax(b'x', &records).member("s", b'0', &payload).finish();
    let (archive, image) = (scratch.file("s.tar", archive), scratch.join("image"));
    assert_eq!(digest(&archive, &["--layout", "gpt", "--arch", "x86_64"]), PINNED);
    // Three blocks, none for the stored zeros, and one.
    cast(&archive, &image, &[]);
    assert_eq!(blocks(&image, &["s"]).map(|found| found["s"]), Some(32));
    oracle::judge_by(&image, None, &Expected::default(), &oracle::JUDGES[..1]);
}
