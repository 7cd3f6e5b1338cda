//! An image that another crate can read independently.

use std::io::{self, Read, Seek, SeekFrom};

use image_runs::{Image, MAX_RENDERED, Source};

use crate::input::pattern::Pattern;

/// The bytes of an image, of which only those that cannot be computed are in memory.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pieces: Vec<Piece>,
    len: u64,
    position: u64,
}

#[derive(Clone)]
struct Piece {
    offset: u64,
    end: u64,
    bytes: Bytes,
}

#[derive(Clone)]
enum Bytes {
    Zeros,
    Memory(Vec<u8>),
    Pattern(Pattern, u64),
}

/// The maximum memory for an image in bytes; the runs of a larger one are only measured.
const MAX_MEMORY: u64 = 64 << 20;

/// Checks every run and splits the image into pieces. `None` if it has too many bytes that are not
/// computed.
///
/// # Panics
/// If the runs violate the contract of [`Image`].
pub(crate) fn take(image: &dyn Image<Pattern>) -> Option<Snapshot> {
    let in_memory = measure(image);
    if in_memory > MAX_MEMORY {
        return None;
    }
    let mut pieces = Vec::new();
    let mut offset = 0;
    for run in image.runs() {
        let end = offset + run.len;
        let bytes = match run.source {
            Source::Zeros => Bytes::Zeros,
            Source::Bytes(bytes) => Bytes::Memory(bytes.to_vec()),
            Source::Rendered { by, key } => {
                let mut bytes = vec![0; usize::try_from(run.len).expect("measured")];
                by.render(key, &mut bytes);
                Bytes::Memory(bytes)
            }
            Source::Content { content, offset } => Bytes::Pattern(*content, offset),
        };
        pieces.push(Piece { offset, end, bytes });
        offset = end;
    }
    Some(Snapshot { pieces, len: image.len(), position: 0 })
}

/// Checks the lengths of all runs, and returns the total of those that are not computed.
fn measure(image: &dyn Image<Pattern>) -> u64 {
    let mut in_memory = 0;
    let mut end = 0_u64;
    for run in image.runs() {
        assert!(run.len > 0, "a run has no bytes at {end}");
        match run.source {
            Source::Zeros => {}
            Source::Bytes(bytes) => {
                assert_eq!(bytes.len() as u64, run.len, "the bytes at {end} are not as many as the run");
                in_memory += run.len;
            }
            Source::Rendered { .. } => {
                assert!(run.len <= MAX_RENDERED, "a run at {end} has {} bytes to render", run.len);
                in_memory += run.len;
            }
            Source::Content { content, offset } => {
                let inside = offset.checked_add(run.len).is_some_and(|end| end <= content.len);
                assert!(inside, "the run at {end} takes {} bytes at {offset} of {content:?}", run.len);
            }
        }
        end = end.checked_add(run.len).expect("an image is no longer than 2^64 bytes");
    }
    assert_eq!(end, image.len(), "the runs do not add up");
    in_memory
}

impl Snapshot {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads the bytes available at `offset`, up to the length of `out`.
    pub(crate) fn read_at(&self, mut out: &mut [u8], mut offset: u64) -> usize {
        let wanted = out.len();
        let first = self.pieces.partition_point(|piece| piece.end <= offset);
        for piece in self.pieces.get(first..).unwrap_or_default() {
            let len = out.len().min(usize::try_from(piece.end - offset).unwrap_or(usize::MAX));
            let (here, rest) = out.split_at_mut(len);
            let from = offset - piece.offset;
            match &piece.bytes {
                Bytes::Zeros => here.fill(0),
                Bytes::Memory(bytes) => {
                    let from = usize::try_from(from).expect("within memory");
                    here.copy_from_slice(&bytes[from..from + len]);
                }
                Bytes::Pattern(pattern, start) => pattern.fill(here, start + from),
            }
            (out, offset) = (rest, offset + len as u64);
            if out.is_empty() {
                break;
            }
        }
        wanted - out.len()
    }

    /// Returns the same image with zeros before `end`.
    pub(crate) fn without_head(mut self, end: u64) -> Self {
        for piece in self.pieces.iter_mut().take_while(|piece| piece.offset < end) {
            piece.bytes = Bytes::Zeros;
        }
        self
    }
}

impl ext4_view::Ext4Read for Snapshot {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.read_at(dst, start_byte) < dst.len() {
            return Err(format!("{} bytes at {start_byte} are not all within {}", dst.len(), self.len).into());
        }
        Ok(())
    }
}

impl Read for Snapshot {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(buffer, self.position);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Snapshot {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
