//! Readahead affects nothing but the requests to the contents.

use std::sync::Mutex;
use std::time::Instant;

use super::*;
use crate::output::chunks::Chunks;
use crate::output::chunks::read_ahead::{ReadPosition, WINDOW, with_read_ahead};

/// A content of ones that records its readahead requests, and may run a function on each.
struct Recorder<'t> {
    cold: bool,
    /// Offset and length.
    requested: Mutex<Vec<(u64, u64)>>,
    on_request: &'t (dyn Fn() + Sync),
}

impl<'t> Recorder<'t> {
    fn new(cold: bool, on_request: &'t (dyn Fn() + Sync)) -> Self {
        Self { cold, requested: Mutex::new(Vec::new()), on_request }
    }

    fn ranges(&self) -> Vec<(u64, u64)> {
        self.requested.lock().expect("no panic").clone()
    }

    /// Waits until `count` ranges were requested, and then long enough to detect further ones.
    fn wait_for(&self, count: usize) -> Vec<(u64, u64)> {
        let start = Instant::now();
        while self.ranges().len() < count && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(20));
        self.ranges()
    }
}

impl Content for Recorder<'_> {
    fn len(&self) -> u64 {
        CHUNKS * CHUNK_SIZE
    }

    fn read_at(&self, buffer: &mut [u8], _: u64) -> io::Result<()> {
        buffer.fill(1);
        Ok(())
    }
}

impl CloneSource for Recorder<'_> {}

impl ReadAhead for Recorder<'_> {
    fn is_cold(&self, _: u64) -> bool {
        self.cold
    }

    fn start_readahead(&self, offset: u64, len: u64) {
        self.requested.lock().expect("no panic").push((offset, len));
        (self.on_request)();
    }
}

const CHUNKS: u64 = 64;

struct One<'t>(Recorder<'t>);

impl<'t> Image<Recorder<'t>> for One<'t> {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Recorder<'t>>> + Send + '_> {
        Box::new(std::iter::once(Run {
            len: self.0.len(),
            source: Source::Content { content: &self.0, offset: 0 },
        }))
    }
}

fn chunks(range: std::ops::Range<u64>) -> Vec<(u64, u64)> {
    range.map(|chunk| (chunk * CHUNK_SIZE, CHUNK_SIZE)).collect()
}

/// Reads ahead of `work` in an image of [`CHUNKS`] chunks, and returns all requests.
fn requests(
    cold: bool,
    interrupt: &Interrupt,
    on_request: &(dyn Fn() + Sync),
    work: impl FnOnce(&ReadPosition, &Recorder<'_>),
) -> Vec<(u64, u64)> {
    let image = One(Recorder::new(cold, on_request));
    with_read_ahead(Chunks::of(&image), interrupt, |position_read| work(position_read, &image.0));
    image.0.ranges()
}

#[test]
fn readahead_is_requested_for_the_window_and_no_more() {
    let window = WINDOW / CHUNK_SIZE;
    let requested = requests(true, &Interrupt::never(), &|| {}, |position_read, content| {
        let first = usize::try_from(window).expect("small") + 1;
        assert_eq!(content.wait_for(first), chunks(0..window + 1));
        position_read.advance(CHUNK_SIZE);
        assert_eq!(content.wait_for(first), chunks(0..window + 1), "it is woken seldom");
        position_read.advance(WINDOW / 2 + CHUNK_SIZE);
        assert_eq!(content.wait_for(first + first / 2), chunks(0..window + window / 2 + 2));
    });
    assert!(requested.len() < usize::try_from(CHUNKS).expect("small"));
}

#[test]
fn chunks_in_progress_are_not_requested_again() {
    let requested = requests(true, &Interrupt::never(), &|| {}, |position_read, content| {
        let first = content.wait_for(1).len();
        position_read.advance((CHUNKS - 2) * CHUNK_SIZE);
        content.wait_for(first + 2);
    });
    assert_eq!(requested[requested.len() - 2..], chunks(CHUNKS - 2..CHUNKS));
    assert_eq!(requested.len() as u64, WINDOW / CHUNK_SIZE + 1 + 2);
}

#[test]
fn cached_files_are_not_requested() {
    let requested = requests(false, &Interrupt::never(), &|| {}, |position_read, _| {
        for chunk in 0..CHUNKS {
            position_read.advance(chunk * CHUNK_SIZE);
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(requested, []);
}

#[test]
fn a_signal_and_the_end_of_the_work_stop_it() {
    let interrupt = Interrupt::never();
    let stop = || interrupt.set(signal_hook::consts::SIGTERM);
    let first = requests(true, &interrupt, &stop, |_, content| {
        content.wait_for(1);
    });
    assert_eq!(first.len(), 1, "the first was requested when the signal came");

    let slowly = || thread::sleep(Duration::from_millis(50));
    let few = requests(true, &Interrupt::never(), &slowly, |_, _| {});
    assert!(few.len() <= 1, "{few:?}");
}

#[test]
fn a_panic_of_readahead_is_ignored() {
    let requested = requests(true, &Interrupt::never(), &|| panic!("a content panics"), |_, content| {
        // The panic poisons neither lock.
        thread::sleep(Duration::from_millis(20));
        assert_eq!(content.ranges().len(), 1);
    });
    assert_eq!(requested.len(), 1);
}

#[test]
fn uncached_contents_give_the_same_bytes() {
    for (threads, cold) in THREADS.into_iter().flat_map(|threads| [(threads, true), (threads, false)]) {
        let image = One(Recorder::new(cold, &|| {}));
        let directory = directory();
        let path = directory.path().join("image");
        let interrupt = Interrupt::never();
        let options = options(threads, &interrupt, &Silent);
        let written = file::write(&image, &to(&path), &options).expect("it can be written");
        assert_eq!((written.len, written.hole_bytes), (image.len(), 0));
        assert!(fs::read(&path).expect("the file is there").iter().all(|byte| *byte == 1));
        let digest = digest::sha256(&image, &options).expect("it can be read");
        assert_eq!(digest[..], Sha256::digest(fs::read(&path).expect("it is there"))[..]);
        // Each range is requested at most once in a pass, and no other range is.
        let mut requested = image.0.ranges();
        assert!(cold || requested.is_empty());
        requested.sort_unstable();
        assert!(
            requested
                .chunk_by(|a, b| a == b)
                .all(|same| same.len() <= 2 && chunks(0..CHUNKS).contains(&same[0]))
        );
    }
}
