//! A disk with the images of its partitions at their offsets.

use std::option;

use image_runs::{Image, Run};

use crate::{Error, Layout};

/// A planned disk and the images of its partitions.
pub struct Disk<'a, C> {
    layout: Layout,
    partitions: Vec<Placed<'a, C>>,
    /// The number of zero bytes between the last image and the tail.
    padding_before_tail: u64,
}

struct Placed<'a, C> {
    /// The number of zero bytes between this image and the end of the previous part.
    padding_before: u64,
    image: &'a (dyn Image<C> + 'a),
}

impl Layout {
    /// Places the images at the offsets of their partitions: one for each partition, in the same
    /// order.
    ///
    /// # Errors
    /// Returns an error if an image does not have its planned length, or the number of images
    /// differs from the number of partitions.
    pub fn assemble<'a, C>(self, images: &[&'a (dyn Image<C> + 'a)]) -> Result<Disk<'a, C>, Error> {
        if images.len() != self.partitions().len() {
            return Err(Error::ImageCount { given: images.len(), planned: self.partitions().len() });
        }
        let mut partitions = Vec::with_capacity(images.len());
        let mut end = self.head().len() as u64;
        for (number, (image, place)) in (1..).zip(images.iter().zip(self.partitions())) {
            let (given, planned) = (image.len(), place.image_len());
            if given != planned {
                return Err(Error::ImageLength { number, given, planned });
            }
            // OK to subtract: the plan places partitions in order, each after the end of the
            // previous one.
            partitions.push(Placed { padding_before: place.offset() - end, image: *image });
            end = place.offset() + given;
        }
        let padding_before_tail = self.len() - self.tail().len() as u64 - end;
        Ok(Disk { layout: self, partitions, padding_before_tail })
    }
}

impl<C> Disk<'_, C> {
    /// The table and the extents of the partitions.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl<C: Sync> Image<C> for Disk<'_, C> {
    fn len(&self) -> u64 {
        self.layout.len()
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        let partitions =
            self.partitions.iter().flat_map(|placed| zeros(placed.padding_before).chain(placed.image.runs()));
        let runs = self.layout.head.runs().chain(partitions);
        Box::new(runs.chain(zeros(self.padding_before_tail)).chain(self.layout.tail.runs()))
    }
}

/// Yields a run of `len` zeros, or nothing if `len` is 0: runs have at least one byte.
fn zeros<'a, C>(len: u64) -> option::IntoIter<Run<'a, C>> {
    (len > 0).then(|| Run::zeros(len)).into_iter()
}
