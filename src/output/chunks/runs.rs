//! The runs of an image, checked during iteration, and reading of one.

use std::io;

use image_runs::{Image, MAX_RENDERED, Run, Source};
use image_tree::Content;

use crate::error::{Error, ErrorKind, Result};

/// The runs of an image, in order.
pub(in crate::output) struct Runs<'a, C> {
    /// `None` after the last run or an error.
    runs: Option<Box<dyn Iterator<Item = Run<'a, C>> + Send + 'a>>,
    /// The offset of the next run in the image, in bytes.
    position: u64,
    len: u64,
}

impl<'a, C> Runs<'a, C> {
    pub(in crate::output) fn of(image: &'a dyn Image<C>) -> Self {
        Self { runs: Some(image.runs()), position: 0, len: image.len() }
    }

    /// Returns the next run, if any.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if the runs violate the contract of [`Image`]. The iteration
    /// then ends.
    pub(in crate::output) fn next(&mut self) -> Result<Option<Run<'a, C>>> {
        let Some(runs) = &mut self.runs else { return Ok(None) };
        let run = runs.next();
        let problem = match &run {
            Some(run) => self.problem_with(run),
            None if self.position < self.len => Some("the image's runs end before the image does"),
            None => None,
        };
        if run.is_none() || problem.is_some() {
            self.runs = None;
        }
        match problem {
            None => {
                self.position += run.as_ref().map_or(0, |run| run.len);
                Ok(run)
            }
            Some(problem) => {
                let message = format!("{problem}, at byte {} of {}", self.position, self.len);
                Err(Error::new(ErrorKind::Verification, message))
            }
        }
    }

    fn problem_with(&self, run: &Run<'_, C>) -> Option<&'static str> {
        if run.len == 0 {
            return Some("a run of the image has no bytes");
        }
        if run.len > self.len - self.position {
            return Some("the image's runs are longer than the image");
        }
        match run.source {
            Source::Bytes(bytes) if u64::try_from(bytes.len()) != Ok(run.len) => {
                Some("a run of the image and its bytes differ in length")
            }
            Source::Rendered { .. } if run.len > MAX_RENDERED => {
                Some("a rendered run of the image is too long")
            }
            Source::Content { offset, .. } if offset.checked_add(run.len).is_none() => {
                Some("a run of the image is outside its content")
            }
            _ => None,
        }
    }
}

/// Fills `out`, which is as long as the run.
pub(in crate::output) fn read<C: Content>(run: &Run<'_, C>, out: &mut [u8]) -> io::Result<()> {
    match run.source {
        Source::Zeros => out.fill(0),
        Source::Bytes(bytes) => out.copy_from_slice(bytes),
        Source::Rendered { by, key } => {
            out.fill(0);
            by.render(key, out);
        }
        Source::Content { content, offset } => content.read_at(out, offset)?,
    }
    Ok(())
}
