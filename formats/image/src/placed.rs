//! Images placed one after another, as an image.

use std::error::Error;
use std::fmt;

use crate::{Image, Run};

/// Images at increasing offsets, with zeros between them, up to a length.
pub struct Placed<'a, C> {
    parts: Vec<Part<'a, C>>,
    /// The end of the last image, in bytes.
    end: u64,
    len: u64,
}

struct Part<'a, C> {
    /// The number of zeros between this image and the end of the previous one.
    zeros_before: u64,
    image: &'a (dyn Image<C> + 'a),
}

/// An image that would overlap the previous one, or end behind the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceError {
    /// The offset of the image in bytes.
    pub offset: u64,
    /// The length of the image in bytes.
    pub len: u64,
    /// The bytes that are free: from the end of the previous image to the end of the whole.
    pub free: std::ops::Range<u64>,
}

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, len, free } = self;
        write!(f, "an image of {len} bytes at {offset} is not within the free bytes {free:?}")
    }
}

impl Error for PlaceError {}

impl<'a, C> Placed<'a, C> {
    /// Returns `len` zeros, in which images are to be placed.
    #[must_use]
    pub const fn new(len: u64) -> Self {
        Self { parts: Vec::new(), end: 0, len }
    }

    /// Places an image at an offset in bytes, at or behind the end of the previous one.
    ///
    /// # Errors
    /// Returns an error if the image is not within the free bytes. Nothing changes then.
    pub fn place(&mut self, offset: u64, image: &'a (dyn Image<C> + 'a)) -> Result<(), PlaceError> {
        let len = image.len();
        let zeros_before = offset.checked_sub(self.end);
        let end = offset.checked_add(len).filter(|end| *end <= self.len);
        let (Some(zeros_before), Some(end)) = (zeros_before, end) else {
            return Err(PlaceError { offset, len, free: self.end..self.len });
        };
        self.parts.push(Part { zeros_before, image });
        self.end = end;
        Ok(())
    }
}

impl<C: Sync> Image<C> for Placed<'_, C> {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        let parts = self.parts.iter().flat_map(|part| zeros(part.zeros_before).chain(part.image.runs()));
        Box::new(parts.chain(zeros(self.len - self.end)))
    }
}

/// Yields a run of `len` zeros, or nothing if `len` is 0: runs have at least one byte.
fn zeros<'a, C>(len: u64) -> std::option::IntoIter<Run<'a, C>> {
    (len > 0).then(|| Run::zeros(len)).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, read_all};

    struct Bytes(&'static [u8]);

    impl Image<Vec<u8>> for Bytes {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
            let run = Run { len: self.0.len() as u64, source: Source::Bytes(self.0) };
            Box::new((!self.0.is_empty()).then_some(run).into_iter())
        }
    }

    #[test]
    fn zeros_are_around_the_images() {
        let (one, two, none) = (Bytes(b"one"), Bytes(b"two"), Bytes(b""));
        let mut placed: Placed<'_, Vec<u8>> = Placed::new(10);
        for (offset, image) in [(1, &one), (4, &two), (8, &none)] {
            placed.place(offset, image).expect("it is free");
        }
        assert_eq!(read_all(&placed).expect("memory"), b"\0onetwo\0\0\0");
        assert_eq!(placed.runs().count(), 5, "adjacent images have no run of zeros between them");
        assert_eq!(read_all(&Placed::<Vec<u8>>::new(3)).expect("memory"), b"\0\0\0");
        assert_eq!(read_all(&Placed::<Vec<u8>>::new(0)).expect("memory"), b"");
    }

    #[test]
    fn images_neither_overlap_nor_leave_the_whole() {
        let one = Bytes(b"one");
        let mut placed: Placed<'_, Vec<u8>> = Placed::new(10);
        placed.place(2, &one).expect("it is free");
        for offset in [0, 4, 8, u64::MAX] {
            let error = placed.place(offset, &one).expect_err("it is not free");
            assert_eq!(error, PlaceError { offset, len: 3, free: 5..10 });
        }
        placed.place(7, &one).expect("it is free");
        assert_eq!(read_all(&placed).expect("memory"), b"\0\0one\0\0one");
    }
}
