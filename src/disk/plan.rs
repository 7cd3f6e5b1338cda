//! The plan of a disk: the place of each partition, before their images are known.

use image_runs::{Image, Placed};

use super::partition::{Partition, PlacedPartition};
use super::table::{self, Piece};
use super::{DiskLayout, DiskLength, DiskOptions, Range};
use crate::error::{Error, ErrorKind, Result};

/// A planned disk without the images of its partitions.
pub struct DiskPlan {
    /// The pieces besides the partitions, in the order of their offsets.
    pieces: Vec<Piece>,
    /// The partitions; on a bare disk the only one, without a number.
    places: Vec<Place>,
    partitions: Vec<PlacedPartition>,
    len: u64,
}

/// The place of an image.
struct Place {
    purpose: &'static str,
    offset: u64,
    /// The length of the image in bytes.
    image_len: u64,
    /// The length in bytes, whole sectors.
    len: u64,
}

/// The images of partitions in their order; `None` for zeros.
pub type Images<'i, 'a, C> = &'i [Option<&'a (dyn Image<C> + 'a)>];

/// Plans a disk of partitions with images of these lengths in bytes, in this order.
///
/// # Errors
/// [`ErrorKind::BadInput`] if an image is too large for the table, [`ErrorKind::DoesNotFit`] if the
/// disk would be longer than its exact length, [`ErrorKind::Usage`] if the table cannot represent
/// the options, or there is no table for several partitions.
pub fn plan(partitions: &[(Partition, u64)], options: &DiskOptions) -> Result<DiskPlan> {
    let given: Vec<_> = partitions.iter().map(|(partition, len)| (partition, *len)).collect();
    let plan = match table::plan(&given, options)? {
        None => plan_bare(partitions, options)?,
        Some((pieces, layout)) => {
            let placed = (1..).zip(partitions.iter().zip(layout.partitions()));
            let partitions: Vec<_> = placed
                .map(|(number, ((partition, _), place))| PlacedPartition {
                    partition: partition.clone(),
                    number,
                    offset: place.offset(),
                    len: place.len(),
                    partuuid: partuuid(partition, number, options),
                })
                .collect();
            let places = partitions.iter().zip(layout.partitions()).map(|(placed, extent)| Place {
                purpose: placed.partition.purpose,
                offset: placed.offset,
                image_len: extent.image_len(),
                len: placed.len,
            });
            DiskPlan { pieces, places: places.collect(), partitions, len: layout.len() }
        }
    };
    match options.length {
        DiskLength::Exact(bytes) if plan.len != bytes => {
            let message = format!("the disk has {} bytes, and is to have {bytes}", plan.len);
            Err(Error::new(ErrorKind::DoesNotFit, message))
        }
        _ => Ok(plan),
    }
}

fn plan_bare(partitions: &[(Partition, u64)], options: &DiskOptions) -> Result<DiskPlan> {
    let [(partition, image_len)] = partitions else {
        let message = format!(
            "a disk without a partition table holds one filesystem, and {} were given: choose --layout gpt or mbr",
            partitions.len()
        );
        return Err(Error::new(ErrorKind::Usage, message));
    };
    let len = match options.length {
        DiskLength::Multiple(bytes) => image_len.checked_next_multiple_of(bytes.max(1)),
        DiskLength::Exact(bytes) => Some(bytes.max(*image_len)),
    };
    let too_long = || Error::new(ErrorKind::BadInput, "the disk would be longer than any file can be");
    let len = len.filter(|len| i64::try_from(*len).is_ok()).ok_or_else(too_long)?;
    let place = Place { purpose: partition.purpose, offset: 0, image_len: *image_len, len: *image_len };
    Ok(DiskPlan { pieces: Vec::new(), places: vec![place], partitions: Vec::new(), len })
}

/// Returns the identifier by which the kernel finds a partition.
fn partuuid(partition: &Partition, number: u32, options: &DiskOptions) -> String {
    match options.layout {
        DiskLayout::Mbr | DiskLayout::Kata => format!("{:08x}-{number:02x}", options.mbr_signature),
        DiskLayout::Gpt | DiskLayout::Bare => partition.guid.to_string(),
    }
}

impl DiskPlan {
    /// The length of the disk in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a disk is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns the partitions in the order of the table; none on a bare disk.
    #[must_use]
    pub fn partitions(&self) -> &[PlacedPartition] {
        &self.partitions
    }

    /// Returns the offset in bytes of the image with this index.
    #[must_use]
    pub fn offset(&self, index: usize) -> Option<u64> {
        self.places.get(index).map(|place| place.offset)
    }

    /// Returns the images of the tables with their offsets in bytes, in order.
    #[must_use]
    pub fn tables<C: Sync>(&self) -> Vec<(u64, &dyn Image<C>)> {
        self.pieces.iter().map(|piece| (piece.offset, piece.image())).collect()
    }

    /// Returns the disk as an image of its tables and the images of its partitions.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`] if an image does not have its planned length.
    pub fn whole<'a, C: Sync>(&'a self, images: Images<'_, 'a, C>) -> Result<Placed<'a, C>> {
        self.compose(true, images)
    }

    /// Returns the disk with zeros in place of its tables.
    ///
    /// # Errors
    /// As [`whole`](Self::whole).
    pub fn without_tables<'a, C: Sync>(&'a self, images: Images<'_, 'a, C>) -> Result<Placed<'a, C>> {
        self.compose(false, images)
    }

    fn compose<'a, C: Sync>(&'a self, tables: bool, images: Images<'_, 'a, C>) -> Result<Placed<'a, C>> {
        let differs = |what: String| Error::new(ErrorKind::Verification, what);
        if images.len() != self.places.len() {
            let message = format!("{} images were given for {} partitions", images.len(), self.places.len());
            return Err(differs(message));
        }
        let mut parts: Vec<(u64, &'a (dyn Image<C> + 'a))> = Vec::new();
        if tables {
            parts.extend(self.pieces.iter().map(|piece| (piece.offset, piece.image())));
        }
        for (place, image) in self.places.iter().zip(images) {
            let Some(image) = image else { continue };
            if image.len() != place.image_len {
                let (given, planned, what) = (image.len(), place.image_len, place.purpose);
                return Err(differs(format!("the {what} has {given} bytes, planned were {planned}")));
            }
            parts.push((place.offset, *image));
        }
        parts.sort_by_key(|(offset, _)| *offset);
        let mut placed = Placed::new(self.len);
        for (offset, image) in parts {
            placed.place(offset, image).map_err(|error| differs(error.to_string()))?;
        }
        Ok(placed)
    }

    /// Returns the ranges of the disk in order, from the first byte to the last.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range> {
        let pieces = self.pieces.iter().map(|piece| (piece.name, piece.offset, piece.len()));
        let places = self.places.iter().map(|place| (place.purpose, place.offset, place.len));
        let mut used: Vec<_> = pieces.chain(places).filter(|(.., length)| *length > 0).collect();
        used.sort_by_key(|(_, offset, _)| *offset);
        let last_image = self.places.last().map_or(0, |place| place.offset + place.len);
        let (mut ranges, mut end) = (Vec::new(), 0);
        for (name, offset, length) in used.into_iter().chain([("", self.len, 0)]) {
            if offset > end {
                let name = if end < last_image { "alignment" } else { "padding" };
                ranges.push(Range { name, offset: end, length: offset - end });
            }
            if length > 0 {
                ranges.push(Range { name, offset, length });
            }
            end = offset + length;
        }
        ranges
    }
}
