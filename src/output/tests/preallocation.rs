//! Preallocation does not affect the output.

use std::ops::Range;
use std::time::Instant;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::super::destination::Place;
use super::super::file::{AtomicFile, Preallocation, STEP, allowed};
use super::*;
use crate::interrupt::Cleanups;

/// Returns the file for a path.
fn begun(path: &Path) -> AtomicFile {
    let Place::File(place) = to(path).place else { panic!("{path:?} is not a file") };
    AtomicFile::create(&place, &Cleanups::default()).expect("a file can be made")
}

/// Returns a finished preallocation of as much of `within` as `found` bytes ask for.
fn reserved(path: &Path, within: Range<u64>, found: &[u64]) -> Preallocation {
    let output = begun(path);
    let file = output.file().try_clone().expect("it is open");
    let steps = (within.end - within.start).min(found.iter().sum()) / STEP;
    let expected = if steps == 0 { 0 } else { within.start + steps * STEP };
    let preallocation = Preallocation::of(output, within).expect("a thread can be started");
    found.iter().for_each(|bytes| preallocation.add(*bytes));
    let started = Instant::now();
    let len = || file.metadata().expect("it is open").len();
    while len() < expected {
        assert!(started.elapsed() < Duration::from_secs(60), "{} bytes are reserved, not {expected}", len());
        thread::sleep(Duration::from_millis(1));
    }
    preallocation
}

/// Writes an image with and without a preallocation and compares the results.
fn check(image: &TestImage, within: Range<u64>, found: &[u64]) {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    let allocated = |name| fs::metadata(at(name)).expect("the file is there").blocks() * 512;
    let plain = write(image, &at("plain"), 2).expect("it can be written");
    let bytes = fs::read(at("plain")).expect("the file is there");
    for threads in THREADS {
        let (interrupt, done) = (Interrupt::never(), Count::default());
        let options = options(threads, &interrupt, &done);
        let preallocation = reserved(&at("reserved"), within.clone(), found);
        let written = file::write_preallocated(image, &to(&at("reserved")), preallocation, &options);
        assert_eq!(written.expect("it can be written"), plain);
        assert_eq!(done.0.load(Ordering::Relaxed), image.len);
        assert!(fs::read(at("reserved")).expect("the file is there") == bytes, "{threads} threads");
        let (least, most) = (allocated("plain"), most_allocated(&bytes));
        let allocated = allocated("reserved");
        assert!(allocated <= most.max(least), "{allocated} bytes are allocated, {most} or {least} would do");
    }
}

/// Returns an image with zeros of every kind: long ones, those of a content, and those at the end.
fn holey() -> TestImage {
    let part = |index, offset| Part::Content { index, offset };
    let runs = vec![
        (1536, part(0, 0)),
        (CHUNK_SIZE + 5000, Part::Zeros),
        (2 * CHUNK_SIZE, part(1, 0)),
        (100_000, Part::Zeros),
        (70_000, part(0, 1)),
        (CHUNK_SIZE, part(1, 4096)),
        (3 * CHUNK_SIZE + 17, Part::Zeros),
    ];
    let pattern = pattern(2 * CHUNK_SIZE, 3);
    TestImage::new(runs, vec![dense(80_000), TestContent::Bytes(pattern)])
}

#[test]
fn preallocation_keeps_the_holes() {
    let image = holey();
    check(&image, 0..64 * STEP, &[image.len]);
    check(&image, 0..64 * STEP, &[1, STEP, 17, 3 * STEP]);
    check(&image, 2 * STEP..64 * STEP, &[2 * STEP]);
    check(&image, 0..2 * STEP, &[64 * STEP]);
}

#[test]
fn preallocation_beyond_the_end_is_truncated() {
    check(&holey(), 0..64 * STEP, &[32 * STEP]);
    check(&holey(), 40 * STEP..64 * STEP, &[2 * STEP]);
    check(&whole(dense(5)), 0..64 * STEP, &[8 * STEP]);
    check(&TestImage::new(vec![], vec![]), 0..64 * STEP, &[8 * STEP]);
}

#[test]
fn less_than_a_step_is_not_preallocated() {
    check(&holey(), 0..STEP - 1, &[64 * STEP]);
    check(&holey(), 0..64 * STEP, &[STEP - 1]);
    check(&holey(), 0..64 * STEP, &[]);
}

#[test]
fn an_unused_preallocation_leaves_nothing() {
    let directory = directory();
    drop(reserved(&directory.path().join("image"), 0..64 * STEP, &[4 * STEP]));
    assert_eq!(names(directory.path()), [""; 0]);

    let path = directory.path().join("image");
    let (interrupt, preallocation) = (Interrupt::never(), reserved(&path, 0..64 * STEP, &[4 * STEP]));
    let image = whole(TestContent::Broken(1));
    file::write_preallocated(&image, &to(&path), preallocation, &options(2, &interrupt, &Silent))
        .expect_err("a content is broken");
    assert_eq!(names(directory.path()), [""; 0]);
}

#[test]
fn an_unsupported_preallocation_is_ignored() {
    // This is beyond the maximum length of a file.
    let directory = directory();
    let path = directory.path().join("image");
    let output = begun(&path);
    let beyond = (1 << 63) - 4 * STEP;
    let preallocation = Preallocation::of(output, beyond..u64::MAX).expect("a thread can be started");
    preallocation.add(u64::MAX);
    preallocation.add(u64::MAX);
    let (image, interrupt) = (holey(), Interrupt::never());
    let written =
        file::write_preallocated(&image, &to(&path), preallocation, &options(2, &interrupt, &Silent));
    assert_eq!(written.expect("it can be written").len, image.len);
}

#[test]
fn only_files_on_tmpfs_are_preallocated() {
    let in_memory = tempfile::tempdir_in("/dev/shm").expect("a directory can be made");
    let path = in_memory.path().join("image");
    let preallocation = Preallocation::begin(&to(&path), 0).expect("it is on tmpfs");
    assert_eq!(names(in_memory.path()), [""; 0], "it has no name yet");
    preallocation.add(3 * STEP);
    let interrupt = Interrupt::never();
    let written = file::write_preallocated(
        &whole(dense(5)),
        &to(&path),
        preallocation,
        &options(1, &interrupt, &Silent),
    );
    assert_eq!(written.expect("it can be written").written_bytes, 5);
    assert_eq!(fs::read(&path).expect("the file is there"), [7; 5]);

    let begins = |path: &str, start| Preallocation::begin(&to(Path::new(path)), start).is_some();
    assert!(!begins("/proc/image", 0), "nothing can be made there");
    assert!(!begins("/dev/null", 0), "it is not a regular file");
    assert!(!begins(path.to_str().expect("it is text"), u64::MAX), "no file is as long");

    let elsewhere = directory();
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(elsewhere.path()).output();
    let is_tmpfs = kind.expect("stat runs").stdout == b"tmpfs\n";
    assert_eq!(Preallocation::begin(&to(&elsewhere.path().join("image")), 0).is_some(), is_tmpfs);
    assert_eq!(names(elsewhere.path()), [""; 0]);
}

#[test]
fn preallocation_leaves_most_of_the_free_space() {
    assert_eq!(allowed(0, 0), Some(0..0));
    assert_eq!(allowed(5, 4 << 20), Some(5..5 + (1 << 20)));
    assert_eq!(allowed(0, u64::MAX), Some(0..1 << 30));
    assert_eq!(allowed(u64::MAX, 4), None);
}

#[test]
#[ignore = "runs in a process of its own, which it limits"]
fn preallocate_past_the_limit() {
    let limit = Rlimit { current: Some(4 * STEP + 5), maximum: Some(4 * STEP + 5) };
    setrlimit(Resource::Fsize, limit).expect("it can be lowered");
    let directory = directory();
    let output = begun(&directory.path().join("image"));
    let preallocation = Preallocation::of(output, 0..64 * STEP).expect("a thread can be started");
    preallocation.add(64 * STEP);
    // This gives a signal time to arrive.
    thread::sleep(Duration::from_millis(200));
    assert_eq!(preallocation.finish().expect("the thread is alive").range, 0..4 * STEP);
}

#[test]
fn a_limit_on_file_sizes_raises_no_signal() {
    assert_passes_alone("output::tests::preallocation::preallocate_past_the_limit");
}
