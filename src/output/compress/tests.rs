//! The bytes and the errors are the same for every number of threads, with and without a cache.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use image_runs::{Image, Render, Run, Source};
use image_tree::Content;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tempfile::TempDir;

use super::*;
use crate::blob::Certainty;
use crate::cache::Cache;
use crate::error::ErrorKind;
use crate::interrupt::Interrupt;
use crate::output::{DestinationOptions, Reflink, WriteOptions};
use crate::progress::{Progress, Silent};
use crate::threads::Threads;

mod cached;
mod observed;

const THREADS: [usize; 3] = [1, 2, 7];

/// A file that counts its reads.
#[derive(Debug, Default)]
struct TestFile {
    bytes: Vec<u8>,
    misbehaves: Option<Misbehaviour>,
    reads: AtomicU64,
    /// Its name and the certainty that it has these bytes.
    identity: Option<(&'static str, Certainty)>,
}

impl Identified for TestFile {
    fn identify(&self, sink: &mut dyn FnMut(&[u8])) -> Certainty {
        let Some((name, certainty)) = self.identity else { return Certainty::Unknown };
        sink(name.as_bytes());
        certainty
    }
}

#[derive(Debug)]
enum Misbehaviour {
    Broken(&'static str),
    Interrupts(Arc<Interrupt>),
    /// The bytes change after so many reads.
    Changes(u64),
    Panics,
}

impl Content for TestFile {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        match &self.misbehaves {
            Some(Misbehaviour::Broken(name)) => return Err(io::Error::other(format!("{name} is broken"))),
            Some(Misbehaviour::Interrupts(interrupt)) => interrupt.set(signal_hook::consts::SIGTERM),
            Some(Misbehaviour::Changes(after)) if reads >= *after => {
                buffer.fill(1);
                return Ok(());
            }
            Some(Misbehaviour::Changes(_)) => {}
            Some(Misbehaviour::Panics) => panic!("a content panics"),
            None => {}
        }
        self.bytes.read_at(buffer, offset)
    }
}

/// A segment: a header in memory, a file, padding, and a computed run.
struct TestSegment {
    header: Vec<u8>,
    file: TestFile,
    padding: u64,
    rendered: u64,
    compress: bool,
}

impl TestSegment {
    fn new(bytes: Vec<u8>) -> Self {
        let file = TestFile { bytes, ..TestFile::default() };
        Self { header: Vec::new(), file, padding: 0, rendered: 0, compress: true }
    }

    fn stored(bytes: Vec<u8>) -> Self {
        Self { compress: false, ..Self::new(bytes) }
    }

    fn misbehaving(misbehaviour: Misbehaviour) -> Self {
        let mut segment = Self::new(vec![0; 100]);
        segment.file.misbehaves = Some(misbehaviour);
        segment
    }

    fn member(&self) -> Member<'_, TestFile> {
        Member { image: self, compress: self.compress }
    }
}

impl Image<TestFile> for TestSegment {
    fn len(&self) -> u64 {
        self.header.len() as u64 + self.file.len() + self.padding + self.rendered
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, TestFile>> + Send + '_> {
        let sources = [
            (self.header.len() as u64, Source::Bytes(&self.header)),
            (self.file.len(), Source::Content { content: &self.file, offset: 0 }),
            (self.padding, Source::Zeros),
            (self.rendered, Source::Rendered { by: &Ramp, key: 3 }),
        ];
        Box::new(sources.into_iter().filter(|(len, _)| *len > 0).map(|(len, source)| Run { len, source }))
    }
}

struct Ramp;

impl Render for Ramp {
    fn render(&self, key: u64, out: &mut [u8]) {
        for (byte, at) in out.iter_mut().zip(key..) {
            *byte = at.to_le_bytes()[1];
        }
    }
}

/// Returns bytes that compress to about a half.
fn text(len: usize, seed: u64) -> Vec<u8> {
    (0..len as u64)
        .map(|at| {
            if at / 64 % 3 == 0 {
                7
            } else {
                (at ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[6]
            }
        })
        .collect()
}

fn codec(text: &str) -> Codec {
    text.parse().expect("a codec")
}

fn pack_with(
    segments: &[TestSegment],
    codec: &Codec,
    threads: usize,
    interrupt: &Interrupt,
    cache: Option<&Cache>,
) -> Result<(Vec<u8>, Compressed)> {
    let threads = &self::threads(threads);
    let options = CompressOptions {
        write: WriteOptions { threads, reflink: Reflink::Never, interrupt, progress: &Silent },
        cache,
        observer: None,
    };
    let members: Vec<_> = segments.iter().map(TestSegment::member).collect();
    let mut out = Vec::new();
    let compressed = stream(&members, codec, &mut out, Path::new("-"), &options)?;
    assert_eq!(compressed.written_bytes, out.len() as u64);
    Ok((out, compressed))
}

fn threads(count: usize) -> Threads {
    Threads::new(NonZeroUsize::new(count).expect("not 0"))
}

fn pack(segments: &[TestSegment], codec: &Codec, threads: usize) -> Vec<u8> {
    pack_with(segments, codec, threads, &Interrupt::never(), None).expect("nothing fails").0
}

/// Returns segments of every kind: tiny, empty, stored, with computed bytes, longer than one piece.
fn mixed(codec: &Codec) -> Vec<TestSegment> {
    let most = usize::try_from(codec.max_piece_len()).expect("it fits");
    let mut segments = vec![TestSegment::stored(text(4096, 1)), TestSegment::new(vec![1])];
    segments.push(TestSegment::new(Vec::new()));
    segments.extend((2..6).map(|seed| TestSegment::new(text(300_000, seed))));
    segments.push(TestSegment {
        header: text(110, 6),
        padding: (1 << 20) - 5,
        rendered: 1 << 20,
        ..TestSegment::new(text(most, 7))
    });
    segments.push(TestSegment::stored(text((1 << 20) + 4, 8)));
    segments.push(TestSegment::stored(Vec::new()));
    segments.push(TestSegment::new(text(5, 9)));
    segments.push(TestSegment::stored(text(8, 10)));
    segments
}

#[test]
fn bytes_do_not_depend_on_threads() {
    for name in ["none", "gzip:1", "zstd:1", "lz4:1", "xz:0"] {
        let codec = codec(name);
        let segments = mixed(&codec);
        let expected = pack(&segments, &codec, 1);
        for threads in [2, 7] {
            assert!(pack(&segments, &codec, threads) == expected, "{name} with {threads} threads");
        }
        let sum: u64 = segments.iter().map(Image::len).sum();
        // Stored bytes keep their length, except for alignment with zeros.
        assert_eq!(name == "none", expected.len() as u64 >= sum, "{name}");
    }
}

/// Items have 1 MiB, and their ends are within runs of every kind.
#[test]
fn uncompressed_output_is_the_bytes_of_the_segments() {
    let codec = codec("none");
    let segments = mixed(&codec);
    let mut expected = Vec::new();
    for segment in segments.iter().filter(|segment| Image::len(*segment) > 0) {
        expected.resize(expected.len().next_multiple_of(4), 0);
        expected.extend(image_runs::read_all(segment).expect("it is in memory"));
    }
    for threads in THREADS {
        assert!(pack(&segments, &codec, threads) == expected, "{threads} threads");
    }
}

#[test]
fn progress_is_in_bytes_before_compression() {
    struct Count(AtomicU64);
    impl Progress for Count {
        fn add(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let (codec, interrupt) = (codec("zstd:1"), Interrupt::never());
    let segments = mixed(&codec);
    let members: Vec<_> = segments.iter().map(TestSegment::member).collect();
    for threads in THREADS {
        let (threads, progress) = (&self::threads(threads), Count(AtomicU64::new(0)));
        let write =
            WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &progress };
        let options = CompressOptions { write, cache: None, observer: None };
        let compressed =
            stream(&members, &codec, &mut io::sink(), Path::new("-"), &options).expect("nothing fails");
        assert_eq!(progress.0.into_inner(), compressed.image_bytes);
        assert_eq!(compressed.image_bytes, segments.iter().map(Image::len).sum::<u64>());
    }
}

/// While the output waits, the threads hold no more than the limit.
#[test]
fn bytes_in_flight_are_bounded() {
    const LEN: usize = 1 << 20;
    /// Waits at its first byte until no thread begins another segment.
    struct Slow<'s> {
        segments: &'s [TestSegment],
        begun: Option<usize>,
    }
    impl io::Write for Slow<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let begun =
                || self.segments.iter().filter(|segment| segment.file.reads.load(Ordering::Relaxed) > 0);
            let mut before = 0;
            while self.begun.is_none() && (before == 0 || begun().count() != before) {
                before = begun().count();
                std::thread::sleep(std::time::Duration::from_millis(500));
            }
            self.begun.get_or_insert(before);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (codec, interrupt) = (codec("gzip:1"), Interrupt::never());
    // It is incompressible, so that all of it stays in flight.
    let noise = |seed: u64| {
        let mut state = seed + 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..LEN).map(|_| next()).collect()
    };
    let segments: Vec<_> = (0..48).map(|seed| TestSegment::new(noise(seed))).collect();
    let members: Vec<_> = segments.iter().map(TestSegment::member).collect();
    let threads = &threads(2);
    let write = WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
    let mut out = Slow { segments: &segments, begun: None };
    let options = CompressOptions { write, cache: None, observer: None };
    stream(&members, &codec, &mut out, Path::new("-"), &options).expect("nothing fails");
    let limit = usize::try_from(codec.max_piece_len() * 3).expect("it fits") / LEN;
    let begun = out.begun.expect("something was written");
    assert!((2..=limit).contains(&begun), "{begun} of {} with a limit of {limit}", segments.len());
}

#[test]
fn runs_beyond_the_image_are_an_error() {
    struct Longer;
    impl Image<TestFile> for Longer {
        fn len(&self) -> u64 {
            8
        }
        fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, TestFile>> + Send + '_> {
            Box::new([Run::zeros(8), Run::zeros(4)].into_iter())
        }
    }
    let interrupt = Interrupt::never();
    for (threads, compress) in [(1, true), (1, false), (2, true), (2, false)] {
        let threads = &self::threads(threads);
        let write =
            WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
        let options = CompressOptions { write, cache: None, observer: None };
        let members = [Member { image: &Longer, compress }];
        let error = stream(&members, &codec("gzip"), &mut io::sink(), Path::new("-"), &options)
            .expect_err("it has 12 bytes");
        assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
    }
}

/// The kernel accepts an uncompressed archive at multiples of 4 only, and lz4 needs four zeros
/// before anything else.
#[test]
fn stored_segments_are_aligned() {
    for (name, least) in [("gzip:1", 0), ("zstd:1", 0), ("xz:0", 0), ("lz4:1", 4)] {
        for len in 1..9 {
            let segments = [TestSegment::new(text(len, 1)), TestSegment::stored(b"stored!!".repeat(100))];
            let alone = pack(&segments[..1], &codec(name), 2);
            let both = pack(&segments, &codec(name), 2);
            let at = both.len() - 800;
            assert_eq!(both[at..], segments[1].file.bytes[..]);
            assert_eq!(at % 4, 0, "{name}");
            let gap = both[..at].strip_prefix(&alone[..]).expect("the member is the same");
            assert!(
                gap.len() >= least && gap.len() < least + 4 && gap.iter().all(|byte| *byte == 0),
                "{name}"
            );
        }
    }
}

#[test]
fn the_first_error_in_the_order_of_the_archive_is_reported() {
    let mut segments: Vec<_> = (0..10).map(|seed| TestSegment::new(text(100_000, seed))).collect();
    segments[4] = TestSegment::misbehaving(Misbehaviour::Broken("the first"));
    segments[5] = TestSegment::misbehaving(Misbehaviour::Broken("the second"));
    for name in ["none", "gzip:1", "zstd:1"] {
        for threads in THREADS {
            for segment in &mut segments {
                segment.compress = name != "none";
            }
            let error = pack_with(&segments, &codec(name), threads, &Interrupt::never(), None);
            let error = error.expect_err("a file is broken");
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Io, "the first is broken"));
        }
    }
}

#[test]
fn a_long_frame_may_fail_or_be_stopped() {
    let codec = codec("zstd:1");
    let long = |misbehaviour| {
        let mut segment =
            TestSegment::new(vec![0; usize::try_from(codec.max_piece_len() + 1).expect("it fits")]);
        segment.file.misbehaves = Some(misbehaviour);
        segment
    };
    for threads in THREADS {
        let broken = [
            TestSegment::new(text(9, 1)),
            long(Misbehaviour::Broken("it")),
            long(Misbehaviour::Broken("other")),
        ];
        let error = pack_with(&broken, &codec, threads, &Interrupt::never(), None).expect_err("it is broken");
        assert_eq!(error.to_string(), "it is broken");
        let interrupt = Arc::new(Interrupt::never());
        let stopped =
            [long(Misbehaviour::Interrupts(Arc::clone(&interrupt))), long(Misbehaviour::Broken("it"))];
        let error = pack_with(&stopped, &codec, threads, &interrupt, None).expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    }
}

#[test]
fn a_signal_stops_compression() {
    for name in ["gzip:1", "zstd:1", "none"] {
        for threads in THREADS {
            let interrupt = Arc::new(Interrupt::never());
            let mut segments: Vec<_> = (0..20).map(|seed| TestSegment::new(text(10_000, seed))).collect();
            segments[3].file.misbehaves = Some(Misbehaviour::Interrupts(Arc::clone(&interrupt)));
            let error =
                pack_with(&segments, &codec(name), threads, &interrupt, None).expect_err("a signal came");
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        }
    }
}

#[test]
fn a_panic_is_passed_on() {
    for threads in THREADS {
        let mut segments: Vec<_> = (0..20).map(|seed| TestSegment::new(text(10_000, seed))).collect();
        segments[3] = TestSegment::misbehaving(Misbehaviour::Panics);
        catch_unwind(AssertUnwindSafe(|| pack(&segments, &codec("gzip:1"), threads))).expect_err("it panics");
    }
}

#[test]
fn a_failed_output_stops_compression() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let codec = codec("zstd:1");
    let segments = mixed(&codec);
    let members: Vec<_> = segments.iter().map(TestSegment::member).collect();
    for threads in THREADS {
        let interrupt = Interrupt::never();
        let threads = &self::threads(threads);
        let write =
            WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
        let options = CompressOptions { write, cache: None, observer: None };
        let error = stream(&members, &codec, &mut Full, Path::new("out"), &options).expect_err("it is full");
        assert!(error.to_string().starts_with("out: "), "{error}");
    }
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("initrd");
    let codec = codec("gzip:1");
    let good = [TestSegment::new(text(100_000, 1))];
    let bad = [TestSegment::new(text(100_000, 1)), TestSegment::misbehaving(Misbehaviour::Broken("it"))];
    let interrupt = Arc::new(Interrupt::never());
    // The signal is received after the last item was begun.
    let stopped = [TestSegment::misbehaving(Misbehaviour::Interrupts(Arc::clone(&interrupt)))];
    let threads = &threads(2);
    let write_options =
        WriteOptions { threads, reflink: Reflink::Never, interrupt: &interrupt, progress: &Silent };
    let options = CompressOptions { write: write_options, cache: None, observer: None };
    let write_to_file = |segments: &[TestSegment], options| {
        let destination =
            Destination::open(&path, DestinationOptions::default()).expect("it can be an output");
        write(&segments.iter().map(TestSegment::member).collect::<Vec<_>>(), &codec, &destination, options)
    };
    let to_file = |segments: &[TestSegment]| write_to_file(segments, &options);
    to_file(&bad).expect_err("a file is broken");
    assert!(!path.exists());
    to_file(&good).expect("nothing fails");
    assert!(fs::read(&path).expect("it is there") == pack(&good, &codec, 1));
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    fs::remove_file(&path).expect("it is there");
    // With one thread, an item is begun before it is read.
    let write_options = WriteOptions { threads: &Threads::single(), ..write_options };
    let error =
        write_to_file(&stopped, &CompressOptions { write: write_options, cache: None, observer: None });
    assert_eq!(error.expect_err("a signal came").kind(), ErrorKind::Interrupted);
    assert!(!path.exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() })]

    /// The parts have arbitrary lengths, in compressed and stored segments, for any number of
    /// threads and with a cache.
    #[test]
    fn bytes_depend_only_on_the_segments(
        shapes in prop::collection::vec((0..300_usize, 0..70_000_usize, 0..5000_u64, 0..5000_u64, any::<bool>()), 0..12),
        name in prop::sample::select(vec!["none", "gzip:1", "gzip:9", "zstd:1", "zstd:10", "lz4:1", "lz4:4", "xz:0"]),
        threads in 2..9_usize,
    ) {
        let segments: Vec<_> = shapes.iter().map(|(header, file, padding, rendered, compress)| TestSegment {
            header: text(*header, 1), padding: *padding, rendered: *rendered, compress: *compress,
            ..TestSegment::new(text(*file, 2))
        }).collect();
        let codec = codec(name);
        let expected = pack(&segments, &codec, 1);
        prop_assert!(pack(&segments, &codec, threads) == expected);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cache = Cache::open(directory.path(), 1 << 30).expect("a directory of our own");
        for _ in ["cold", "warm"] {
            let found = pack_with(&segments, &codec, threads, &Interrupt::never(), Some(&cache));
            prop_assert!(found.expect("nothing fails").0 == expected);
        }
    }
}
