//! Plans: products of which every byte has its place, before any of them is written.
//!
//! ```text
//! Build ──plan──▶ Plan ─┬─ write_file, write, digest ──▶ Report
//!                       └─ image ──▶ PlannedImage::read_at
//! ```
//!
//! The verbs of the command line and the users of the library get a [`Plan`] by the same function,
//! [`Plan::make`]. Each product is a module here: it reads its tree by the steps of the pipeline,
//! and plans its bytes.

mod artifact;
mod image;
pub(super) mod initrd;
mod owned;
mod parts;
mod preallocate;
mod served;
mod setting;
mod sink;
mod tar;
mod warnings;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use self::image::{Outputs, WholeMeasured};
use self::parts::{Ingredients, Parts};
use self::sink::Sink;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::output::blocks::Blocks;
use crate::output::{Destination, DestinationOptions, Preallocation, WriteOptions};
use crate::progress::Phase;
use crate::recipe::Build;
use crate::report::{Report, Timings};
use crate::run::stopwatch::Stopwatch;
use crate::transform::own_files::{self, OwnFiles};
use crate::watch::Watch;

#[cfg(feature = "cli")]
pub(super) use image::RootHashFile;
pub use owned::OwnedImage;
pub use served::PlannedImage;
pub(super) use setting::Setting;
#[cfg(feature = "cli")]
pub(super) use sink::hex;

/// The directory of unnamed files for builds that name none.
const TEMPORARY: &str = "/tmp";

impl Build {
    /// Reads the sources, and plans the product. Nothing is written, except the unpacked layers and
    /// archives into unnamed files.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if options conflict, [`ErrorKind::BadInput`] if a source is malformed or
    /// the product cannot represent it, [`ErrorKind::DoesNotFit`] if the size is too small,
    /// [`ErrorKind::Io`] if a file cannot be read, [`ErrorKind::Interrupted`] once it was cancelled.
    pub fn plan(&self, watch: &Watch) -> Result<Plan> {
        // The environment of the process is not looked at.
        let spool = Some(self.tree.spool.as_deref().unwrap_or(Path::new(TEMPORARY)));
        let setting = Setting { spool, temporary: spool, ..Setting::default() };
        Plan::make(self, watch, Log::silent(), &setting)
    }
}

/// A product of which every byte has its place.
///
/// It owns the tree, and the unnamed files with unpacked layers and archives, and frees them when it
/// is dropped. The files of source directories must not change meanwhile: a change is an error that
/// names the file.
pub struct Plan {
    parts: Parts,
    /// The hash tree of a measured disk, once it was requested.
    measured: OnceLock<WholeMeasured>,
    report: Report,
    log: Log,
    watch: Watch,
    /// The blocks of the output that were allocated while the tree was read.
    preallocation: Mutex<Option<Preallocation>>,
}

impl Plan {
    /// Reads the sources of a build, and plans its product.
    ///
    /// # Errors
    /// As [`Build::plan`].
    pub(super) fn make(build: &Build, watch: &Watch, log: Log, setting: &Setting<'_>) -> Result<Self> {
        build.check()?;
        watch.cancel.check()?;
        watch.progress.begin(Phase::Read);
        let mut stopwatch = Stopwatch::start();
        let (ingredients, preallocation) = Ingredients::read(build, watch, &log, setting)?;
        let read = stopwatch.lap();
        watch.progress.begin(Phase::Plan);
        let parts = Parts::plan(ingredients, &watch.cancel, &log)?;
        let mut report = parts.report(&log)?;
        report.set_output(setting.path);
        let build = report.build_mut();
        build.timings = Timings { read, plan: stopwatch.lap(), ..Timings::default() };
        build.add_messages(&log);
        let (measured, preallocation) = (OnceLock::new(), Mutex::new(preallocation));
        Ok(Self { parts, measured, report, log, watch: watch.clone(), preallocation })
    }

    /// The report on the plan.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Writes the product to a file, which appears once it is complete. An error leaves nothing, and
    /// an existing file as it was.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the file is an input, or the product cannot be written to the path,
    /// [`ErrorKind::BadInput`] if a file changed since the tree was read, [`ErrorKind::Io`],
    /// [`ErrorKind::Interrupted`].
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<Report> {
        self.write_file_with(path, DestinationOptions::default())
    }

    /// Same as [`write_file`](Self::write_file), with permissions of the file, or to a block device.
    ///
    /// # Errors
    /// As [`write_file`](Self::write_file).
    pub fn write_file_with(&self, path: impl AsRef<Path>, options: DestinationOptions) -> Result<Report> {
        let destination = self.open(path.as_ref(), options)?;
        self.write_to(Some(&destination), None)
    }

    /// Writes a measured disk to a file, and the line with its root hash and parameters to another
    /// one, as the command line does with `root_hash.txt` beside the disk. Both files appear once
    /// they are complete, or neither does. The [report](Report::verity) has the root hash as well.
    ///
    /// # Errors
    /// As [`write_file`](Self::write_file), and [`ErrorKind::Usage`] for a product that is not
    /// measured, and if both are one file.
    pub fn write_measured(
        &self,
        path: impl AsRef<Path>,
        root_hash: impl AsRef<Path>,
        options: DestinationOptions,
    ) -> Result<Report> {
        let root_hash = root_hash.as_ref();
        if self.report.verity().is_none() {
            let message = "only a measured disk has a root hash";
            return Err(Error::at(ErrorKind::Usage, root_hash, message));
        }
        let destination = self.open(path.as_ref(), options)?;
        let file = self.open(root_hash, DestinationOptions::default())?;
        let cleanups = self.watch.cancel.cleanups();
        let file = image::RootHashFile::create(&file, Some(&destination), cleanups)?;
        self.write_to(Some(&destination), Some(file))
    }

    /// Opens an output, unless it is an input.
    fn open(&self, path: &Path, options: DestinationOptions) -> Result<Destination> {
        let replaced = fs::metadata(path).is_ok_and(|found| found.is_file());
        let output = if replaced { own_files::host_inode(path) } else { None };
        let own = OwnFiles { output, ..OwnFiles::default() };
        let destination = Destination::open(path, options)?;
        let Ingredients { build, prepared, .. } = self.parts.ingredients();
        build.inputs().iter().try_for_each(|input| own.check_input(input, path))?;
        own_files::check(&prepared.tree, &own_files::CheckOptions { own, output: path })?;
        Ok(destination)
    }

    /// Writes the product front to back to a writer.
    ///
    /// # Errors
    /// As [`write_file`](Self::write_file), and those of the writer as [`ErrorKind::Io`]. Bytes
    /// that were written before stay written.
    pub fn write(&self, mut writer: impl Write) -> Result<Report> {
        let outputs = Outputs { sink: Sink::Writer(&mut writer), preallocation: None, root_hash: None };
        self.emit(outputs)
    }

    /// Returns the SHA-256 of the product in hexadecimal. Nothing is written.
    ///
    /// # Errors
    /// As [`write_file`](Self::write_file), as far as they are about reading.
    pub fn digest(&self) -> Result<String> {
        let report = self.write_to(None, None)?;
        let digest = report.sha256().map(str::to_owned);
        digest.ok_or_else(|| Error::new(ErrorKind::Verification, "the product was not digested"))
    }

    /// Writes the product to an opened output, or digests it if there is none.
    pub(super) fn write_to<'d>(
        &self,
        destination: Option<&'d Destination>,
        root_hash: Option<image::RootHashFile<'d>>,
    ) -> Result<Report> {
        let preallocation = self.preallocation.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sink = destination.map_or(Sink::Digest, Sink::Destination);
        let preallocation = preallocation.filter(|_| destination.is_some());
        self.emit(Outputs { sink, preallocation, root_hash })
    }

    fn emit(&self, outputs: Outputs<'_>) -> Result<Report> {
        let Self { log, watch, parts, .. } = self;
        let mut stopwatch = Stopwatch::start();
        let mut report = self.report.clone();
        log.detail(report.to_string().trim_end().replace('\n', "\nrootcast: "));
        let destination = outputs.sink.destination();
        if let Some(sector_size) = destination.and_then(Destination::sector_size) {
            parts.check_sectors(sector_size, destination.map_or(Path::new(""), Destination::path))?;
        }
        if let Some(destination) = destination.filter(|destination| destination.has_path()) {
            report.set_output(Some(destination.path()));
        }
        watch.progress.begin(Phase::Write { bytes: parts.len() });
        let write = || parts.write(outputs, &self.write_options(), &mut report);
        let written = warnings::warn_if_partial(destination, &watch.cancel, log, write);
        watch.progress.begin(Phase::End);
        written?;
        warnings::warn_if_exposed(destination, &parts.ingredients().prepared.tree, log);
        let build = report.build_mut();
        build.timings.write = stopwatch.lap();
        build.add_messages(log);
        Ok(report)
    }

    fn write_options(&self) -> WriteOptions<'_> {
        WriteOptions {
            threads: &self.parts.ingredients().build.tree.threads,
            reflink: self.parts.reflink(),
            interrupt: &self.watch.cancel,
            progress: &*self.watch.progress,
        }
    }

    /// Returns the image, whose bytes are read where they are needed: nothing is written. To serve a
    /// measured disk, its data is read once, and its hash tree kept in memory.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a compressed product, which has no place for each byte, and the
    /// errors of reading the data of a measured disk.
    pub fn image(&self) -> Result<PlannedImage<'_>> {
        let measured = match (self.measured.get(), self.parts.disk()) {
            (Some(measured), _) => Some(measured),
            (None, Some(disk)) if disk.frame.hash_tree.is_some() => {
                let measured = disk.measure(&self.write_options())?;
                Some(self.measured.get_or_init(|| measured))
            }
            (None, _) => None,
        };
        let Some((len, parts)) = self.parts.images(measured) else {
            let message = "what is compressed has no place for each byte: choose no compression";
            return Err(Error::new(ErrorKind::Usage, message));
        };
        let mut blocks = Blocks::new(len);
        for (offset, part) in parts {
            blocks.place(offset, part)?;
        }
        Ok(PlannedImage::new(blocks, &self.watch.cancel))
    }

    /// Returns sentences for a person about a written product, that begin with the name of the
    /// output.
    #[must_use]
    pub fn summary(&self, name: &str, report: &Report) -> String {
        self.parts.summary(name, report)
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("report", &self.report).finish_non_exhaustive()
    }
}
