//! Small files of text that appear together with an output.

use std::io::Write as _;

use rustix::fs::AtFlags;

use super::destination::{Destination, FilePlace, Place};
use super::file::AtomicFile;
use super::stream::refused;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Cleanups;

/// A file that does not have its text and its name yet. It leaves nothing if it is dropped.
pub struct TextFile<'d> {
    destination: &'d Destination,
    /// `None` for a destination that is not a regular file.
    file: Option<AtomicFile>,
}

/// A file that has its name.
pub struct PublishedText<'d> {
    /// The place of a new file.
    place: Option<&'d FilePlace>,
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

    /// Writes the text, and gives the file its name.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io); there is no new file then, and an existing one is unchanged.
    pub fn publish(self, text: &str) -> Result<PublishedText<'d>> {
        let path = self.destination.path();
        let failed = |error: std::io::Error| Error::io(path, error);
        match (&self.destination.place, self.file) {
            (Place::File(place), Some(file)) => {
                file.file().write_all(text.as_bytes()).map_err(failed)?;
                let is_new = !place.exists();
                file.publish().map_err(failed)?;
                Ok(PublishedText { place: is_new.then_some(place) })
            }
            (Place::Stream(found), _) => {
                let mut file = self.destination.open_stream(found)?;
                file.write_all(text.as_bytes()).map_err(|error| refused(path, error))?;
                Ok(PublishedText { place: None })
            }
            _ => Err(Error::at(ErrorKind::Usage, path, "is not a file that a text can be written to")),
        }
    }
}

impl PublishedText<'_> {
    /// Removes a new file again, because the output that it belongs to failed.
    pub fn remove(self) {
        if let Some(place) = self.place {
            // OK to ignore: the failure of the output is reported.
            let _ = rustix::fs::unlinkat(&place.directory, &place.name, AtFlags::empty());
        }
    }
}
