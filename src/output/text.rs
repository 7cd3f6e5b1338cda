//! Small files of text that appear together with an output.

use std::io::Write as _;

use super::destination::{Destination, Place};
use super::file::{AtomicFile, Replaced, Unpublished, Written};
use super::stream::refused;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Cleanups;

/// A file that does not have its text and its name yet. It leaves nothing if it is dropped.
pub struct TextFile<'d> {
    destination: &'d Destination,
    /// `None` for a destination that is not a regular file.
    file: Option<AtomicFile>,
}

/// A file that has its text. If it is regular, it does not have its name yet, and leaves nothing if
/// it is dropped.
pub struct WrittenText<'d> {
    destination: &'d Destination,
    file: Option<AtomicFile>,
}

impl<'d> TextFile<'d> {
    /// Creates a file for a destination: a regular file, a named pipe or a character device.
    ///
    /// # Errors
    /// [`Usage`](ErrorKind::Usage) if the destination is a block device, [`Io`](ErrorKind::Io) if
    /// no file can be created.
    pub fn create(destination: &'d Destination, cleanups: &Cleanups) -> Result<Self> {
        let file = match &destination.place {
            Place::File(place) => Some(AtomicFile::create(place, cleanups)?),
            Place::Stream(_) | Place::Open(_) => None,
            Place::Device(_) => {
                let message = "is a block device, and a text is to be written: name a file";
                return Err(Error::at(ErrorKind::Usage, destination.path(), message));
            }
        };
        Ok(Self { destination, file })
    }

    /// Writes the text.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io).
    pub fn write(self, text: &str) -> Result<WrittenText<'d>> {
        let Self { destination, file } = self;
        let path = destination.path();
        match (&destination.place, &file) {
            (_, Some(file)) => {
                file.file().write_all(text.as_bytes()).map_err(|error| Error::io(path, error))?;
            }
            (Place::Stream(found), None) => {
                let mut stream = destination.open_stream(found)?;
                stream.write_all(text.as_bytes()).map_err(|error| refused(path, error))?;
            }
            _ => {
                return Err(Error::at(ErrorKind::Usage, path, "is not a file that a text can be written to"));
            }
        }
        Ok(WrittenText { destination, file })
    }
}

impl WrittenText<'_> {
    /// Gives a regular file its name.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io); there is no new file then, and an existing one is unchanged.
    pub fn publish(self) -> Result<()> {
        let Self { destination, file } = self;
        file.map_or(Ok(()), AtomicFile::publish).map_err(|error| Error::io(destination.path(), error))
    }

    /// Gives an output its name, and then the text its own: an error leaves both names with the
    /// files that had them before.
    ///
    /// The text that has the name before loses it first. So even if the process is killed in
    /// between, no text is beside an output that it does not belong to.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io).
    pub fn publish_with(self, output: Unpublished<'_>) -> Result<Written> {
        let vacated = self.file.as_ref().map(AtomicFile::vacate).transpose();
        let vacated = vacated.map_err(|error| Error::io(self.destination.path(), error))?;
        // Dropped before the previous text gets its name back.
        let (written, replaced) = output.replace()?;
        self.publish()?;
        Replaced::keep([vacated, replaced].into_iter().flatten());
        Ok(written)
    }
}
