//! Images written to streams and sparse files, compared with [`read_all`].
#![expect(clippy::disallowed_types, reason = "the tests write files")]
#![expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use image_runs::{Image, MAX_RENDERED, Render, Run, Source, read_all, write_sparse, write_to};
use image_tree::Content;

const MIB: u64 = 1 << 20;

/// A file whose bytes depend on the offset: 0 only outside of the ranges.
struct Sparse {
    len: u64,
    data: Option<Vec<Range<u64>>>,
    /// Reads at or after this offset fail.
    fails_from: u64,
}

impl Sparse {
    fn new(len: u64, data: Option<Vec<Range<u64>>>) -> Self {
        Self { len, data, fails_from: u64::MAX }
    }
}

impl Content for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        assert!(end <= self.len, "a read of {offset}..{end} leaves the file");
        if end > self.fails_from {
            return Err(io::Error::other("the file changed"));
        }
        let is_data =
            |at: u64| self.data.as_ref().is_none_or(|data| data.iter().any(|data| data.contains(&at)));
        for (byte, at) in buffer.iter_mut().zip(offset..) {
            *byte = if is_data(at) { (at % 251) as u8 | 1 } else { 0 };
        }
        Ok(())
    }

    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        self.data.as_deref()
    }
}

/// Renders a byte that is the key, in the last half of the run.
struct Keys;

impl Render for Keys {
    fn render(&self, key: u64, out: &mut [u8]) {
        let half = out.len() / 2;
        out[half..].fill(u8::try_from(key).expect("a small key"));
    }
}

struct Runs<'a>(Vec<Run<'a, Sparse>>);

impl Image<Sparse> for Runs<'_> {
    fn len(&self) -> u64 {
        self.0.iter().map(|run| run.len).sum()
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Sparse>> + Send + '_> {
        Box::new(self.0.iter().copied())
    }
}

fn content(content: &Sparse, range: Range<u64>) -> Run<'_, Sparse> {
    Run { len: range.end - range.start, source: Source::Content { content, offset: range.start } }
}

fn rendered<'a>(len: u64, key: u64) -> Run<'a, Sparse> {
    Run { len, source: Source::Rendered { by: &Keys, key } }
}

/// Writes to a file that has other bytes before, and returns it.
fn sparse_file(image: &Runs<'_>) -> (tempfile::TempDir, File) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("image");
    fs::write(&path, vec![0xff; 3_000_000]).expect("a new file");
    let mut file = File::options().read(true).write(true).open(&path).expect("it is there");
    file.write_all(b"elsewhere").expect("there is space");
    write_sparse(image, &file).expect("there is space");
    (directory, file)
}

fn assert_written(image: &Runs<'_>) {
    let expected = read_all(image).expect("contents do not fail");
    let mut stream = Vec::new();
    write_to(image, &mut stream).expect("memory does not fail");
    assert!(stream == expected, "the stream has other bytes");
    let (directory, _) = sparse_file(image);
    assert!(
        fs::read(directory.path().join("image")).expect("it is readable") == expected,
        "the file differs"
    );
}

#[test]
fn streams_and_files_have_the_bytes_of_every_source() {
    let whole = Sparse::new(5 * MIB + 3, None);
    let sparse = Sparse::new(9 * MIB, Some(vec![1..2, MIB - 1..3 * MIB + 5, 7 * MIB..9 * MIB]));
    let hole = Sparse::new(4 * MIB, Some(vec![]));
    let bytes = vec![7; 200_000];
    assert_written(&Runs(vec![]));
    assert_written(&Runs(vec![Run::zeros(2_500_000)]));
    assert_written(&Runs(vec![
        Run { len: 200_000, source: Source::Bytes(&bytes) },
        Run::zeros(70_001),
        content(&whole, 0..whole.len),
        rendered(MAX_RENDERED, 3),
        // After another run, so that the buffer holds other bytes.
        rendered(100, 0),
        content(&sparse, 0..sparse.len),
        content(&sparse, 2..MIB),
        content(&sparse, 4 * MIB..5 * MIB),
        content(&hole, 1..4 * MIB),
        content(&whole, 17..18),
        Run::zeros(1),
    ]));
}

#[test]
fn zeros_become_holes() {
    let hole = Sparse::new(1 << 40, Some(vec![4096..4097]));
    let image =
        Runs(vec![Run::zeros(1 << 40), content(&hole, 0..1 << 40), rendered(MIB, 0), rendered(MIB, 1)]);
    let (_directory, file) = sparse_file(&image);
    let metadata = file.metadata().expect("it is open");
    assert_eq!(metadata.len(), (2 << 40) + 2 * MIB);
    // A block for the byte of the content, and half a mebibyte of the last run.
    let allocated = metadata.blocks() * 512;
    assert!((MIB / 2..MIB).contains(&allocated), "{allocated} bytes are allocated");
}

#[test]
fn errors_of_contents_and_of_the_output_are_returned() {
    let failing = Sparse { fails_from: 3 * MIB, ..Sparse::new(4 * MIB, None) };
    let image = Runs(vec![content(&failing, 0..4 * MIB)]);
    let error = write_to(&image, io::sink()).expect_err("the content fails");
    assert_eq!(error.to_string(), "the file changed");
    let file = tempfile::tempfile().expect("a temporary file");
    let error = write_sparse(&image, &file).expect_err("the content fails");
    assert_eq!(error.to_string(), "the file changed");

    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.0);
            self.0 -= len;
            if len == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(len) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let zeros = Runs(vec![Run::zeros(MIB)]);
    let error = write_to(&zeros, Full(1000)).expect_err("there is no space");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("image");
    fs::write(&path, b"").expect("a new file");
    let read_only = File::open(&path).expect("it is there");
    assert!(write_sparse(&zeros, &read_only).is_err(), "the file is open for reading only");
}

#[test]
#[should_panic(expected = "the runs do not add up to the image's length")]
fn images_whose_runs_end_early_are_not_written() {
    struct Short;
    impl Image<Vec<u8>> for Short {
        fn len(&self) -> u64 {
            2
        }
        fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
            Box::new([Run::zeros(1)].into_iter())
        }
    }
    drop(write_to(&Short, io::sink()));
}
