//! The same input gives the same bytes, for every user, place and time.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::fixtures::{self, Creation, Fixture, small, wide};
use crate::judges;
use crate::oracle::expected::Content;
use crate::product::{NOBODY, Scratch, rootcast, rootcast_as, rootcast_as_root, rootcast_under_umask, run};

/// Returns the SHA-256 of a file in hexadecimal.
fn sha256(path: &Path) -> String {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Content::read(file).unwrap().sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the digests of the disks that commands make of `source`: an unmeasured and a measured
/// one, and the root hash of the latter.
fn digest(command: impl Fn() -> Command, source: &Path) -> [String; 3] {
    let scratch = Scratch::new();
    let cast = |name: &str, arguments: &[&str]| {
        let disk = scratch.join(name);
        let mut command = command();
        let command = command.arg("image").arg(source).arg("-o").arg(&disk).args(arguments);
        run(command).success().unwrap_or_else(|why| panic!("{why}"));
        sha256(&disk)
    };
    let plain = cast("plain", &["--layout", "gpt", "--arch", "x86_64"]);
    let measured = cast("measured", &["--verity", "--arch", "x86_64"]);
    let root_hash = fs::read_to_string(scratch.join("root_hash.txt")).unwrap();
    [plain, measured, root_hash]
}

fn make(fixture: &Fixture, creation: Creation) -> Scratch {
    let scratch = Scratch::new();
    fixture.make_as(&scratch.join("source"), creation);
    scratch
}

/// Compares the result of a command changed by `vary` with that of the plain command, for the same
/// source.
#[track_caller]
fn assert_same(vary: impl Fn() -> Command) {
    let scratch = make(&small::small(), Creation::DEFAULT);
    let source = scratch.join("source");
    assert_eq!(digest(vary, &source), digest(rootcast, &source));
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads() {
    let scratch = make(&small::small(), Creation::DEFAULT);
    let source = scratch.join("source");
    let of_threads = |count: &str| {
        let disk = scratch.join(format!("disk {count}"));
        let mut command = rootcast();
        command.arg("image").arg(&source).arg("-o").arg(&disk).args(["-j", count]);
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        sha256(&disk)
    };
    let one = of_threads("1");
    assert_eq!(of_threads("2"), one);
    assert_eq!(of_threads("7"), one);
}

#[test]
fn bytes_do_not_depend_on_the_umask() {
    assert_same(|| rootcast_under_umask("000"));
    assert_same(|| rootcast_under_umask("077"));
}

#[test]
fn bytes_do_not_depend_on_the_environment() {
    assert_same(|| {
        let mut command = rootcast();
        command.env("TZ", "Asia/Kathmandu").env("LANG", "tr_TR.UTF-8").env("LC_ALL", "tr_TR.UTF-8");
        command.env("USER", "somebody").env("HOME", "/nowhere").env("HOSTNAME", "elsewhere");
        command
    });
    assert_same(|| {
        let mut command = rootcast();
        command.env_clear();
        command
    });
}

#[test]
fn bytes_do_not_depend_on_the_time() {
    let scratch = make(&small::small(), Creation::DEFAULT);
    let source = scratch.join("source");
    let first = digest(rootcast, &source);
    // Superblocks have a granularity of one second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(digest(rootcast, &source), first);
}

#[test]
fn bytes_do_not_depend_on_the_working_directory() {
    let scratch = make(&small::small(), Creation::DEFAULT);
    let source = scratch.join("source");
    let inside = || {
        let mut inside = rootcast();
        inside.current_dir(&source);
        inside
    };
    assert_eq!(digest(inside, Path::new(".")), digest(rootcast, &source));
}

#[test]
fn bytes_do_not_depend_on_the_path_or_the_order_of_creation() {
    let fixture = with_many_names();
    let plain = make(&fixture, Creation::DEFAULT);
    let other = make(&fixture, Creation { reversed: true, ..Creation::DEFAULT });
    let expected = digest(rootcast, &plain.join("source"));
    assert_eq!(digest(rootcast, &other.join("source")), expected);
}

#[test]
fn bytes_do_not_depend_on_the_filesystem_of_the_source() {
    let shm = Path::new("/dev/shm");
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
    if device(shm).is_none() || device(shm) == device(&std::env::temp_dir()) {
        judges::skip("another filesystem", "/dev/shm is not one");
        return;
    }
    let mut fixture = with_many_names();
    // In its first and last second ext4 drops the nanoseconds, and tmpfs does not.
    fixture.items.retain(|item| !item.path.starts_with(b"times/-2147483648."));
    fixture.items.retain(|item| !item.path.starts_with(b"times/15032385535."));
    let plain = make(&fixture, Creation::DEFAULT);
    let other = Scratch::below(shm);
    if fixture.make_as(&other.join("source"), Creation { reversed: true, ..Creation::DEFAULT }) {
        assert_eq!(digest(rootcast, &other.join("source")), digest(rootcast, &plain.join("source")));
    }
}

/// In memory, room for the files found is allocated before their layout is known.
#[test]
fn bytes_do_not_depend_on_the_filesystem_of_the_output() {
    let shm = Path::new("/dev/shm");
    if !shm.is_dir() {
        judges::skip("output in memory", "there is no /dev/shm");
        return;
    }
    let (scratch, in_memory) = (Scratch::new(), Scratch::below(shm));
    let source = scratch.join("source");
    fs::create_dir(&source).unwrap();
    for (index, byte) in [7, 0, 7, 0, 0, 7].into_iter().enumerate() {
        fs::write(source.join(format!("{index}")), vec![byte; 9 << 20]).unwrap();
    }
    for make in [&["image"][..], &["initrd", "--init", "none", "--compress", "none"]] {
        let cast = |at: &Scratch, threads: &str| {
            let output = at.join(format!("{} by {threads}", make[0]));
            let mut command = rootcast();
            command.args(make).arg(&source).arg("-o").arg(&output).args(["-j", threads]);
            run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
            (sha256(&output), fs::metadata(&output).unwrap().blocks())
        };
        let alone = cast(&in_memory, "1");
        assert_eq!(cast(&scratch, "2").0, alone.0);
        for threads in ["2", "7"] {
            assert_eq!(cast(&in_memory, threads), alone, "with {threads} threads holes are as without");
        }
    }
}

/// Returns enough names that a directory's hash order differs from any order of creation.
fn with_many_names() -> Fixture {
    let mut fixture = small::small();
    fixture.items.extend(wide::wide(1000).items.into_iter().filter(|item| !item.path.is_empty()));
    fixture
}

#[test]
fn bytes_do_not_depend_on_the_user() {
    if !judges::is_root() {
        judges::skip("other users", "only root becomes someone else");
        return;
    }
    let by = |user: u32, command: fn() -> Command| {
        let scratch = make(&small::small(), Creation { owner: user, ..Creation::DEFAULT });
        digest(command, &scratch.join("source"))
    };
    let nobody = by(NOBODY, rootcast);
    assert_eq!(by(1234, || rootcast_as(1234)), nobody);
    assert_eq!(by(0, rootcast_as_root), nobody);
}

#[test]
fn the_printed_digest_matches_the_file() {
    let scratch = make(&small::small(), Creation::DEFAULT);
    let disk = scratch.join("disk");
    let mut command = rootcast();
    run(command.arg("image").arg(scratch.join("source")).arg("-o").arg(&disk))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    let mut command = rootcast();
    let outcome = run(command.arg("image").arg(scratch.join("source")).arg("--digest"))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(outcome.text().trim(), sha256(&disk), "{outcome}");
}

/// The digest of the disk of each named tree, made by
/// `rootcast image NAME.dump -o disk --layout gpt --arch x86_64 && sha256sum disk`.
///
/// The bytes are frozen: a change of a digest is a change of the format, and needs a new name for
/// it. To pin a tree, write `""` here, run this test, check the image it describes with every
/// judge, and record the digest it prints.
const PINNED: [(&str, &str); 3] = [
    ("minimal", "380c4170fcc8119cca0819458508f63208a9e0f220f73a68f236d3ab7835e352"),
    ("every-kind", "fc55d33debce5ec7d046eed38224b85db5995aa78da1700a09cdf145544908d9"),
    ("wide", "d36090df5ce535bf42009e04f3be57fac7e947c2baa2960b69f4bf2c2fe82c59"),
];

#[test]
fn images_have_their_pinned_digests() {
    let wide = wide::wide_dump(5000);
    let wrong: Vec<String> = PINNED
        .iter()
        .filter_map(|(name, pinned)| {
            let dump = match *name {
                "minimal" => fixtures::MINIMAL_DUMP,
                "every-kind" => fixtures::EVERY_KIND_DUMP,
                _ => &wide,
            };
            let scratch = Scratch::new();
            let [found, ..] = digest(rootcast, &scratch.file("tree.dump", dump));
            (found != *pinned).then(|| format!("{name}: pinned {pinned:?}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The digests of measured disks of the dump `every-kind`, for these arguments. They depend on the
/// contents, of which the salt and all other identifiers are independent.
const PINNED_MEASURED: [(&str, &str); 2] = [
    ("--verity --arch x86_64", "2e75b886e67f99023fb1ef06d289dce0a7c915955c27586da9cf6777db705ed7"),
    (
        "--preset kata --no-rootfs-check --measured",
        "8010394b18efb769463b4cc9878ded006c3aca00821bfcffd44a504779515cb1",
    ),
];

#[test]
fn measured_disks_have_their_pinned_digests() {
    let scratch = Scratch::new();
    let dump = scratch.file("tree.dump", fixtures::EVERY_KIND_DUMP);
    for (arguments, pinned) in PINNED_MEASURED {
        let mut command = rootcast();
        command.arg("image").arg(&dump).arg("--digest").args(arguments.split(' '));
        let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(outcome.text().trim(), pinned, "{arguments}");
    }
}

/// The digest of the initramfs of the dump `initrd`, made by `rootcast initrd initrd.dump --digest
/// FLAGS`, and of one with a file longer than a piece of any codec. The bytes depend on the
/// libraries in the lock file.
const PINNED_INITRD: [(&str, &str, &str); 7] = [
    (
        "--compress none",
        "88d209472f2d97ace2395942dfb5ae883c5b1867ef201dfcb879ce19f186dc17",
        "03fd04d02875a661082fe06bb0a08259f352c3adca7cbd2bf456d26f00fbe15e",
    ),
    (
        "--compress none --align=512 --checksums",
        "1f8b0365398fed67290a24fbc27f73e31a2f5ad0e78fb83eb8f898fb149ca7ea",
        "d0ddbed2f79dcf75d86a79d1fdf69980de28b6c4d328375a49240578064bce66",
    ),
    (
        "--compress gzip",
        "d627d6838f88f8c133b3ae540f0708feee6cd21a4e846c1b41a0d58d8ee64148",
        "565f03f81d2832326c807d60db07a35cb6f132f9b18b2eaa2a9759c1a85e525b",
    ),
    (
        "--compress zstd",
        "c0b0479fba844f23e0ccbc4dff70511c93a90a811998d64338e70bda72c4a1df",
        "9c9626843a0ce5a995ff9301588d579b4d7cfb4b73d704c0ac9a7d6000d0de09",
    ),
    (
        "--compress lz4",
        "5c7c2d17bae49aadb89f8a8fc268d62cd19a9ff535fe71307941d10325062357",
        "40a2d137de38859344f19a7f8c0399c237d37a97c7f33ae69f7bd5b4aaf080ea",
    ),
    (
        "--compress xz",
        "eb7b280125f98f65b0dd16ad3bfb8f601113160a42a376fb8c61dab9665d09fb",
        "388d20fbf1d87ef6a49cd08389b152491a4681cb80f404fe95545dd9822e7665",
    ),
    (
        "--compress gzip:1 --checksums --microcode={scratch}/microcode --append {scratch}/appended",
        "73474d654e478ffdce77ad78ad972b6e5a68139b033a5bf88f5593921ebd01d9",
        "94ffd7d9ea9439d15af51c418b72a21aa02ad9d94a4a2cc8bcb8aef89fb34124",
    ),
];

/// Creates a directory with the dump, a tree of long and short files, microcode, and an archive to
/// append.
fn initrd_sources() -> Scratch {
    let scratch = Scratch::new();
    // The digests are of a script as /init, whose interpreter the dump does not have.
    let init = |line: &str| match line.starts_with("/init ") {
        true => "/init 17 100755 1 0 0 0 1600000000.0 - #!/usr/bin/agent\\n -\n".to_owned(),
        false => format!("{line}\n"),
    };
    scratch.file("small", fixtures::INITRD_DUMP.lines().map(init).collect::<String>());
    scratch.file("microcode", b"\x01\0\0\0 of Intel");
    scratch.file("appended", b"070701 is how it begins");
    let bytes = |len: usize, step: u32| -> Vec<u8> {
        let word = |at: usize| u32::try_from(at / 9).unwrap().wrapping_mul(step).to_le_bytes()[3];
        (0..len).map(word).collect()
    };
    let mut items = vec![fixtures::Item::new("", fixtures::Kind::Directory).mtime(1, 0)];
    let mut add = |name: &str, bytes: Vec<u8>| {
        items.push(fixtures::Item::new(name, fixtures::Kind::File(bytes)).mtime(1, 0).mode(0o755));
    };
    add("init", bytes(100_000, 0x9e37_79b9));
    add("long", bytes((17 << 20) + 3, 0x85eb_ca6b));
    (0..60).for_each(|number| add(&format!("short{number}"), bytes(number * 7919, 0xc2b2_ae35)));
    Fixture { items }.make(&scratch.join("large"));
    scratch
}

fn initrd_digest(scratch: &Scratch, source: &str, arguments: &str) -> String {
    let mut command = rootcast();
    command.arg("initrd").arg(scratch.join(source)).args(["--digest", "--init", "none"]);
    let arguments = arguments.replace("{scratch}", scratch.path().to_str().unwrap());
    let outcome = run(command.args(arguments.split_whitespace()));
    outcome.success().unwrap_or_else(|why| panic!("{why}")).text().trim_end().to_owned()
}

#[test]
fn initramfs_have_their_pinned_digests() {
    let scratch = initrd_sources();
    let mut wrong = Vec::new();
    for (arguments, small, large) in PINNED_INITRD {
        let found = ["small", "large"].map(|source| initrd_digest(&scratch, source, arguments));
        if found != [small, large] {
            wrong.push(format!("(\"{arguments}\", \"{}\", \"{}\"),", found[0], found[1]));
        }
    }
    assert!(wrong.is_empty(), "found\n{}", wrong.join("\n"));
}

#[test]
fn initramfs_bytes_do_not_depend_on_threads_cache_or_output() {
    let scratch = initrd_sources();
    for (codec, _, _) in &PINNED_INITRD[1..] {
        let of = |more: &str| initrd_digest(&scratch, "large", &format!("{codec} {more}"));
        let one = of("-j 1");
        let mut others = vec!["-j 2", "-j 7"];
        if !codec.contains("none") {
            // On the second run, all pieces are in the cache.
            others.extend(["-j 2 --cache {scratch}/cache", "-j 7 --cache {scratch}/cache"]);
        }
        for other in others {
            assert_eq!(of(other), one, "{codec} {other}");
        }
        let file = scratch.join("initrd");
        let mut command = rootcast();
        let arguments = codec.replace("{scratch}", scratch.path().to_str().unwrap());
        command
            .args(["initrd", "--init", "none"])
            .arg(scratch.join("large"))
            .args(arguments.split_whitespace());
        let streamed = run(command.args(["-o", "-"])).success().unwrap_or_else(|why| panic!("{why}")).stdout;
        let mut command = rootcast();
        command
            .args(["initrd", "--init", "none"])
            .arg(scratch.join("large"))
            .args(arguments.split_whitespace());
        run(command.arg("-o").arg(&file)).success().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(sha256(&file), one, "{codec}");
        assert_eq!(Content::of(&streamed).sha256.map(|byte| format!("{byte:02x}")).concat(), one, "{codec}");
    }
}
