//! A disk with its partitions' images in their places.

use std::option;

use image_runs::{Image, Run};

use crate::{Error, Layout};

/// A planned disk and the images of its partitions.
pub struct Disk<'a, C> {
    layout: Layout,
    partitions: Vec<Placed<'a, C>>,
    /// Zeros between the last image and the tail.
    gap_before_tail: u64,
}

struct Placed<'a, C> {
    /// Zeros between this image and what comes before it.
    gap_before: u64,
    image: &'a (dyn Image<C> + 'a),
}

impl Layout {
    /// Puts the partitions' images in their places, one for each partition and in the same order.
    ///
    /// # Errors
    /// When an image does not have the length that was planned for it, or their number is another.
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
            // OK to subtract: the plan places partitions in order, each behind what comes before it.
            partitions.push(Placed { gap_before: place.offset() - end, image: *image });
            end = place.offset() + given;
        }
        let gap_before_tail = self.len() - self.tail().len() as u64 - end;
        Ok(Disk { layout: self, partitions, gap_before_tail })
    }
}

impl<C> Disk<'_, C> {
    /// The table and the places of the partitions.
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
            self.partitions.iter().flat_map(|placed| zeros(placed.gap_before).chain(placed.image.runs()));
        let runs = self.layout.head.runs().chain(partitions);
        Box::new(runs.chain(zeros(self.gap_before_tail)).chain(self.layout.tail.runs()))
    }
}

/// A run of zeros, or no run: runs have at least one byte.
fn zeros<'a, C>(len: u64) -> option::IntoIter<Run<'a, C>> {
    (len > 0).then(|| Run::zeros(len)).into_iter()
}
