//! Files of which ranges are read by several threads.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::Path;

use dm_verity::{Superblock, SuperblockError};
use image_tree::Content;

use crate::error::{Error, ErrorKind, Result};

/// A regular file or block device of known length.
#[derive(Debug)]
pub(super) struct Input<'p> {
    path: &'p Path,
    file: File,
    len: u64,
}

impl<'p> Input<'p> {
    pub(super) fn open(path: &'p Path) -> Result<Self> {
        let failed = |error: io::Error| Error::io(path, error);
        // Looked at first, since opening a pipe would wait for its writer.
        let kind = std::fs::metadata(path).map_err(failed)?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            let message = "is not a regular file or block device, of which any range can be read";
            return Err(Error::at(ErrorKind::Usage, path, message));
        }
        let mut file = File::open(path).map_err(failed)?;
        let len = file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path, file, len })
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    /// Returns the length of a range in bytes, to the end of the file if it has none. Fails if the
    /// file ends before it.
    pub(super) fn check_range(&self, offset: u64, len: Option<u64>) -> Result<u64> {
        let file = self.len;
        let rest = file.checked_sub(offset);
        match (rest, len) {
            (Some(rest), None) => Ok(rest),
            (Some(rest), Some(len)) if len <= rest => Ok(len),
            (_, len) => {
                let missing = offset.saturating_add(len.unwrap_or(0)).saturating_sub(file);
                let what = match len {
                    Some(len) => format!("{len} bytes of data at {offset} end"),
                    None => format!("data at {offset} starts"),
                };
                let message =
                    format!("the file has {file} bytes, and the {what} {missing} bytes behind its end");
                Err(Error::at(ErrorKind::BadInput, self.path, message))
            }
        }
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::at(ErrorKind::BadInput, self.path, "became shorter while it was read")
            }
            _ => Error::io(self.path, error),
        })
    }

    /// Reads the superblock at an offset, if there is one.
    pub(super) fn superblock(&self, offset: u64) -> Result<Option<Superblock>> {
        let mut bytes = [0; Superblock::LEN];
        if self.len.checked_sub(offset).is_none_or(|rest| rest < bytes.len() as u64) {
            return Ok(None);
        }
        self.read(&mut bytes, offset)?;
        match Superblock::parse(&bytes) {
            Ok(superblock) => Ok(Some(superblock)),
            Err(SuperblockError::Signature) => Ok(None),
            Err(error) => Err(Error::at(ErrorKind::BadInput, self.path, error)),
        }
    }
}

impl Content for Input<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
