//! Every writer gives the same bytes, and nothing after a failure.

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use image_runs::{Image, MAX_RENDERED, Render, Run, Source, read_all};
use image_tree::Content;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::chunks::{CHUNK_SIZE, MIN_ZEROS};
use super::file::{self, MIN_HOLE, Written};
use super::stream;
use super::{Destination, DestinationOptions, Reflink, WriteOptions, digest};
use crate::blob::{CloneSource, ReadAhead};
use crate::error::{Error, ErrorKind};
use crate::interrupt::Interrupt;
use crate::progress::{Progress, Silent};
use crate::threads::Threads;

mod destinations;
mod preallocation;
mod read_ahead;
mod staged;

const BLOCK: usize = 4096;
const THREADS: [usize; 3] = [1, 2, 7];

/// A content that may fail.
enum TestContent {
    Bytes(Vec<u8>),
    /// A content whose reads fail with its number; the lower the number, the later.
    Broken(u32),
    /// All ones, with slow reads.
    Slow,
    /// All zeros; a read sets an interrupt.
    Interrupting(Interrupt),
    Panicking,
}

impl Content for TestContent {
    fn len(&self) -> u64 {
        match self {
            TestContent::Bytes(bytes) => Content::len(bytes),
            _ => u64::MAX,
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            TestContent::Bytes(bytes) => bytes.read_at(buffer, offset),
            TestContent::Broken(number) => {
                thread::sleep(Duration::from_millis(100) / *number);
                Err(io::Error::other(format!("file {number} is broken")))
            }
            TestContent::Slow => {
                thread::sleep(Duration::from_millis(10));
                buffer.fill(1);
                Ok(())
            }
            TestContent::Interrupting(interrupt) => {
                interrupt.set(signal_hook::consts::SIGTERM);
                buffer.fill(1);
                Ok(())
            }
            TestContent::Panicking => panic!("a content panics"),
        }
    }
}

impl CloneSource for TestContent {}

impl ReadAhead for TestContent {}

/// Renders each key as its own bytes, between zeros of the buffer that it leaves untouched.
struct Keys;

impl Render for Keys {
    fn render(&self, key: u64, out: &mut [u8]) {
        assert!(out.iter().all(|byte| *byte == 0), "a renderer starts from zeros");
        for (index, byte) in out.iter_mut().enumerate().filter(|(index, _)| index % 3 == 0) {
            *byte = key.to_le_bytes()[index % 8];
        }
    }
}

/// The source of a run of a test image.
#[derive(Clone, Copy, Debug)]
enum Part {
    Zeros,
    Memory,
    Rendered(u64),
    Content { index: usize, offset: u64 },
}

/// An image built by hand.
struct TestImage {
    len: u64,
    runs: Vec<(u64, Part)>,
    contents: Vec<TestContent>,
    memory: Vec<u8>,
}

impl TestImage {
    fn new(runs: Vec<(u64, Part)>, contents: Vec<TestContent>) -> Self {
        let memory = pattern(2 * CHUNK_SIZE, 5);
        Self { len: runs.iter().map(|run| run.0).sum(), runs, contents, memory }
    }
}

impl Image<TestContent> for TestImage {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, TestContent>> + Send + '_> {
        Box::new(self.runs.iter().map(|(len, part)| {
            let source = match *part {
                Part::Zeros => Source::Zeros,
                Part::Memory => Source::Bytes(&self.memory[..usize::try_from(*len).expect("it fits")]),
                Part::Rendered(key) => Source::Rendered { by: &Keys, key },
                Part::Content { index, offset } => Source::Content { content: &self.contents[index], offset },
            };
            Run { len: *len, source }
        }))
    }
}

/// Returns bytes that vary with the offset, with zero blocks among them.
fn pattern(len: u64, seed: u64) -> Vec<u8> {
    let byte = |at: u64| {
        let zero_blocks = at / BLOCK as u64 % 40;
        if zero_blocks < 18 { 0 } else { (at.wrapping_mul(seed | 1) >> 3).to_le_bytes()[0] }
    };
    (0..len).map(byte).collect()
}

/// Returns a content of `len` bytes without zeros.
fn dense(len: u64) -> TestContent {
    TestContent::Bytes(vec![7; usize::try_from(len).expect("it fits")])
}

fn whole(content: TestContent) -> TestImage {
    let len = content.len();
    TestImage::new(vec![(len, Part::Content { index: 0, offset: 0 })], vec![content])
}

/// Counts the progress.
#[derive(Default)]
struct Count(AtomicU64);

impl Progress for Count {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Returns one of the numbers of threads in [`THREADS`], which the tests share.
fn threads(count: usize) -> &'static Threads {
    static POOLS: [Threads; 3] = [
        Threads::new(NonZeroUsize::new(THREADS[0]).unwrap()),
        Threads::new(NonZeroUsize::new(THREADS[1]).unwrap()),
        Threads::new(NonZeroUsize::new(THREADS[2]).unwrap()),
    ];
    POOLS.iter().find(|threads| threads.count() == count).expect("one of THREADS")
}

fn options<'a>(count: usize, interrupt: &'a Interrupt, progress: &'a dyn Progress) -> WriteOptions<'a> {
    let threads = threads(count);
    WriteOptions { threads, reflink: Reflink::Auto, interrupt, progress }
}

fn write(image: &TestImage, path: &Path, threads: usize) -> Result<Written, Error> {
    let destination = Destination::open(path, DestinationOptions::default())?;
    file::write(image, &destination, &options(threads, &Interrupt::never(), &Silent))
}

/// Returns the destination at a path that can be written to.
fn to(path: &Path) -> Destination {
    Destination::open(path, DestinationOptions::default()).expect("it can be an output")
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory can be made")
}

/// Reports that a test was skipped, bypassing the capture of a passing test's output.
fn skipped(what: &str) {
    writeln!(io::stderr(), "SKIPPED {what}").expect("standard error takes it");
}

/// Runs an ignored test in a process of its own.
fn assert_passes_alone(test: &str) {
    let mut command = Command::new(std::env::current_exe().expect("a test has a program"));
    let output = command.args(["--exact", test, "--ignored"]).output().expect("the test runs itself");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{}: {text}", output.status);
}

/// Returns the names in a directory, including hidden ones.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect()
}

/// Writes, streams and hashes an image with several numbers of threads and compares each with
/// [`read_all`].
fn check_all_ways(image: &TestImage) {
    let expected = read_all(image).expect("the test's contents can be read");
    let directory = directory();
    let path = directory.path().join("image");
    for threads in THREADS {
        let (interrupt, done) = (Interrupt::never(), Count::default());
        let options = options(threads, &interrupt, &done);

        let written = file::write(image, &to(&path), &options).expect("it can be written");
        assert!(fs::read(&path).expect("the file is there") == expected, "the file differs");
        assert_eq!(done.0.swap(0, Ordering::Relaxed), image.len);
        assert_eq!(written.len, image.len);
        assert_eq!(written.written_bytes + written.hole_bytes, image.len);
        let allocated = fs::metadata(&path).expect("the file is there").blocks() * 512;
        let most = most_allocated(&expected);
        assert!(allocated <= most, "holes are missing: {allocated} bytes are allocated, {most} would do");

        let mut bytes = Vec::new();
        stream::write(image, &mut bytes, Path::new("-"), &options).expect("memory takes all");
        assert!(bytes == expected, "the stream differs");
        assert_eq!(done.0.swap(0, Ordering::Relaxed), image.len);

        let digest = digest::sha256(image, &options).expect("it can be read");
        assert_eq!(digest[..], Sha256::digest(&expected)[..]);
        assert_eq!(done.0.swap(0, Ordering::Relaxed), image.len);
    }
}

/// The maximum allocated size of a file: every block except those in runs of zeros of at least
/// [`MIN_HOLE`], plus an allowance for the filesystem's own blocks.
fn most_allocated(bytes: &[u8]) -> u64 {
    let own = 64 << 10;
    let (mut data, mut zeros) = (0, 0);
    for block in bytes.chunks(BLOCK) {
        if block.iter().all(|byte| *byte == 0) {
            zeros += BLOCK;
        } else {
            data += BLOCK + if zeros < MIN_HOLE { zeros } else { 0 };
            zeros = 0;
        }
    }
    own + data as u64
}

/// Lengths around every boundary of the writers.
fn lengths() -> impl Strategy<Value = u64> {
    let near = |at: u64| at.saturating_sub(2).max(1)..=at + 2;
    prop_oneof![
        4 => 1..=10_000_u64,
        2 => near(BLOCK as u64),
        1 => near(MIN_HOLE as u64),
        1 => near(MIN_ZEROS),
        1 => near(CHUNK_SIZE),
        1 => 1..=2 * CHUNK_SIZE,
    ]
}

/// A run with any source; contents are 2.5 chunks long, so that a run can cross two boundaries.
fn runs() -> impl Strategy<Value = (u64, Part)> {
    const CONTENT: u64 = CHUNK_SIZE * 5 / 2;
    let zeros = lengths().prop_map(|len| (len, Part::Zeros));
    let memory = lengths().prop_map(|len| (len.min(2 * CHUNK_SIZE), Part::Memory));
    let rendered =
        (lengths(), any::<u64>()).prop_map(|(len, key)| (len.min(MAX_RENDERED), Part::Rendered(key)));
    let content = (lengths(), 0..2_usize, 0..CONTENT)
        .prop_map(|(len, index, offset)| (len.min(CONTENT - offset), Part::Content { index, offset }));
    prop_oneof![2 => zeros, 1 => memory, 1 => rendered, 3 => content]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() })]

    #[test]
    fn every_destination_gets_the_same_bytes(runs in prop::collection::vec(runs(), 0..24)) {
        let contents = [3, 11].map(|seed| TestContent::Bytes(pattern(CHUNK_SIZE * 5 / 2, seed)));
        check_all_ways(&TestImage::new(runs, contents.into()));
    }
}

#[test]
fn many_tiny_runs_are_gathered() {
    let runs = (0..40_000).map(|index| match index % 3 {
        0 => (1, Part::Content { index: 0, offset: index }),
        1 => (2, Part::Zeros),
        _ => (1, Part::Rendered(index)),
    });
    check_all_ways(&TestImage::new(runs.collect(), vec![dense(40_000)]));
}

#[test]
fn empty_and_zero_images_are_written() {
    check_all_ways(&TestImage::new(vec![], vec![]));
    check_all_ways(&TestImage::new(vec![(CHUNK_SIZE * 3 + 1, Part::Zeros)], vec![]));
}

#[test]
fn a_terabyte_of_zeros_is_all_hole() {
    let image = TestImage::new(
        vec![(1 << 40, Part::Zeros), (1, Part::Content { index: 0, offset: 0 })],
        vec![dense(1)],
    );
    let directory = directory();
    let path = directory.path().join("image");
    let written = write(&image, &path, 2).expect("a sparse file takes no room");
    assert_eq!(
        written,
        Written { len: (1 << 40) + 1, written_bytes: 1, cloned_bytes: 0, hole_bytes: 1 << 40 }
    );
    assert_eq!(fs::metadata(&path).expect("the file is there").len(), (1 << 40) + 1);
}

/// Runs every writer and expects each to fail with `kind` and `message`, leaving no file.
fn check_failure(image: &TestImage, interrupt: impl Fn() -> Interrupt, kind: ErrorKind, message: &str) {
    for threads in THREADS {
        let directory = directory();
        let path = directory.path().join("image");
        let file = file::write(image, &to(&path), &options(threads, &interrupt(), &Silent)).map(drop);
        let stream =
            stream::write(image, &mut io::sink(), &path, &options(threads, &interrupt(), &Silent)).map(drop);
        let digest = digest::sha256(image, &options(threads, &interrupt(), &Silent)).map(drop);
        for result in [file, stream, digest] {
            let error = result.expect_err("it fails");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(message), "{error}");
        }
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[test]
fn reports_the_first_unreadable_content_for_any_number_of_threads() {
    let content = |index| (CHUNK_SIZE, Part::Content { index, offset: 0 });
    let runs = vec![content(0), content(0), content(1), content(2), content(0), content(2)];
    let contents = vec![dense(CHUNK_SIZE), TestContent::Broken(1), TestContent::Broken(50)];
    let image = TestImage::new(runs, contents);
    check_failure(&image, Interrupt::never, ErrorKind::Io, "file 1 is broken");
}

#[test]
fn a_failing_thread_stops_the_others() {
    const SLOW_CHUNKS: u64 = 64;
    let slow = (CHUNK_SIZE * SLOW_CHUNKS, Part::Content { index: 1, offset: 0 });
    let contents = vec![TestContent::Broken(50), TestContent::Slow];
    let image = TestImage::new(vec![(CHUNK_SIZE, Part::Content { index: 0, offset: 0 }), slow], contents);
    let (directory, done) = (directory(), Count::default());
    let interrupt = Interrupt::never();
    let options = options(2, &interrupt, &done);
    file::write(&image, &to(&directory.path().join("image")), &options).expect_err("a content is broken");
    assert!(
        done.0.load(Ordering::Relaxed) < CHUNK_SIZE * SLOW_CHUNKS,
        "the other thread wrote everything else"
    );
}

#[test]
fn a_content_that_ends_early_is_bad_input() {
    let mut image = whole(dense(CHUNK_SIZE));
    image.contents = vec![dense(CHUNK_SIZE / 2)];
    check_failure(&image, Interrupt::never, ErrorKind::BadInput, "end of file");
}

#[test]
fn runs_of_the_wrong_length_are_errors() {
    let check =
        |image: &TestImage, message| check_failure(image, Interrupt::never, ErrorKind::Verification, message);
    let mut image = whole(dense(10));
    image.len = 11;
    check(&image, "end before the image does, at byte 10 of 11");
    image.len = 9;
    check(&image, "longer than the image, at byte 0 of 9");
    check(&TestImage::new(vec![(5, Part::Zeros), (0, Part::Zeros)], vec![]), "has no bytes, at byte 5 of 5");
    check(&TestImage::new(vec![(MAX_RENDERED + 1, Part::Rendered(0))], vec![]), "too long");
    let outside = Part::Content { index: 0, offset: u64::MAX };
    check(&TestImage::new(vec![(1, outside)], vec![dense(1)]), "outside its content");
}

#[test]
fn a_signal_leaves_nothing() {
    let stop = || {
        let interrupt = Interrupt::never();
        interrupt.set(signal_hook::consts::SIGINT);
        interrupt
    };
    check_failure(&whole(dense(1)), stop, ErrorKind::Interrupted, "stopped by SIGINT");
}

#[test]
fn a_signal_while_writing_leaves_nothing() {
    for threads in THREADS {
        let mut image = whole(TestContent::Interrupting(Interrupt::never()));
        image.len = CHUNK_SIZE * 64;
        image.runs[0].0 = image.len;
        let TestContent::Interrupting(interrupt) = &image.contents[0] else { unreachable!("made above") };
        let directory = directory();
        let path = directory.path().join("image");
        let done = Count::default();
        let error =
            file::write(&image, &to(&path), &options(threads, interrupt, &done)).expect_err("it is stopped");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(done.0.into_inner() < image.len, "the signal came midway");
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[test]
fn a_panic_neither_hangs_nor_leaves_a_file() {
    for threads in THREADS {
        let mut image = whole(TestContent::Panicking);
        image.len = CHUNK_SIZE * 16;
        image.runs = vec![
            (CHUNK_SIZE * 8, Part::Content { index: 1, offset: 0 }),
            (CHUNK_SIZE, Part::Content { index: 0, offset: 0 }),
            (CHUNK_SIZE * 7, Part::Content { index: 1, offset: 0 }),
        ];
        image.contents.push(dense(CHUNK_SIZE * 8));
        let directory = directory();
        let path = directory.path().join("image");
        let panics = |call: &(dyn Fn() + Sync)| thread::scope(|scope| scope.spawn(call).join().is_err());
        assert!(panics(&|| drop(write(&image, &path, threads))));
        assert!(panics(&|| {
            let _ = digest::sha256(&image, &options(threads, &Interrupt::never(), &Silent));
        }));
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[test]
fn a_closed_pipe_is_an_error() {
    for threads in THREADS {
        let (reader, mut writer) = io::pipe().expect("a pipe can be made");
        drop(reader);
        let image = whole(dense(CHUNK_SIZE * 4));
        let interrupt = Interrupt::never();
        let error =
            stream::write(&image, &mut writer, Path::new("out"), &options(threads, &interrupt, &Silent))
                .expect_err("nobody has the image");
        assert_eq!(error.kind(), ErrorKind::Io);
        let expected = "out: the reader went away before it had all bytes: Broken pipe (os error 32)";
        assert_eq!(error.to_string(), expected);
    }
}
