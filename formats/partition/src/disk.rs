//! A disk with the images of its partitions at their offsets.

use image_runs::{Image, Placed, Run};

use crate::{Error, Layout};

/// A planned disk and the images of its partitions.
pub struct Disk<'a, C> {
    layout: Layout,
    /// The images at their offsets, without the table.
    partitions: Placed<'a, C>,
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
        let (head, tail) = (self.head().len() as u64, self.tail().len() as u64);
        let mut partitions = Placed::new(self.len() - head - tail);
        for (number, (image, place)) in (1..).zip(images.iter().zip(self.partitions())) {
            let (given, planned) = (image.len(), place.image_len());
            if given != planned {
                return Err(Error::ImageLength { number, given, planned });
            }
            // OK to unwrap: the plan places partitions in order behind the head, each after the end
            // of the previous one.
            partitions.place(place.offset() - head, *image).expect("partitions do not overlap");
        }
        Ok(Disk { layout: self, partitions })
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
        let runs = self.layout.head.runs().chain(self.partitions.runs());
        Box::new(runs.chain(self.layout.tail.runs()))
    }
}
