//! Images in two stages: every output gets the same bytes, and the observer gets all of the first
//! stage.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::error::Result;
use crate::output::Observer;
use crate::output::staged::{self, Completed, Dependent, Known};

/// Keeps every byte, and counts them.
struct Seen {
    bytes: Mutex<Vec<u8>>,
    count: AtomicU64,
}

impl Seen {
    fn new(len: usize) -> Self {
        Self { bytes: Mutex::new(vec![0xee; len]), count: AtomicU64::new(0) }
    }

    fn set(&self, offset: u64, bytes: &[u8]) {
        let start = usize::try_from(offset).expect("small");
        self.bytes.lock().expect("no thread panics")[start..][..bytes.len()].copy_from_slice(bytes);
        self.count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

impl Observer for Seen {
    fn bytes_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.set(offset, bytes);
        Ok(())
    }

    fn zeros_at(&self, offset: u64, len: u64) -> Result<()> {
        self.set(offset, &vec![0; usize::try_from(len).expect("small")]);
        Ok(())
    }
}

/// An observer that refuses the bytes at an offset.
struct Refusing(u64);

impl Observer for Refusing {
    fn bytes_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        if (offset..offset + bytes.len() as u64).contains(&self.0) {
            return Err(Error::new(ErrorKind::Verification, "these bytes are refused"));
        }
        Ok(())
    }

    fn zeros_at(&self, _offset: u64, _len: u64) -> Result<()> {
        Ok(())
    }
}

/// Returns an image of parts at offsets, with zeros elsewhere.
fn image(len: u64, parts: &[(u64, Vec<u8>)]) -> TestImage {
    let (mut runs, mut contents, mut end) = (Vec::new(), Vec::new(), 0);
    for (offset, bytes) in parts {
        if *offset > end {
            runs.push((offset - end, Part::Zeros));
        }
        runs.push((bytes.len() as u64, Part::Content { index: contents.len(), offset: 0 }));
        contents.push(TestContent::Bytes(bytes.clone()));
        end = offset + bytes.len() as u64;
    }
    if len > end {
        runs.push((len - end, Part::Zeros));
    }
    TestImage::new(runs, contents)
}

/// The three images: known bytes, dependent ones behind them or around them, and the whole.
fn images(in_front: bool) -> (u64, [TestImage; 3]) {
    let len = 5 * CHUNK_SIZE + 777;
    let data = (70_000, pattern(3 * CHUNK_SIZE + 5, 9));
    let tail = (4 * CHUNK_SIZE + 3, vec![5; 90_000]);
    let head = (17, vec![6; 4000]);
    let dependent = if in_front { vec![head.clone(), tail.clone()] } else { vec![tail.clone()] };
    let known = if in_front { vec![data.clone()] } else { vec![head.clone(), data.clone()] };
    let end = if in_front { 0 } else { tail.0 };
    (end, [image(len, &known), image(len, &dependent), image(len, &[head, data, tail])])
}

/// Writes the images in two stages, and returns the digest if there is no destination.
fn write_staged(in_front: bool, destination: Option<&Destination>, count: usize) -> Option<[u8; 32]> {
    let (end, [known, dependent, whole]) = images(in_front);
    let known_bytes = read_all(&known).expect("memory");
    let seen = Seen::new(known_bytes.len());
    let (interrupt, progress) = (Interrupt::never(), Count::default());
    let options = options(count, &interrupt, &progress);
    let begun = staged::begin(&Known { image: &known, end, observer: &seen }, destination, None, &options);
    let begun = begun.map_err(|error| error.to_string()).expect("it can be written");
    assert_eq!(seen.count.into_inner(), known.len(), "each byte is observed once");
    assert!(seen.bytes.into_inner().expect("no thread panics") == known_bytes);
    assert_eq!(progress.0.load(Ordering::Relaxed), known.len());
    let completed = begun.complete(&Dependent { image: &dependent, whole: &whole }, &options);
    assert_eq!(
        progress.0.load(Ordering::Relaxed),
        known.len(),
        "the second stage does not count as progress"
    );
    match completed.map_err(|error| error.to_string()).expect("it can be completed") {
        Completed::Digest(digest) => Some(digest),
        Completed::Written(unpublished) => {
            let written = unpublished.publish().expect("it can be published");
            assert_eq!(written.written_bytes + written.hole_bytes, whole.len());
            None
        }
    }
}

#[test]
fn every_output_gets_the_same_bytes_in_two_stages() {
    for (in_front, count) in [false, true].into_iter().flat_map(|front| THREADS.map(|count| (front, count))) {
        let (_, [.., whole]) = images(in_front);
        let expected = read_all(&whole).expect("memory");
        assert_eq!(write_staged(in_front, None, count), Some(Sha256::digest(&expected).into()));

        let directory = directory();
        let path = directory.path().join("image");
        write_staged(in_front, Some(&to(&path)), count);
        assert!(fs::read(&path).expect("it is published") == expected, "{in_front} {count}");
        assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 1);

        let stand_in = directory.path().join("device");
        fs::write(&stand_in, vec![0xff; expected.len() + 100]).expect("there is room");
        let file = fs::File::options().write(true).open(&stand_in).expect("it is there");
        let device = Destination::device_stand_in(file, &stand_in, expected.len() as u64 + 100);
        write_staged(in_front, Some(&device), count);
        let found = fs::read(&stand_in).expect("it is there");
        assert!(found.starts_with(&expected) && found.ends_with(&[0xff; 100]), "{in_front} {count}");

        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).expect("new");
        let read = thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).expect("it is a pipe")
        });
        write_staged(in_front, Some(&to(&pipe)), count);
        assert!(read.join().expect("it reads") == expected, "{in_front} {count}");
    }
}

#[test]
fn nothing_is_left_if_the_observer_refuses_or_the_second_stage_is_missing() {
    for count in THREADS {
        let (end, [known, ..]) = images(false);
        let (interrupt, directory) = (Interrupt::never(), directory());
        let destination = to(&directory.path().join("image"));
        for destination in [Some(&destination), None] {
            let options = options(count, &interrupt, &Silent);
            let refusing = Known { image: &known, end, observer: &Refusing(2 * CHUNK_SIZE) };
            let error = staged::begin(&refusing, destination, None, &options).err().expect("it is refused");
            assert!(error.to_string().contains("these bytes are refused"), "{error}");
            let seen = Seen::new(usize::try_from(known.len()).expect("small"));
            let begun = staged::begin(&Known { observer: &seen, ..refusing }, destination, None, &options);
            drop(begun.map_err(|error| error.to_string()).expect("it can be written"));
        }
        assert_eq!(fs::read_dir(directory.path()).expect("it is there").count(), 0);
    }
}
