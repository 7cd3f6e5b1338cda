//! The file for the root hash of a measured disk.

use dm_verity::Parameters;

use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Cleanups;
use crate::output::Destination;
use crate::output::text::{TextFile, WrittenText};

/// The file for the root hash, which appears together with the disk.
pub(in crate::run) struct RootHashFile<'d>(TextFile<'d>);

impl<'d> RootHashFile<'d> {
    /// Creates the file without its name, so that a directory that cannot be written to is reported
    /// early.
    pub(in crate::run) fn create(
        destination: &'d Destination,
        output: Option<&Destination>,
        cleanups: &Cleanups,
    ) -> Result<Self> {
        if output.is_some_and(|output| output.is_same_file(destination)) {
            let message = "is the output: name another file for the root hash with --root-hash-file";
            return Err(Error::at(ErrorKind::Usage, destination.path(), message));
        }
        TextFile::create(destination, cleanups).map(Self)
    }

    /// Writes the line of parameters.
    pub(super) fn write(self, parameters: &Parameters) -> Result<WrittenText<'d>> {
        self.0.write(&format!("{parameters}\n"))
    }
}
