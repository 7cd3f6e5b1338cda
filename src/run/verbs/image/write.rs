//! Writes the disk: at once, or, if it is measured, its data first and then what depends on it.

use dm_verity::Parameters;
use image_runs::{Image, Placed};

use super::measurement::Measurement;
use super::root_hash_file::RootHashFile;
use crate::blob::Blob;
use crate::disk::{DiskFrame, DiskLayout, DiskPlan, HashTreePartition};
use crate::error::{Error, ErrorKind, Result};
use crate::output::staged::{self, Completed, Dependent, Known};
use crate::output::text::WrittenText;
use crate::output::{Destination, Preallocation, WriteOptions};
use crate::run::output::{Outcome, hex, transfer, write_output};

/// The disk to write.
#[derive(Clone, Copy)]
pub(super) struct Disk<'d> {
    pub(super) frame: &'d DiskFrame,
    /// The disk before its root hash is known.
    pub(super) plan: &'d DiskPlan,
    pub(super) filesystem: &'d dyn Image<Blob>,
}

/// A measured disk.
pub(super) struct Measured {
    /// The final plan, with the partition UUIDs of the root hash.
    pub(super) plan: DiskPlan,
    /// The root hash and its parameters.
    pub(super) parameters: Parameters,
}

impl Disk<'_> {
    /// Writes the disk, or digests it if there is no destination.
    pub(super) fn write(
        self,
        destination: Option<&Destination>,
        preallocation: Option<Preallocation>,
        root_hash_file: Option<RootHashFile<'_>>,
        options: &WriteOptions<'_>,
    ) -> Result<(Outcome, Option<Measured>)> {
        match &self.frame.hash_tree {
            None => {
                let disk = self.plan.whole(&[Some(self.filesystem)])?;
                Ok((write_output(&disk, destination, preallocation, options)?, None))
            }
            Some(hash_tree) => {
                let to = (destination, preallocation, root_hash_file);
                let (outcome, measured) = self.write_measured(hash_tree, to, options)?;
                Ok((outcome, Some(measured)))
            }
        }
    }

    fn write_measured(
        self,
        hash_tree: &HashTreePartition,
        (destination, preallocation, root_hash_file): (
            Option<&Destination>,
            Option<Preallocation>,
            Option<RootHashFile<'_>>,
        ),
        options: &WriteOptions<'_>,
    ) -> Result<(Outcome, Measured)> {
        let layout = hash_tree.layout(self.filesystem.len())?;
        // Zeros fill up the last block.
        let mut data = Placed::new(layout.data_len());
        data.place(0, self.filesystem).map_err(|error| Error::new(ErrorKind::Verification, error))?;
        // The partition UUIDs of a GPT are the root hash, so its tables depend on the data.
        let tables_depend = self.frame.options.layout == DiskLayout::Gpt;
        let images: [Option<&dyn Image<Blob>>; 2] = [Some(&data), None];
        let image = if tables_depend { self.plan.without_tables(&images) } else { self.plan.whole(&images) }?;
        let offset = |index| self.plan.offset(index).unwrap_or(0);
        let measurement = Measurement::new(&layout, offset(0))?;
        let known =
            Known { image: &image, end: if tables_depend { 0 } else { offset(1) }, observer: &measurement };
        let begun = staged::begin(&known, destination, preallocation, options)?;

        let tree = measurement.finish()?;
        let mut frame = self.frame.clone();
        if let Some(hash_tree) = &mut frame.hash_tree {
            (frame.filesystem.guid, hash_tree.partition.guid) = tree.root_hash().partition_uuids();
        }
        let plan = frame.plan(self.filesystem.len())?;
        let (area, parity) = (tree.hash_area(), tree.fec_area());
        let mut hashes = Placed::new(crate::disk::hash_partition_len(&layout));
        let placed = hashes.place(0, &area).and_then(|()| match &parity {
            Some(parity) => hashes.place(layout.hash_area_len(), parity),
            None => Ok(()),
        });
        placed.map_err(|error| Error::new(ErrorKind::Verification, error))?;
        let images: [Option<&dyn Image<Blob>>; 2] = [None, Some(&hashes)];
        let image = if tables_depend { plan.whole(&images) } else { plan.without_tables(&images) }?;
        let whole = plan.whole(&[Some(&data), Some(&hashes)])?;
        let completed = begun.complete(&Dependent { image: &image, whole: &whole }, options)?;

        let parameters = tree.parameters();
        let outcome = publish(completed, root_hash_file, &parameters)?;
        drop((whole, image));
        Ok((outcome, Measured { plan, parameters }))
    }
}

/// Publishes the disk and its root hash, both or none.
fn publish(
    completed: Completed<'_>,
    root_hash_file: Option<RootHashFile<'_>>,
    parameters: &Parameters,
) -> Result<Outcome> {
    let text = root_hash_file.map(|file| file.write(parameters)).transpose()?;
    let written = |written| Outcome::Written(transfer(&written));
    match (completed, text) {
        (Completed::Digest(digest), text) => {
            text.map_or(Ok(()), WrittenText::publish).map(|()| Outcome::Digest(hex(&digest)))
        }
        (Completed::Written(unpublished), None) => unpublished.publish().map(written),
        (Completed::Written(unpublished), Some(text)) => text.publish_with(unpublished).map(written),
    }
}
