//! Images one after the other.

use crate::{Image, Run};

/// An image made of images and gaps of zeros, back to back.
pub struct Concat<'a, C> {
    parts: Vec<Part<'a, C>>,
    len: u64,
}

enum Part<'a, C> {
    Zeros(u64),
    Image(&'a (dyn Image<C> + 'a)),
}

impl<'a, C> Concat<'a, C> {
    /// An image of no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self { parts: Vec::new(), len: 0 }
    }

    /// Adds an image at the end.
    #[must_use]
    pub fn then(mut self, image: &'a (dyn Image<C> + 'a)) -> Self {
        self.len += image.len();
        self.parts.push(Part::Image(image));
        self
    }

    /// Adds zeros up to `offset`, counted from the start of the whole.
    ///
    /// # Panics
    /// When the image is already longer than `offset`: the plan placed two things at one offset.
    #[must_use]
    pub fn pad_to(mut self, offset: u64) -> Self {
        let gap = offset.checked_sub(self.len).expect("parts are placed in order and do not overlap");
        if gap > 0 {
            self.parts.push(Part::Zeros(gap));
            self.len = offset;
        }
        self
    }
}

impl<C> Default for Concat<'_, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Sync> Image<C> for Concat<'_, C> {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        Box::new(self.parts.iter().flat_map(|part| match part {
            Part::Zeros(len) => Box::new(std::iter::once(Run::zeros(*len))),
            Part::Image(image) => image.runs(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, read_all};

    struct Text(Vec<u8>);

    impl Image<Vec<u8>> for Text {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
            let run = Run { len: self.len(), source: Source::Content { content: &self.0, offset: 0 } };
            Box::new(std::iter::once(run))
        }
    }

    #[test]
    fn parts_and_gaps_follow_each_other() {
        let (first, second) = (Text(b"ab".to_vec()), Text(b"cd".to_vec()));
        let whole = Concat::new().then(&first).pad_to(4).then(&second).pad_to(7).pad_to(7);
        assert_eq!(whole.len(), 7);
        assert_eq!(read_all(&whole).expect("memory does not fail"), b"ab\0\0cd\0");
    }

    #[test]
    #[should_panic(expected = "do not overlap")]
    fn an_overlap_is_refused() {
        let text = Text(b"abcd".to_vec());
        let _ = Concat::new().then(&text).pad_to(3);
    }
}
