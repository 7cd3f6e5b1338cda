//! An image's runs as chunks: consecutive bytes that are gathered in one buffer and passed on as a
//! whole.
//!
//! ```text
//! runs   │file│pad│file│pad│ long zeros │ one big file                                  │ zeros │
//! chunks  ├─────────────┤  ┊     hole    ├──────────────┼──────────────────┼────────────┤  hole ┊
//!                                       multiples of CHUNK_SIZE
//! ```
//!
//! A chunk ends at the next multiple of [`CHUNK_SIZE`] in the destination, so many small files
//! share one write and a big file is shared by threads. It neither begins nor ends with zeros, and
//! long zeros never enter a buffer: they are the hole before the next chunk, which a sparse file
//! leaves as a hole.
//!
//! A writer may select ranges of files to share instead of gathering them: each is a chunk of its
//! own, without bytes.

pub(super) mod buffer;
pub(super) mod ordered;
pub(super) mod read_ahead;
pub(super) mod runs;

use std::ops::Range;

use image_runs::{Image, Run, Source};
use image_tree::Content;

use self::buffer::grow;
use self::runs::{Runs, read};
use crate::blob::classify_read_error;
use crate::error::Result;
use crate::output::observer::Observer;

/// The maximum size of a chunk, in bytes; the measurements are in
/// `docs/performance.md`.
pub(super) const CHUNK_SIZE: u64 = 1 << 20;

/// The minimum length of zeros, in bytes, that ends a chunk. Shorter ones between data are gathered
/// with it, since many small chunks cost more than copying them.
pub(super) const MIN_ZEROS: u64 = 64 << 10;

/// The maximum number of runs in a chunk: many tiny runs must not take more memory than their
/// bytes.
const MAX_RUNS: usize = 16 << 10;

/// Selects the range within a run of the image at a position that is to be a chunk of its own.
type Selector<'a, C> = Box<dyn Fn(&Run<'a, C>, u64) -> Option<Range<u64>> + Send + 'a>;

/// The chunks of an image, in order. The runs are checked.
pub(super) struct Chunks<'a, C> {
    runs: Runs<'a, C>,
    /// The part of a run that the last chunk did not take.
    rest: Option<Run<'a, C>>,
    /// The offset of `rest`, or else of the next run, in the image.
    position: u64,
    /// The length of the zeros just before `position` that belong to no chunk yet.
    hole: u64,
    selector: Option<Selector<'a, C>>,
}

/// One chunk, with the buffer its bytes are gathered in. It is reused.
pub(super) struct Chunk<'a, C> {
    /// The length of the zeros between the previous chunk and this one, in bytes.
    pub(super) hole: u64,
    /// The offset of the chunk in the image, in bytes.
    pub(super) start: u64,
    /// The run of a chunk that the writer selected, which has no bytes.
    pub(super) selected: Option<Run<'a, C>>,
    runs: Vec<Run<'a, C>>,
    len: usize,
    buffer: Vec<u8>,
}

impl<'a, C> Chunks<'a, C> {
    pub(super) fn of(image: &'a dyn Image<C>) -> Self {
        Self { runs: Runs::of(image), rest: None, position: 0, hole: 0, selector: None }
    }

    /// Returns the same chunks, except for the ranges that `selector` returns. These must be within
    /// its run and not empty.
    pub(super) fn with_selector(
        self,
        selector: impl Fn(&Run<'a, C>, u64) -> Option<Range<u64>> + Send + 'a,
    ) -> Self {
        Self { selector: Some(Box::new(selector)), ..self }
    }

    /// The end of the taken chunks, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Sets `chunk` to the next one, without gathering its bytes. The last one has no bytes if
    /// zeros end the image. Returns false if there is none.
    ///
    /// # Errors
    /// [`Verification`](crate::error::ErrorKind::Verification) if the runs violate the contract of
    /// [`Image`]. The iteration then ends.
    pub(super) fn take(&mut self, chunk: &mut Chunk<'a, C>) -> Result<bool> {
        chunk.clear();
        while let Some(run) = self.next_run()? {
            if matches!(run.source, Source::Zeros) {
                self.hole += run.len;
                self.position += run.len;
                continue;
            }
            let selected = self.selector.as_ref().and_then(|selector| selector(&run, self.position));
            let is_chosen = selected.as_ref().is_some_and(|range| range.start == self.position);
            if chunk.runs.is_empty() {
                chunk.hole = std::mem::take(&mut self.hole);
                chunk.start = self.position;
            } else if is_chosen || self.is_complete(chunk) {
                self.rest = Some(run);
                return Ok(true);
            } else if self.hole > 0 {
                chunk.push(Run::zeros(std::mem::take(&mut self.hole)));
            }
            let end = match &selected {
                Some(range) if is_chosen => range.end,
                Some(range) => range.start.min(end_of_chunk(chunk.start)),
                None => end_of_chunk(chunk.start),
            };
            let (head, rest) = split(run, end - self.position);
            self.position += head.len;
            self.rest = rest;
            if is_chosen {
                chunk.selected = Some(head);
                return Ok(true);
            }
            chunk.push(head);
        }
        if chunk.runs.is_empty() {
            chunk.hole = std::mem::take(&mut self.hole);
            chunk.start = self.position;
        }
        Ok(chunk.len > 0 || chunk.hole > 0)
    }

    /// Returns true if data at the current position belongs to the next chunk.
    fn is_complete(&self, chunk: &Chunk<'a, C>) -> bool {
        self.position >= end_of_chunk(chunk.start) || self.hole >= MIN_ZEROS || chunk.runs.len() >= MAX_RUNS
    }

    fn next_run(&mut self) -> Result<Option<Run<'a, C>>> {
        match self.rest.take() {
            Some(run) => Ok(Some(run)),
            None => self.runs.next(),
        }
    }
}

/// The next multiple of [`CHUNK_SIZE`] after `start`.
fn end_of_chunk(start: u64) -> u64 {
    (start / CHUNK_SIZE + 1).saturating_mul(CHUNK_SIZE)
}

/// Splits a run at `at`, which is not 0. A rendered run stays whole.
pub(super) fn split<C>(run: Run<'_, C>, at: u64) -> (Run<'_, C>, Option<Run<'_, C>>) {
    if run.len <= at {
        return (run, None);
    }
    let (head, rest) = match run.source {
        Source::Zeros => (Source::Zeros, Source::Zeros),
        Source::Rendered { .. } => return (run, None),
        Source::Bytes(bytes) => {
            let (head, rest) = bytes.split_at(in_memory(at));
            (Source::Bytes(head), Source::Bytes(rest))
        }
        Source::Content { content, offset } => (run.source, Source::Content { content, offset: offset + at }),
    };
    (Run { len: at, source: head }, Some(Run { len: run.len - at, source: rest }))
}

/// Converts a length within a chunk, or of bytes in memory, to an index.
pub(super) fn in_memory(len: u64) -> usize {
    usize::try_from(len).expect("what is in memory has a length that fits in usize")
}

impl<'a, C> Chunk<'a, C> {
    /// Returns an empty chunk.
    pub(super) fn new() -> Self {
        Self { hole: 0, start: 0, selected: None, runs: Vec::new(), len: 0, buffer: Vec::new() }
    }

    /// Sets it to the chunk of one run at `start`, without gathering its bytes.
    pub(super) fn refill(&mut self, run: Run<'a, C>, start: u64) {
        self.clear();
        (self.hole, self.start) = (0, start);
        self.push(run);
    }

    /// The ranges of contents to read, as content, offset and length in bytes; none for a selected
    /// range.
    pub(super) fn contents(&self) -> impl Iterator<Item = (&'a C, u64, u64)> {
        self.runs.iter().filter_map(|run| match run.source {
            Source::Content { content, offset } => Some((content, offset, run.len)),
            _ => None,
        })
    }

    /// The bytes, once gathered.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Passes the zeros before the chunk and its gathered bytes to an observer.
    ///
    /// # Errors
    /// Those of the observer.
    pub(super) fn observe(&self, observer: &dyn Observer) -> Result<()> {
        observer.zeros_at(self.start - self.hole, self.hole)?;
        observer.bytes_at(self.start, self.bytes())
    }

    fn clear(&mut self) {
        self.runs.clear();
        (self.len, self.selected) = (0, None);
    }

    fn push(&mut self, run: Run<'a, C>) {
        self.len += in_memory(run.len);
        self.runs.push(run);
    }
}

impl<C: Content> Chunk<'_, C> {
    /// Reads the bytes of the chunk's runs into its buffer.
    ///
    /// # Errors
    /// The first error of a content, or out of memory.
    pub(super) fn gather(&mut self) -> Result<()> {
        // Every byte is written below, so the buffer is only zeroed as it grows.
        grow(&mut self.buffer, self.len)?;
        let mut rest = &mut self.buffer[..self.len];
        for run in &self.runs {
            let (out, tail) = rest.split_at_mut(in_memory(run.len));
            read(run, out).map_err(classify_read_error)?;
            rest = tail;
        }
        Ok(())
    }
}
