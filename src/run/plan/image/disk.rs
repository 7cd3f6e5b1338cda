//! The bytes of the disk: all at once, or, if it is measured, its data first and then what depends
//! on it.

use dm_verity::{FecArea, HashArea, HashTree, Layout, Parameters};
use image_runs::{Image, Placed, Run, Source, read_all};

use super::measurement::Measurement;
use super::root_hash_file::RootHashFile;
use crate::blob::Blob;
use crate::disk::{DiskFrame, DiskLayout, DiskPlan, HashTreePartition, hash_partition_len};
use crate::error::{Error, ErrorKind, Result};
use crate::output::staged::{self, Completed, Dependent, Known};
use crate::output::text::WrittenText;
use crate::output::{Destination, Preallocation, WriteOptions, observe};
use crate::progress::Silent;
use crate::run::plan::sink::{self, Outcome, Sink, hex, transfer};

/// The disk to write.
#[derive(Clone, Copy)]
pub(in crate::run::plan) struct Disk<'d> {
    pub(in crate::run::plan) frame: &'d DiskFrame,
    /// The disk before its root hash is known.
    pub(in crate::run::plan) plan: &'d DiskPlan,
    pub(in crate::run::plan) filesystem: &'d dyn Image<Blob>,
}

/// A measured disk.
pub(in crate::run::plan) struct Measured {
    /// The final plan, with the partition UUIDs of the root hash.
    pub(in crate::run::plan) plan: DiskPlan,
    /// The root hash and its parameters.
    pub(in crate::run::plan) parameters: Parameters,
}

/// A measured disk with its hash tree in memory.
pub(in crate::run::plan) struct WholeMeasured {
    pub(in crate::run::plan) measured: Measured,
    /// The partition of the hash tree.
    hashes: Bytes,
}

/// The outputs of a disk.
pub(in crate::run::plan) struct Outputs<'d> {
    pub(in crate::run::plan) sink: Sink<'d>,
    /// The blocks of the output that were allocated while the tree was read.
    pub(in crate::run::plan) preallocation: Option<Preallocation>,
    /// The file for the root hash of a measured disk.
    pub(in crate::run::plan) root_hash: Option<RootHashFile<'d>>,
}

impl<'p> Disk<'p> {
    /// Writes the disk, or digests it.
    pub(in crate::run::plan) fn write(
        self,
        outputs: Outputs<'_>,
        options: &WriteOptions<'_>,
    ) -> Result<(Outcome, Option<Measured>)> {
        let Outputs { sink, preallocation, root_hash } = outputs;
        let Some(hash_tree) = &self.frame.hash_tree else {
            let disk = self.plan.whole(&[Some(self.filesystem)])?;
            return Ok((sink::write(&disk, sink, preallocation, options)?, None));
        };
        let destination = match sink {
            Sink::Destination(destination) => Some(destination),
            Sink::Digest => None,
            // Bytes in front of others may depend on them, so the disk is measured first.
            sink @ Sink::Writer(_) => {
                let whole = self.measure(options)?;
                let outcome = self.write_whole(&whole, sink, options)?;
                return Ok((outcome, Some(whole.measured)));
            }
        };
        let to = (destination, preallocation, root_hash);
        let (outcome, measured) = self.write_measured(hash_tree, to, options)?;
        Ok((outcome, Some(measured)))
    }

    /// Reads the data of a measured disk, and computes the hash tree.
    pub(in crate::run::plan) fn measure(self, options: &WriteOptions<'_>) -> Result<WholeMeasured> {
        let failed = |error| Error::new(ErrorKind::Verification, error);
        let Some(hash_tree) = &self.frame.hash_tree else { return Err(failed("the disk is not measured")) };
        let layout = hash_tree.layout(self.filesystem.len())?;
        let data = self.data(&layout)?;
        let measurement = Measurement::new(&layout, 0)?;
        observe(&data, &measurement, &WriteOptions { progress: &Silent, ..*options })?;
        let tree = measurement.finish()?;
        let (area, parity) = (tree.hash_area(), tree.fec_area());
        let hashes = read_all(&hashes(&area, &layout, parity.as_ref())?);
        let hashes = Bytes(hashes.map_err(|error| Error::new(ErrorKind::Io, error))?);
        let measured = Measured { plan: self.plan_of(&tree)?, parameters: tree.parameters() };
        Ok(WholeMeasured { measured, hashes })
    }

    /// Writes a disk that is measured already.
    fn write_whole(
        self,
        whole: &WholeMeasured,
        sink: Sink<'_>,
        options: &WriteOptions<'_>,
    ) -> Result<Outcome> {
        let mut disk = Placed::new(self.plan.len());
        let failed = |error: image_runs::PlaceError| Error::new(ErrorKind::Verification, error);
        for (offset, image) in self.parts(Some(whole)) {
            disk.place(offset, image).map_err(failed)?;
        }
        sink::write(&disk, sink, None, options)
    }

    /// Returns the parts of the disk with their offsets, in order; zeros are between them.
    pub(in crate::run::plan) fn parts<'a>(
        self,
        measured: Option<&'a WholeMeasured>,
    ) -> Vec<(u64, &'a (dyn Image<Blob> + 'a))>
    where
        'p: 'a,
    {
        let plan = measured.map_or(self.plan, |whole| &whole.measured.plan);
        let mut parts = plan.tables();
        parts.push((plan.offset(0).unwrap_or(0), self.filesystem));
        let hashes = |whole: &'a WholeMeasured| &whole.hashes as &dyn Image<Blob>;
        parts.extend(measured.map(|whole| (plan.offset(1).unwrap_or(0), hashes(whole))));
        parts.sort_by_key(|(offset, _)| *offset);
        parts
    }

    /// Returns the data of a measured disk: zeros fill up the last block of the filesystem.
    fn data(self, layout: &Layout) -> Result<Placed<'p, Blob>> {
        let mut data = Placed::new(layout.data_len());
        data.place(0, self.filesystem).map_err(|error| Error::new(ErrorKind::Verification, error))?;
        Ok(data)
    }

    /// Returns the final plan of a measured disk: the partition UUIDs of a GPT are the root hash.
    fn plan_of(self, tree: &HashTree) -> Result<DiskPlan> {
        let mut frame = self.frame.clone();
        if let Some(hash_tree) = &mut frame.hash_tree {
            (frame.filesystem.guid, hash_tree.partition.guid) = tree.root_hash().partition_uuids();
        }
        frame.plan(self.filesystem.len())
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
        let data = self.data(&layout)?;
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
        let plan = self.plan_of(&tree)?;
        let (area, parity) = (tree.hash_area(), tree.fec_area());
        let hashes = hashes(&area, &layout, parity.as_ref())?;
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

/// Returns the partition of a hash tree, with the parity behind it.
fn hashes<'a>(
    area: &'a HashArea<'a>,
    layout: &Layout,
    parity: Option<&'a FecArea<'a>>,
) -> Result<Placed<'a, Blob>> {
    let mut hashes = Placed::new(hash_partition_len(layout));
    let placed = hashes.place(0, area).and_then(|()| match parity {
        Some(parity) => hashes.place(layout.hash_area_len(), parity),
        None => Ok(()),
    });
    placed.map_err(|error| Error::new(ErrorKind::Verification, error))?;
    Ok(hashes)
}

/// Bytes in memory as an image.
struct Bytes(Vec<u8>);

impl Image<Blob> for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Blob>> + Send + '_> {
        let run = Run { len: self.0.len() as u64, source: Source::Bytes(&self.0) };
        Box::new((!self.0.is_empty()).then_some(run).into_iter())
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
