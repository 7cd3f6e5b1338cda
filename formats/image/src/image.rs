//! Runs and what has them.

use std::fmt;

/// The longest run of [`Source::Rendered`], in bytes: a writer asks for such a run whole.
pub const MAX_RENDERED: u64 = 1 << 20;

/// A planned byte string whose data ranges are of contents `C`.
pub trait Image<C>: Sync {
    /// The exact length in bytes.
    fn len(&self) -> u64;

    /// Whether the image has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The runs in order. Their lengths add up to [`Image::len`], and each call gives the same runs.
    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_>;
}

/// Consecutive bytes that come from one place.
#[derive(Debug)]
pub struct Run<'a, C> {
    /// How many bytes; never 0.
    pub len: u64,
    /// Where they come from.
    pub source: Source<'a, C>,
}

impl<C> Run<'_, C> {
    /// A run of zeros.
    #[must_use]
    pub fn zeros(len: u64) -> Self {
        Self { len, source: Source::Zeros }
    }
}

/// Where the bytes of a run come from.
pub enum Source<'a, C> {
    /// Every byte is zero.
    Zeros,
    /// The bytes are in memory, as many as the run is long.
    Bytes(&'a [u8]),
    /// The bytes are computed when asked for, whole runs at a time, each at most [`MAX_RENDERED`] long.
    Rendered {
        /// Who computes them.
        by: &'a dyn Render,
        /// Which of its runs this is.
        key: u64,
    },
    /// The bytes of a file, from `offset` on.
    Content {
        /// The file.
        content: &'a C,
        /// Where in the file the run begins, in bytes.
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

// Sources are references, so they copy whatever `C` is; a derive would ask for `C: Copy`.
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
    /// Writes every byte of the run `key` to `out`, which is as long as the run and holds zeros.
    fn render(&self, key: u64, out: &mut [u8]);
}
