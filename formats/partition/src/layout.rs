//! The layout of a disk: its table and the extents of its partitions.

use image_runs::{Image, Run, Source};

use crate::extent::Extent;
use crate::{Error, Gpt, Mbr, Options, SectorSize, Table, gpt, mbr};

/// The bytes of a partition table and the extents of its partitions: all of a disk except the
/// images.
///
/// [`Layout::assemble`] adds the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(crate) head: End,
    pub(crate) tail: End,
    partitions: Vec<Extent>,
    sector_size: SectorSize,
    len: u64,
}

/// Plans the extents of the partitions, the length of the disk, and its table.
///
/// The first partition starts at [`Options::first_partition`], or at the first multiple of
/// [`Options::alignment`] after the table; every other partition at the first such multiple after
/// the previous one.
///
/// # Errors
/// Returns an error if the table cannot represent the partitions, or the options are invalid.
pub fn plan(table: &Table, options: &Options) -> Result<Layout, Error> {
    check_sectors("the alignment of partitions", options.alignment, options)?;
    check_sectors("the multiple of the disk's length", options.length_multiple, options)?;
    if let Some(offset) = options.first_partition {
        check_sectors("the offset of the first partition", offset, options)?;
    }
    match table {
        Table::Gpt(table) => {
            gpt::check(table)?;
            plan_gpt(table, options)
        }
        Table::Mbr(table) => {
            mbr::check(table)?;
            plan_mbr(table, options)
        }
    }
}

fn check_sectors(what: &'static str, bytes: u64, options: &Options) -> Result<(), Error> {
    let sector_size = options.sector_size.bytes();
    if bytes == 0 || !bytes.is_multiple_of(sector_size) {
        return Err(Error::NotSectors { what, bytes, sector_size });
    }
    Ok(())
}

fn plan_gpt(table: &Gpt, options: &Options) -> Result<Layout, Error> {
    let lens: Vec<u64> = table.partitions.iter().map(|partition| partition.len).collect();
    let (head_len, tail_len) = (gpt::head_len(options.sector_size), gpt::tail_len(options.sector_size));
    let (partitions, len) = place(&lens, head_len as u64, tail_len as u64, options)?;
    let ends = gpt::write(table, &partitions, len, options.sector_size);
    debug_assert_eq!((ends.head.len(), ends.tail.len()), (head_len, tail_len));
    Ok(Layout {
        head: End(ends.head),
        tail: End(ends.tail),
        partitions,
        sector_size: options.sector_size,
        len,
    })
}

fn plan_mbr(table: &Mbr, options: &Options) -> Result<Layout, Error> {
    let lens: Vec<u64> = table.partitions.iter().map(|partition| partition.len).collect();
    let (partitions, len) = place(&lens, options.sector_size.bytes(), 0, options)?;
    let head = mbr::write(table, &partitions, options.sector_size)?;
    Ok(Layout { head: End(head), tail: End(Vec::new()), partitions, sector_size: options.sector_size, len })
}

/// Returns the extents of the partitions between a head and a tail, and the length of the disk in
/// bytes.
fn place(
    image_lens: &[u64],
    head_len: u64,
    tail_len: u64,
    options: &Options,
) -> Result<(Vec<Extent>, u64), Error> {
    let sector_size = options.sector_size.bytes();
    let mut partitions = Vec::with_capacity(image_lens.len());
    let mut end = head_len;
    let mut len = None;
    if let Some(offset) = options.first_partition.filter(|offset| *offset < head_len) {
        return Err(Error::FirstPartition { offset, table: head_len });
    }
    for (number, image_len) in (1..).zip(image_lens) {
        if *image_len == 0 {
            return Err(Error::EmptyPartition { number });
        }
        let start = match options.first_partition.filter(|_| number == 1) {
            Some(offset) => offset,
            None => end.checked_next_multiple_of(options.alignment).ok_or(Error::TooLong { number })?,
        };
        let sector_count = image_len.div_ceil(sector_size);
        partitions.push(Extent::new(start / sector_size, sector_count, options.sector_size, *image_len));
        let after = sector_count.checked_mul(sector_size).and_then(|len| start.checked_add(len));
        let whole = after
            .and_then(|after| after.checked_add(tail_len))
            .and_then(|whole| whole.checked_next_multiple_of(options.length_multiple))
            .filter(|whole| i64::try_from(*whole).is_ok());
        end = after.ok_or(Error::TooLong { number })?;
        len = Some(whole.ok_or(Error::TooLong { number })?);
    }
    Ok((partitions, len.ok_or(Error::NoPartitions)?))
}

impl Layout {
    /// The length of the disk in bytes: a multiple of [`Options::length_multiple`].
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a disk with a table is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The sector size.
    #[must_use]
    pub fn sector_size(&self) -> SectorSize {
        self.sector_size
    }

    /// The extents of the partitions, in the order of the table.
    #[must_use]
    pub fn partitions(&self) -> &[Extent] {
        &self.partitions
    }

    /// The bytes at the start of the disk: the MBR, and with GPT the primary header and entries.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head.0
    }

    /// The bytes at the start of the disk, as an image.
    #[must_use]
    pub fn head_image(&self) -> &End {
        &self.head
    }

    /// The bytes at the end of the disk, as an image; empty for an MBR.
    #[must_use]
    pub fn tail_image(&self) -> &End {
        &self.tail
    }

    /// The bytes at the end of the disk: the backup entries and header of a GPT, empty for an MBR.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        &self.tail.0
    }
}

/// The bytes at one end of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End(Vec<u8>);

impl<C: Sync> Image<C> for End {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Most of an entry array is unused, so sectors of zeros are runs of zeros.
    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        let mut runs = Vec::new();
        let is_zeros = |sector: &[u8]| sector.iter().all(|byte| *byte == 0);
        let mut rest = self.0.as_slice();
        while !rest.is_empty() {
            let zeros = is_zeros(&rest[..rest.len().min(512)]);
            let alike =
                rest.chunks(512).take_while(|sector| is_zeros(sector) == zeros).map(<[u8]>::len).sum();
            let (run, after) = rest.split_at(alike);
            let source = if zeros { Source::Zeros } else { Source::Bytes(run) };
            runs.push(Run { len: run.len() as u64, source });
            rest = after;
        }
        Box::new(runs.into_iter())
    }
}
