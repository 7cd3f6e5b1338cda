//! Bad and extreme input from the command line: each is cast, or rejected with an error, within
//! limits on memory and time.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags};

use crate::judges;
use crate::oracle::expected::{self, Content, Kind};
use crate::oracle::{self, Expected, Judge, Volume, debugfs, e2fsck, ext4_view, kernel};
use crate::product::{self, Outcome, Scratch, rootcast, run};
use crate::sources::tar::builder::{Archive, put};

/// The maximum address space of a run on hostile input, in bytes: the program, its threads' stacks,
/// and the limits on single headers.
const MEMORY: u64 = 1 << 30;

/// Far more than any of them takes, far less than a hang.
const TIME: Duration = Duration::from_secs(60);

/// Runs `rootcast ARGUMENTS` within [`MEMORY`] and [`TIME`].
fn bounded(arguments: &[&str], stdin: Option<&Path>) -> Outcome {
    let mut command = rootcast();
    let program = command.get_program().to_owned();
    command.args(arguments);
    if let Some(prlimit) = judges::locate("prlimit") {
        let limited = command.get_args().map(ToOwned::to_owned).collect::<Vec<_>>();
        command = product::as_ordinary_user(Command::new(prlimit));
        command.arg(format!("--as={MEMORY}")).arg(program).args(limited);
    }
    if let Some(path) = stdin {
        command.stdin(File::open(path).expect("it is the test's"));
    }
    let began = Instant::now();
    let outcome = run(&mut command);
    assert!(began.elapsed() < TIME, "{:?}: {outcome}", began.elapsed());
    outcome
}

/// Fails unless the file is rejected with each of the words, read by name and through a pipe.
fn refused(path: &Path, flags: &[&str], words: &[&str]) {
    let name = path.to_str().expect("ASCII");
    let by_name = bounded(&[&["tree", name], flags].concat(), None);
    let by_pipe = bounded(&[&["tree", "-"], flags].concat(), Some(path));
    for (outcome, source) in [(by_name, name), (by_pipe, "standard input")] {
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.starts_with(&format!("rootcast: {source}: offset ")), "{outcome}");
        for word in words {
            assert!(outcome.stderr.contains(word), "“{word}”: {outcome}");
        }
        assert!(outcome.stdout.is_empty(), "{outcome}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    }
}

#[test]
fn rejections_name_source_offset_path_and_value() {
    let file = || Archive::new().file("f", "").link("l", b'2', "/etc");
    let cases: [(Vec<u8>, &[&str]); 7] = [
        (file().file("f/x", "").finish(), &["offset 1024: f/x: f is a file", "it cannot contain files"]),
        (
            file().link("m", b'2', "m").file("m/x", "").finish(),
            &["offset 1536: m/x: the path leads through more than 40 symbolic links"],
        ),
        (file().file("../x", "").finish(), &["offset 1024: ../x: ", "\"..\""]),
        (file().link("h", b'1', "none").finish(), &["offset 1024: h: is a hard link to none"]),
        (
            file().pax(b'x', &[("path", "n".repeat(256).as_bytes())]).file("f", "").finish(),
            &["offset 2048: nnn", "256 bytes long, the limit is 255"],
        ),
        (
            file().pax(b'x', &[("path", "d/".repeat(9000).as_bytes())]).file("f", "").finish(),
            &["9000 components, the limit is 4096"],
        ),
        (
            file().raw(b"n", b'0', 0, b"", |header| put(header, 108, "-000001")).finish(),
            &["1024: n: uid", "-000001"],
        ),
    ];
    let scratch = Scratch::new();
    for (bytes, words) in cases {
        refused(&scratch.file("bad.tar", bytes), &[], words);
    }
    let good = scratch.file("good.tar", Archive::new().file("a", "123").file("b/c", "4567").finish());
    refused(&good, &["--max-entries", "2"], &["offset 1024: b/c: ", "more than 2 members", "--max-entries"]);
    refused(&good, &["--max-size", "1K"], &["offset 1024: ", "more than 1024 bytes", "--max-size"]);
}

#[test]
fn an_extended_header_of_100_megabytes_is_rejected_unread() {
    let scratch = Scratch::new();
    let payload = crate::sources::tar::builder::record("path", &vec![b'n'; 100_000_000]);
    let bytes = Archive::new().member("x", b'x', &payload).file("f", "").finish();
    let path = scratch.file("long.tar", bytes);
    refused(&path, &[], &["offset 0: an extended header is 100000016 bytes long, the limit is 16777216"]);
    // A small compressed file unpacks to the same.
    let Some(mut gzip) = judges::command("gzip") else { return };
    let packed = scratch.file("long.tar.gz", run(gzip.arg("-c").arg(&path)).success().unwrap().stdout);
    refused(&packed, &[], &["offset 0: an extended header is 100000016 bytes long, the limit is 16777216"]);
}

#[test]
fn decompression_bombs_stop_at_the_limit() {
    let scratch = Scratch::new();
    let many = (0..20_000).fold(Archive::new(), |archive, index| archive.file(&format!("f{index}"), ""));
    let many = scratch.file("many.tar", many.finish());
    let large = Archive::new().raw(b"f", b'0', 256 << 20, b"", |_| {}).bytes(&vec![0; 256 << 20]).finish();
    let large = scratch.file("large.tar", large);
    for tool in ["gzip", "zstd", "xz", "bzip2"] {
        for (path, flags, words) in [
            (&many, ["--max-entries", "10000"], ["offset 5120000: ", "more than 10000 members"]),
            (&large, ["--max-size", "128M"], ["f: ", "more than 134217728 bytes; --max-size"]),
        ] {
            let Some(mut command) = judges::command(tool) else { continue };
            let packed = run(command.args(["-1", "-c"]).arg(path)).success().unwrap().stdout;
            assert!(packed.len() < 2 << 20, "{tool}: {}", packed.len());
            refused(&scratch.file("bomb", packed), &flags, &words);
        }
    }
}

#[test]
fn truncated_and_damaged_compressed_streams_are_rejected() {
    let scratch = Scratch::new();
    let body: String = (0..40_000_u32).map(|line| format!("{}\n", line.wrapping_mul(0x9e37_79b9))).collect();
    let archive = scratch.file("good.tar", Archive::new().file("a", &body).file("b", &body).finish());
    for tool in ["gzip", "zstd", "xz", "bzip2"] {
        let Some(mut command) = judges::command(tool) else { continue };
        let packed = run(command.arg("-c").arg(&archive)).success().unwrap().stdout;
        let whole = scratch.file("whole", &packed);
        assert_eq!(bounded(&["tree", whole.to_str().unwrap()], None).code, Some(0), "{tool}");
        // The cuts are in the header with the magic number, in the first block, in the middle, and
        // in the checksum at the end.
        let len = packed.len();
        for cut in [7, 20, len / 3, len - len / 10, len - 5, len - 1] {
            refused(&scratch.file("cut", &packed[..cut]), &[], &[]);
        }
        for at in [len / 2, len - 3] {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            refused(&scratch.file("damaged", damaged), &[], &[]);
        }
    }
}

/// Creates a chain of nested directories, deeper than the maximum path length of Linux.
fn deep_directory(root: &Path, depth: usize) {
    fs::create_dir(root).expect("it is new");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = rustix::fs::openat(CWD, root, flags, Mode::empty()).expect("it is there");
    for _ in 0..depth {
        rustix::fs::mkdirat(&here, "d", Mode::from_raw_mode(0o755)).expect("it is new");
        here = rustix::fs::openat(&here, "d", flags, Mode::empty()).expect("it is there");
    }
    let file = rustix::fs::openat(&here, "f", OFlags::WRONLY | OFlags::CREATE, Mode::from_raw_mode(0o644));
    File::from(file.expect("it is new")).write_all(b"deep").expect("there is room");
}

/// Removes a tree that is too deep for `std::fs::remove_dir_all`.
struct Deep(std::path::PathBuf);

impl Drop for Deep {
    fn drop(&mut self) {
        // OK to ignore: the test's directory then remains.
        let _ = Command::new("rm").arg("-rf").arg(&self.0).status();
    }
}

#[test]
fn a_tree_of_the_maximum_depth_is_accepted_from_every_source() {
    // The depth with the file and a directory above, which an edit adds.
    const DEPTH: usize = image_tree::MAX_DEPTH - 2;
    let scratch = Scratch::new();
    let directory = Deep(scratch.join("deep"));
    deep_directory(&directory.0, DEPTH);
    let epoch = ["--source-date-epoch", "0"];
    let tree = |source: &str| {
        let outcome = bounded(&[&["tree", source], &epoch[..]].concat(), None);
        outcome.success().unwrap_or_else(|why| panic!("{why}")).text()
    };
    let text = tree(directory.0.to_str().unwrap());
    assert_eq!(text.lines().count(), DEPTH + 2);
    assert!(text.lines().last().unwrap().starts_with(&format!("{}/f 4 100644 1 ", "/d".repeat(DEPTH))));

    let place = format!("{}:/added", directory.0.display());
    let both = bounded(&["tree", directory.0.to_str().unwrap(), "--add", &place], None);
    assert_eq!(both.success().unwrap_or_else(|why| panic!("{why}")).text().lines().count(), 2 * DEPTH + 4);

    // GNU tar walks to the same depth, and writes names of that length.
    let archive = scratch.join("deep.tar");
    let Some(mut tar) = judges::command("tar") else { return };
    tar.args(["--format=posix", "--sort=name", "-cf"]).arg(&archive).arg("-C").arg(&directory.0).arg(".");
    run(&mut tar).success().unwrap_or_else(|why| panic!("{why}"));
    let dump = scratch.file("deep.dump", dump_with_contents(text.as_bytes()).replace(" - text ", " - deep "));
    let image = scratch.join("image");
    let cast = |source: &Path, flags: &[&str]| {
        let (source, image) = (source.to_str().unwrap(), image.to_str().unwrap());
        let arguments = ["image", source, "-o", image, "--layout", "bare", "-q", "--owner", "root"];
        let outcome = bounded(&[&arguments, &epoch[..], flags].concat(), None);
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        fs::read(image).unwrap()
    };
    let by_directory = cast(&directory.0, &[]);
    e2fsck::check(&Volume::new(&image, None)).unwrap_or_else(|why| panic!("{why}"));
    assert!(by_directory == cast(&archive, &[]), "the archive's image differs");
    assert!(by_directory == cast(&dump, &[]), "the dump's image differs");
}

#[test]
fn a_tree_beyond_the_maximum_depth_is_rejected_by_every_source() {
    const DEPTH: usize = 10_000;
    const LIMIT: &str = "components, the limit is 4096";
    let scratch = Scratch::new();
    let directory = Deep(scratch.join("deep"));
    deep_directory(&directory.0, DEPTH);
    let refused = |arguments: &[&str], stdin: Option<&Path>| {
        let outcome = bounded(arguments, stdin);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        // An edit is quoted as it was given.
        let given: usize = arguments.iter().map(|argument| argument.len()).sum();
        assert!(outcome.stderr.contains(LIMIT) && outcome.stderr.len() < 1000 + given, "{}", outcome.stderr);
    };
    let image = scratch.join("image");
    for verb in [&["image", "-o", image.to_str().unwrap()][..], &["tree"], &["closure", "--keep", "/"]] {
        refused(&[verb, &[directory.0.to_str().unwrap()]].concat(), None);
    }
    let mut archive = Archive::new();
    let mut dump = "/ 0 40755 2 0 0 0 0.0 - - -\n".to_owned();
    for depth in (1..=image_tree::MAX_DEPTH + 1).chain([DEPTH]) {
        let name = ("path", "d/".repeat(depth).into_bytes());
        if depth >= image_tree::MAX_DEPTH {
            archive = archive.pax(b'x', &[(name.0, &name.1)]).directory("d/", 0o755);
        }
        dump += &format!("{} 0 40755 2 0 0 0 0.0 - - -\n", "/d".repeat(depth));
    }
    for source in [scratch.file("deep.tar", archive.finish()), scratch.file("deep.dump", dump.as_bytes())] {
        refused(&["tree", source.to_str().unwrap()], None);
        refused(&["tree", "-"], Some(&source));
    }
    let (top, deep) = (scratch.join("top"), "/d".repeat(image_tree::MAX_DEPTH));
    fs::create_dir(&top).expect("it is new");
    for edit in [["--mkdir", &format!("{deep}/x")], ["--symlink", &format!("to:{deep}/x")]] {
        refused(&[&["tree", top.to_str().unwrap()], &edit[..]].concat(), None);
    }
}

#[test]
fn an_archive_of_65500_directories_in_one_is_accepted() {
    let _heavy = judges::heavy();
    const COUNT: u32 = 65_500;
    let scratch = Scratch::in_memory();
    let mut expected = Expected::default();
    let mut archive = Archive::new().directory("wide/", 0o755);
    for path in [b"/".as_slice(), b"/wide"] {
        expected.files.insert(path.to_vec(), expected::File::new(Kind::Directory, 0o755));
    }
    for index in 0..COUNT {
        archive = archive.directory(&format!("wide/{index}/"), 0o700);
        let file = expected::File::new(Kind::Directory, 0o700);
        expected.files.insert(format!("/wide/{index}").into_bytes(), file);
    }
    let (source, image) = (scratch.file("wide.tar", archive.finish()), scratch.join("image"));
    product::image(&source, &image, &["--layout", "bare"]);
    let judges: [(&str, Judge); 2] =
        [("e2fsck", |volume, _| e2fsck::check(volume)), ("kernel", kernel::check)];
    oracle::judge_by(&image, None, &expected, &judges);
}

/// Names in Latin-1, Shift JIS, KOI8-R and UTF-16, and bytes in none of them.
const NAMES: [&[u8]; 6] = [
    b"caf\xe9",
    b"\x83\x65\x83\x58\x83\x67",
    b"\xd4\xc5\xd3\xd4",
    b"\xff\xfet\xfde\x80s\x01t",
    b"\xc0\xaf\xed\xa0\x80",
    b"e\xcc\x81 \xc3\xa9",
];

#[test]
fn names_in_any_encoding_are_preserved() {
    let scratch = Scratch::new();
    let mut expected = Expected::default();
    expected.files.insert(b"/".to_vec(), expected::File::new(Kind::Directory, 0o755));
    let mut by_header = Archive::new();
    let mut by_pax = Archive::new();
    for name in NAMES {
        by_header = by_header.raw(name, b'0', 4, b"text", |_| {});
        by_pax = by_pax.pax(b'x', &[("path", name), ("hdrcharset", b"BINARY")]).file("x", "text");
        let kind = Kind::Regular(Content::of(b"text"));
        expected.files.insert([b"/", name].concat(), expected::File::new(kind, 0o644));
    }
    let sources = [scratch.file("header.tar", by_header.finish()), scratch.file("pax.tar", by_pax.finish())];
    let judges: [(&str, Judge); 4] = [
        ("e2fsck", |volume, _| e2fsck::check(volume)),
        ("debugfs", debugfs::check),
        ("ext4-view", ext4_view::check),
        ("kernel", kernel::check),
    ];
    for source in &sources {
        let image = scratch.join("image");
        product::image(source, &image, &["--layout", "bare"]);
        oracle::judge_by(&image, None, &expected, &judges);

        let text = run(rootcast().arg("tree").arg(source)).success().unwrap().stdout;
        assert!(text.is_ascii(), "a dump is ASCII");
        let digest =
            |source: &Path| run(rootcast().args(["image", "--digest"]).arg(source)).success().unwrap().text();
        let dump = scratch.file("dump", dump_with_contents(&text));
        assert_eq!(digest(source), digest(&dump));
    }
}

/// Returns the dump with the contents of its files inline, which for an archive on disk are
/// referenced by path.
fn dump_with_contents(dump: &[u8]) -> String {
    let text = str::from_utf8(dump).expect("ASCII");
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(' ').collect();
        if fields[1] == "4" {
            (fields[8], fields[9]) = ("-", "text");
        }
        fields.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

#[test]
fn duplicate_members_resolve_as_in_gnu_tar() {
    let scratch = Scratch::new();
    let (source, unpacked) = (scratch.join("source"), scratch.join("unpacked"));
    let archive = scratch.join("twice.tar");
    fs::create_dir_all(source.join("d")).unwrap();
    fs::create_dir(&unpacked).unwrap();
    let append = |form: &str, paths: &[&str]| {
        let mut tar = judges::command("tar")?;
        tar.args(["--format=posix", form]).arg(&archive).arg("-C").arg(&source).args(paths);
        run(&mut tar).success().unwrap_or_else(|why| panic!("{why}"));
        Some(())
    };
    fs::write(source.join("d/a"), "first").unwrap();
    fs::write(source.join("d/b"), "first").unwrap();
    fs::hard_link(source.join("d/a"), source.join("d/same")).unwrap();
    if append("-cf", &["."]).is_none() {
        return;
    }
    fs::remove_file(source.join("d/a")).unwrap();
    fs::write(source.join("d/a"), "second, longer").unwrap();
    fs::remove_file(source.join("d/b")).unwrap();
    std::os::unix::fs::symlink("a", source.join("d/b")).unwrap();
    append("-rf", &["./d/a", "./d/b"]);
    let mut tar = judges::command("tar").unwrap();
    tar.args(["--same-permissions", "-xf"]).arg(&archive).arg("-C").arg(&unpacked);
    run(tar.stdin(Stdio::null())).success().unwrap_or_else(|why| panic!("{why}"));
    let image = scratch.join("image");
    product::image(&archive, &image, &["--layout", "bare"]);
    oracle::judge(&image, None, &Expected::from_directory(&unpacked, oracle::Owner::Keep));
}
