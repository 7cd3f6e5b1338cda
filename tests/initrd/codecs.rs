//! Compressed archives unpack, with foreign programs, to the archive that was planned.

use std::fs;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use initramfs::codec::{Codec, LIBRARIES};
use initramfs::{EarlyCpio, Layout, Options, Precompressed};
use rootcast::blob::Blob;
use rootcast::interrupt::Interrupt;
use rootcast::output::compress::{CompressOptions, Member, stream};
use rootcast::output::{Reflink, WriteOptions};
use rootcast::progress::Silent;
use rootcast::source::directory::Scanned;
use rootcast::source::{self, ReadOptions};
use rootcast::threads::Threads;

use crate::judges;

/// Every codec with a fast and a thorough level, and the program that unpacks standard input to
/// standard output.
const JUDGES: [(&str, &str, &[&str]); 9] = [
    ("gzip:1", "gzip", &["-dc"]),
    ("gzip:6", "gzip", &["-dc"]),
    ("gzip:12", "gzip", &["-dc"]),
    ("zstd:3", "zstd", &["-dc"]),
    ("zstd:19", "zstd", &["-dc"]),
    ("lz4:1", "lz4", &["-dc"]),
    ("lz4:9", "lz4", &["-dc"]),
    ("xz:0", "xz", &["-dc"]),
    ("xz:6", "xz", &["-dc"]),
];

/// Creates small files, links, an empty file, and files longer than `long`.
fn make_tree(at: &Path, long: u64) {
    for directory in ["etc", "usr", "usr/lib"] {
        fs::create_dir(at.join(directory)).expect("a new directory");
    }
    for number in 0..300_usize {
        let line = format!("line {number} of a file with little in it\n");
        fs::write(at.join(format!("etc/{number}.conf")), line.repeat(number % 60)).expect("a new file");
    }
    std::os::unix::fs::symlink("../etc", at.join("usr/etc")).expect("a new link");
    let long = usize::try_from(long).expect("it fits");
    for (name, step) in [("a", 0x9e37_79b9_7f4a_7c15_u64), ("b", 3)] {
        let bytes: Vec<u8> =
            (0..long as u64 + 5).map(|at| (at / 7).wrapping_mul(step).to_le_bytes()[4]).collect();
        fs::write(at.join("usr/lib").join(name), bytes).expect("a new file");
    }
}

fn scanned(at: &Path) -> Scanned {
    let source = source::Source::at(at.as_os_str(), None).expect("a directory");
    let interrupt = Interrupt::never();
    source::read(source, &ReadOptions::new(&Threads::single(), &interrupt)).expect("it can be read")
}

fn layout<'t>(layer: &'t Scanned, codec: &Codec) -> Layout<'t, Blob> {
    let usual = codec.segment_len().unwrap_or(1 << 20);
    let mut options = Options::segmented(usual);
    options.precompressed = Precompressed::None;
    initramfs::plan(&layer.tree, &EarlyCpio::none(), &options).expect("nothing is unrepresentable")
}

fn pack(layout: &Layout<'_, Blob>, codec: &Codec, threads: usize) -> Vec<u8> {
    let segments: Vec<_> = layout.segments().collect();
    let members: Vec<_> = segments.iter().map(Member::of).collect();
    let interrupt = Interrupt::never();
    let threads = &Threads::new(NonZeroUsize::new(threads).expect("not 0"));
    let write = WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
    let mut out = Vec::new();
    let options = CompressOptions { write, cache: None, observer: None };
    stream(&members, codec, &mut out, Path::new("-"), &options).expect("nothing fails");
    out
}

/// Returns the output of the program for `packed`; `None` if it reports an error.
fn unpack(mut program: Command, arguments: &[&str], packed: &[u8]) -> Option<Vec<u8>> {
    program.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().expect("the program runs");
    let mut input = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        // A program stops reading after an error.
        scope.spawn(move || drop(input.write_all(packed)));
        let output = child.wait_with_output().expect("the program runs");
        output.status.success().then_some(output.stdout)
    })
}

#[test]
fn other_programs_unpack_every_codec() {
    let _one = judges::heavy();
    for (name, program, arguments) in JUDGES {
        let Some(program) = judges::command(program) else { continue };
        let codec: Codec = name.parse().expect("a codec");
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The thorough levels are slow; unpacking files longer than a piece is tested with the fast
        // ones.
        let quick = ["gzip:1", "gzip:6", "zstd:3", "lz4:1", "xz:0"].contains(&name);
        make_tree(directory.path(), if quick { codec.max_piece_len() } else { 1 << 18 });
        let layer = scanned(directory.path());
        let layout = layout(&layer, &codec);
        let expected = image_runs::read_all(&layout).expect("it can be read");
        let packed = pack(&layout, &codec, 2);
        assert!(packed.len() < expected.len());
        assert!(pack(&layout, &codec, 7) == packed, "{name} with 7 threads");
        assert!(unpack(program, arguments, &packed).as_deref() == Some(&expected[..]), "{name}");
    }
}

/// The judges detect a changed byte anywhere. lz4's legacy format has no checksum, so its output
/// differs instead.
#[test]
fn other_programs_detect_a_wrong_byte() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    make_tree(directory.path(), 1 << 16);
    let layer = scanned(directory.path());
    for (name, program, arguments) in JUDGES {
        let codec: Codec = name.parse().expect("a codec");
        let layout = layout(&layer, &codec);
        let expected = image_runs::read_all(&layout).expect("it can be read");
        let packed = pack(&layout, &codec, 1);
        for at in [0, packed.len() / 3, packed.len() / 2, packed.len() - 20] {
            let Some(program) = judges::command(program) else { break };
            let mut wrong = packed.clone();
            wrong[at] ^= 0x10;
            let unpacked = unpack(program, arguments, &wrong);
            // The commands above pass through bytes that are in none of these formats, as gzip -f
            // does not.
            assert!(
                unpacked.is_none() || (name.starts_with("lz4") && unpacked != Some(expected.clone())),
                "{name} at {at}"
            );
        }
    }
}

/// The version of a library is part of the cache key.
#[test]
fn the_libraries_are_those_of_the_lock_file() {
    let lock =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a lock file");
    for (name, version) in LIBRARIES.into_iter().chain(mkfs_erofs::LIBRARIES) {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            "{name} is not {version}"
        );
    }
}
