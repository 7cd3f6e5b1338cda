//! The disk around a filesystem whose length is not known yet.

use dm_verity::Layout;

use super::partition::Partition;
use super::plan::{DiskPlan, plan};
use super::{DISK_UNIT, DiskLayout, DiskLength, DiskOptions};
use crate::error::{Error, ErrorKind, Result};

/// Everything that a disk of one filesystem has, but the length of the filesystem: it decides how
/// long that may be, and what is around it.
#[derive(Clone, Debug)]
pub struct DiskFrame {
    /// The options of the disk.
    pub options: DiskOptions,
    /// The partition of the filesystem.
    pub filesystem: Partition,
    /// The partition behind it with the hash tree of the filesystem, if it is measured.
    pub hash_tree: Option<HashTreePartition>,
}

/// The partition of a dm-verity hash tree.
#[derive(Clone, Debug)]
pub struct HashTreePartition {
    /// The partition.
    pub partition: Partition,
    /// The parameters of the tree.
    pub verity: dm_verity::Options,
}

impl HashTreePartition {
    /// Plans the hash tree of a filesystem of this many bytes, which zeros fill up to whole blocks,
    /// and to two if the tree of one block would have no bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the parameters contradict each other, [`ErrorKind::BadInput`] if the
    /// filesystem is too long.
    pub fn layout(&self, filesystem_len: u64) -> Result<Layout> {
        let block_size = u64::from(self.verity.data_block_size.bytes());
        let smallest = if self.verity.superblock.is_some() { block_size } else { 2 * block_size };
        // Lengths that cannot be rounded up are refused as too long.
        let data_len = filesystem_len.checked_next_multiple_of(block_size);
        let data_len = data_len.unwrap_or(u64::MAX / block_size * block_size).max(smallest);
        dm_verity::plan(&self.verity, data_len).map_err(|error| match error {
            dm_verity::Error::FecBlockSizes { .. } => Error::new(ErrorKind::Usage, error),
            _ => Error::new(ErrorKind::BadInput, error),
        })
    }
}

/// Returns the length in bytes of a hash tree with its superblock and the parity behind it.
#[must_use]
pub fn hash_partition_len(layout: &Layout) -> u64 {
    layout.hash_area_len() + layout.fec().map_or(0, dm_verity::FecLayout::len)
}

impl DiskFrame {
    /// Plans the disk for a filesystem of this many bytes.
    ///
    /// # Errors
    /// As [`plan`], and as [`HashTreePartition::layout`].
    pub fn plan(&self, filesystem_len: u64) -> Result<DiskPlan> {
        self.plan_with(filesystem_len, &self.options)
    }

    fn plan_with(&self, filesystem_len: u64, options: &DiskOptions) -> Result<DiskPlan> {
        let Some(hash_tree) = &self.hash_tree else {
            return plan(&[(self.filesystem.clone(), filesystem_len)], options);
        };
        let layout = hash_tree.layout(filesystem_len)?;
        let partitions = [
            (self.filesystem.clone(), layout.data_len()),
            (hash_tree.partition.clone(), hash_partition_len(&layout)),
        ];
        plan(&partitions, options)
    }

    /// Returns the offset of the filesystem on the disk, in bytes.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn offset(&self) -> Result<u64> {
        let plan = self.shortest(self.unit())?;
        Ok(plan.offset(0).unwrap_or(0))
    }

    /// Returns the length in bytes of the shortest disk for a filesystem of this many bytes.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn len_for(&self, filesystem_len: u64) -> Result<u64> {
        self.shortest(filesystem_len).map(|plan| plan.len())
    }

    /// Returns the length in bytes of the longest filesystem for which a disk of this many bytes
    /// has room; 0 if there is none.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn room_in(&self, disk_len: u64) -> Result<u64> {
        let unit = self.unit();
        let smallest = self.len_for(unit)?;
        // The length of a DAX disk is a large multiple, which says little of what is around.
        if self.hash_tree.is_none() && self.options.layout != DiskLayout::Kata {
            return Ok(disk_len.saturating_sub(smallest - unit));
        }
        if smallest > disk_len {
            return Ok(0);
        }
        // The length of the disk grows with that of the filesystem: between a length that fits and
        // one that does not, the interval is halved.
        let (mut fits, mut exceeds) = (1, disk_len / unit + 1);
        while exceeds - fits > 1 {
            let middle = fits + (exceeds - fits) / 2;
            if self.len_for(middle * unit).is_ok_and(|needed| needed <= disk_len) {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        Ok(fits * unit)
    }

    /// The unit of lengths of the filesystem in bytes, as far as the disk has one.
    fn unit(&self) -> u64 {
        let sector = match self.options.layout {
            DiskLayout::Bare => 1,
            DiskLayout::Gpt | DiskLayout::Mbr | DiskLayout::Kata => self.options.sector_size.bytes(),
        };
        let block = self.hash_tree.as_ref().map_or(1, |tree| tree.verity.data_block_size.bytes().into());
        // Both are powers of two.
        sector.max(block)
    }

    fn shortest(&self, filesystem_len: u64) -> Result<DiskPlan> {
        let multiple = match self.options.layout {
            DiskLayout::Bare => 1,
            DiskLayout::Kata if self.options.dax => super::DAX_UNIT,
            DiskLayout::Gpt | DiskLayout::Mbr | DiskLayout::Kata => DISK_UNIT,
        };
        let options = DiskOptions { length: DiskLength::Multiple(multiple), ..self.options };
        self.plan_with(filesystem_len, &options)
    }
}
