//! The [`Image`] trait and the runs that it consists of.

use std::fmt;

/// The longest run of [`Source::Rendered`], in bytes: writers request such a run as a whole.
pub const MAX_RENDERED: u64 = 1 << 20;

/// A planned byte string with data ranges taken from contents of type `C`.
pub trait Image<C>: Sync {
    /// The exact length in bytes.
    fn len(&self) -> u64;

    /// Returns true if the image has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The runs in order. Their lengths add up to [`Image::len`], and every call returns the same
    /// runs.
    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_>;
}

/// Consecutive bytes that come from one source.
#[derive(Debug)]
pub struct Run<'a, C> {
    /// The length in bytes; never 0.
    pub len: u64,
    /// The source of the bytes.
    pub source: Source<'a, C>,
}

impl<C> Run<'_, C> {
    /// A run of zeros.
    #[must_use]
    pub fn zeros(len: u64) -> Self {
        Self { len, source: Source::Zeros }
    }
}

/// The source of the bytes of a run.
pub enum Source<'a, C> {
    /// Every byte is zero.
    Zeros,
    /// The bytes are in memory; the slice is as long as the run.
    Bytes(&'a [u8]),
    /// The bytes are computed on request, a whole run at a time, at most [`MAX_RENDERED`] bytes.
    Rendered {
        /// The renderer that computes the bytes.
        by: &'a dyn Render,
        /// Identifies the run to the renderer.
        key: u64,
    },
    /// The bytes of a file, starting at `offset`.
    Content {
        /// The file.
        content: &'a C,
        /// The offset of the run in the file, in bytes.
        offset: u64,
    },
}

impl<C> fmt::Debug for Source<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Zeros => f.write_str("Zeros"),
            Source::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Source::Rendered { key, .. } => write!(f, "Rendered({key})"),
            Source::Content { offset, .. } => write!(f, "Content({offset})"),
        }
    }
}

// Sources are references, so they are `Copy` for any `C`; a derive would require `C: Copy`.
impl<C> Clone for Source<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Source<'_, C> {}
impl<C> Clone for Run<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Run<'_, C> {}

/// Computes the bytes of runs.
pub trait Render: Sync {
    /// Writes every byte of the run `key` to `out`, which has the length of the run and is filled
    /// with zeros.
    fn render(&self, key: u64, out: &mut [u8]);
}
