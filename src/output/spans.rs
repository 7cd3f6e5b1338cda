//! An image's runs as spans: consecutive bytes that are gathered in one buffer and passed on as a
//! whole.
//!
//! ```text
//! runs   │file│pad│file│pad│ long zeros │ one big file                                  │ zeros │
//! spans  ├─────────────┤  ┊     gap     ├──────────────┼──────────────────┼────────────┤  gap  ┊
//!                                       multiples of SPAN_SIZE
//! ```
//!
//! A span ends at the next multiple of [`SPAN_SIZE`] in the destination, so many small files share one write
//! and a big file is shared by threads. It neither begins nor ends with zeros, and long zeros never enter a
//! buffer: they are the gap before the next span, which a sparse file leaves as a hole.
//!
//! A writer may select ranges of files to share instead of gathering them: each is a span of its
//! own, without bytes.

use std::ops::Range;

use image_runs::{Image, Run, Source};
use image_tree::Content;

use super::buffer::grow;
use super::runs::{Runs, read};
use crate::blob::classify_read_error;
use crate::error::Result;

/// The maximum size of a span, in bytes; the measurements are in `sparse_file`.
pub(super) const SPAN_SIZE: u64 = 1 << 20;

/// The minimum length of zeros, in bytes, that ends a span. Shorter ones between data are gathered
/// with it, since many small spans cost more than copying them.
pub(super) const MIN_GAP: u64 = 64 << 10;

/// The maximum number of runs in a span: many tiny runs must not take more memory than their bytes.
const MAX_RUNS: usize = 16 << 10;

/// Selects the range within a run of the image at a position that is to be a span of its own.
type Choice<'a, C> = Box<dyn Fn(&Run<'a, C>, u64) -> Option<Range<u64>> + Send + 'a>;

/// The spans of an image, in order. The runs are checked.
pub(super) struct Spans<'a, C> {
    runs: Runs<'a, C>,
    /// The part of a run that the last span did not take.
    rest: Option<Run<'a, C>>,
    /// The offset of `rest`, or else of the next run, in the image.
    position: u64,
    /// The length of the zeros just before `position` that belong to no span yet.
    gap: u64,
    choice: Option<Choice<'a, C>>,
}

/// One span, with the buffer its bytes are gathered in. It is reused.
pub(super) struct Span<'a, C> {
    /// The length of the zeros between the previous span and this one, in bytes.
    pub(super) gap: u64,
    /// The offset of the span in the image, in bytes.
    pub(super) start: u64,
    /// The run of a span that the writer selected, which has no bytes.
    pub(super) chosen: Option<Run<'a, C>>,
    runs: Vec<Run<'a, C>>,
    len: usize,
    buffer: Vec<u8>,
}

impl<'a, C> Spans<'a, C> {
    pub(super) fn of(image: &'a dyn Image<C>) -> Self {
        Self { runs: Runs::of(image), rest: None, position: 0, gap: 0, choice: None }
    }

    /// Returns the same spans, except for the ranges that `choice` returns. These must be within
    /// its run and not empty.
    pub(super) fn choosing(
        self,
        choice: impl Fn(&Run<'a, C>, u64) -> Option<Range<u64>> + Send + 'a,
    ) -> Self {
        Self { choice: Some(Box::new(choice)), ..self }
    }

    /// The end of the taken spans, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Sets `span` to the next one, without gathering its bytes. The last one has no bytes if zeros
    /// end the image. Returns false if there is none.
    ///
    /// # Errors
    /// [`Verification`](crate::error::ErrorKind::Verification) if the runs violate the contract of
    /// [`Image`]. The iteration then ends.
    pub(super) fn take(&mut self, span: &mut Span<'a, C>) -> Result<bool> {
        span.clear();
        while let Some(run) = self.next_run()? {
            if matches!(run.source, Source::Zeros) {
                self.gap += run.len;
                self.position += run.len;
                continue;
            }
            let chosen = self.choice.as_ref().and_then(|choice| choice(&run, self.position));
            let is_chosen = chosen.as_ref().is_some_and(|range| range.start == self.position);
            if span.runs.is_empty() {
                span.gap = std::mem::take(&mut self.gap);
                span.start = self.position;
            } else if is_chosen || self.is_complete(span) {
                self.rest = Some(run);
                return Ok(true);
            } else if self.gap > 0 {
                span.push(Run::zeros(std::mem::take(&mut self.gap)));
            }
            let end = match &chosen {
                Some(range) if is_chosen => range.end,
                Some(range) => range.start.min(end_of_span(span.start)),
                None => end_of_span(span.start),
            };
            let (head, rest) = split(run, end - self.position);
            self.position += head.len;
            self.rest = rest;
            if is_chosen {
                span.chosen = Some(head);
                return Ok(true);
            }
            span.push(head);
        }
        if span.runs.is_empty() {
            span.gap = std::mem::take(&mut self.gap);
            span.start = self.position;
        }
        Ok(span.len > 0 || span.gap > 0)
    }

    /// Returns true if data at the current position belongs to the next span.
    fn is_complete(&self, span: &Span<'a, C>) -> bool {
        self.position >= end_of_span(span.start) || self.gap >= MIN_GAP || span.runs.len() >= MAX_RUNS
    }

    fn next_run(&mut self) -> Result<Option<Run<'a, C>>> {
        match self.rest.take() {
            Some(run) => Ok(Some(run)),
            None => self.runs.next(),
        }
    }
}

/// The next multiple of [`SPAN_SIZE`] after `start`.
fn end_of_span(start: u64) -> u64 {
    (start / SPAN_SIZE + 1).saturating_mul(SPAN_SIZE)
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

/// Converts a length within a span, or of bytes in memory, to an index.
pub(super) fn in_memory(len: u64) -> usize {
    usize::try_from(len).expect("what is in memory has a length that fits in usize")
}

impl<'a, C> Span<'a, C> {
    /// Returns an empty span.
    pub(super) fn new() -> Self {
        Self { gap: 0, start: 0, chosen: None, runs: Vec::new(), len: 0, buffer: Vec::new() }
    }

    /// Sets it to the span of one run at `start`, without gathering its bytes.
    pub(super) fn refill(&mut self, run: Run<'a, C>, start: u64) {
        self.clear();
        (self.gap, self.start) = (0, start);
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

    fn clear(&mut self) {
        self.runs.clear();
        (self.len, self.chosen) = (0, None);
    }

    fn push(&mut self, run: Run<'a, C>) {
        self.len += in_memory(run.len);
        self.runs.push(run);
    }
}

impl<C: Content> Span<'_, C> {
    /// Reads the bytes of the span's runs into its buffer.
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
