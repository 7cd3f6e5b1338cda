//! The facts about the file of a package that its selection needs, without its files.

use std::fs::File;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::archive::{Deb, part_name};
use super::control::{Control, MAX_LEN};
use crate::blob::read_chunks;
use crate::bounded::read_content;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;

/// The facts about the file of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The fields of its control file.
    pub control: Vec<u8>,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 digest.
    pub sha256: [u8; 32],
}

/// Reads the facts about the file of a package.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if it is not a package; [`Io`](ErrorKind::Io) if it cannot be
/// read.
pub fn facts(path: &Path, interrupt: &Interrupt) -> Result<Facts> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let deb = Deb::open(file, path)?;
    let name = part_name(path, &deb.control);
    let packed = read_content(&deb.control.bytes, MAX_LEN, &deb.control.name)?;
    let tar = match deb.control.compression {
        None => packed,
        Some(compression) => compression
            .unpack(&packed[..], MAX_LEN, None)
            .map_err(|error| Error::at(ErrorKind::BadInput, &name, error.to_string()))?,
    };
    let control = Control::read(tar, &name, interrupt)?;
    let mut text = Vec::new();
    for (field, value) in control.stanza.fields() {
        text.extend_from_slice(field.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    let size = image_tree::Content::len(&deb.file);
    let (mut digest, mut buffer) = (Sha256::new(), Vec::new());
    read_chunks(&deb.file, 0..size, &mut buffer, interrupt, |_, bytes| digest.update(bytes))?;
    Ok(Facts { control: text, size, sha256: digest.finalize().into() })
}
