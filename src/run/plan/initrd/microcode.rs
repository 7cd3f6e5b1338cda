//! The microcode before the tree's archive, from files of the host or from the tree.

use std::ffi::OsStr;
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use image_tree::{Content as _, Kind};
use initramfs::microcode::{MicrocodeName, Vendor, decompress};
use initramfs::{Compression, EarlyCpio};

use crate::blob::{Blob, classify_read_error};
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::initrd::Microcode;
use crate::run::firmware::Firmware;
use crate::source::directory;

/// Microcode by vendor, not compressed.
#[derive(Debug, Default)]
pub(super) struct ByVendor {
    intel: Vec<Blob>,
    amd: Vec<Blob>,
}

impl ByVendor {
    /// Reads the files of the host that the recipe names.
    ///
    /// # Errors
    /// If there are none, or a file is not microcode.
    pub(super) fn of_host(microcode: &Microcode) -> Result<Self> {
        let mut found = Self::default();
        if let Microcode::From(paths) = microcode {
            for path in paths {
                found.add_path(path)?;
            }
        }
        Ok(found)
    }

    /// Adds the microcode of the tree, if the recipe requests that.
    ///
    /// # Errors
    /// If it has none, or a file is not microcode.
    pub(super) fn add_tree(&mut self, microcode: &Microcode, firmware: &[Firmware]) -> Result<()> {
        if *microcode != Microcode::OfTree {
            return Ok(());
        }
        if firmware.is_empty() {
            let message = "the tree has no microcode: neither intel-ucode/FF-MM-SS nor \
                           amd-ucode/microcode_amd*.bin in /lib/firmware, nor these with .xz or .zst; name files \
                           or a directory with --microcode=";
            return Err(Error::new(ErrorKind::BadInput, message));
        }
        for Firmware { path, compression, blob } in firmware {
            let error = |why: String| Error::new(ErrorKind::BadInput, format!("{path} of the tree {why}"));
            self.add(blob.clone(), *compression, error)?;
        }
        Ok(())
    }

    /// Adds a file, or the microcode of a firmware directory.
    fn add_path(&mut self, path: &Path) -> Result<()> {
        if !path.is_dir() {
            return self.add_file(path);
        }
        let mut files = Vec::new();
        for vendor in Vendor::ALL {
            files.append(&mut files_of(&path.join(vendor.directory()), vendor)?);
        }
        if files.is_empty() {
            let message = "holds no microcode: neither intel-ucode/FF-MM-SS nor amd-ucode/microcode_amd*.bin, nor these \
                           with .xz or .zst";
            return Err(Error::at(ErrorKind::BadInput, path, message));
        }
        files.iter().try_for_each(|file| self.add_file(file))
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        let Kind::Regular(blob) = directory::read_file(path)?.kind else {
            return Err(Error::at(ErrorKind::BadInput, path, "is not a regular file"));
        };
        let compression = match start(&blob)? {
            [0xfd, b'7', b'z', b'X'] => Some(Compression::Xz),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Compression::Zstd),
            _ => None,
        };
        self.add(blob, compression, |why| Error::at(ErrorKind::BadInput, path, why))
    }

    /// Adds a file, without its compression.
    fn add(
        &mut self,
        blob: Blob,
        compression: Option<Compression>,
        error: impl Fn(String) -> Error,
    ) -> Result<()> {
        /// The version of the header, little-endian.
        const INTEL: [u8; 4] = [1, 0, 0, 0];
        /// `UCODE_MAGIC`, little-endian.
        const AMD: [u8; 4] = *b"DMA\0";
        let blob = match compression {
            None => blob,
            Some(compression) => {
                let failed =
                    |why: &dyn Display| error(format!("cannot be decompressed as {compression}: {why}"));
                Blob::from(decompress(&blob, compression).map_err(|why| failed(&why))?)
            }
        };
        match start(&blob)? {
            INTEL => self.intel.push(blob),
            AMD => self.amd.push(blob),
            _ => return Err(error("is not microcode: it begins neither as Intel's nor as AMD's".to_owned())),
        }
        Ok(())
    }

    /// Returns the archive that comes first.
    pub(super) fn early(&self) -> EarlyCpio<'_, Blob> {
        EarlyCpio::microcode(self.intel.iter().collect(), self.amd.iter().collect())
    }
}

/// Returns the first bytes of a file; zeros if it is shorter.
fn start(blob: &Blob) -> Result<[u8; 4]> {
    let mut start = [0; 4];
    if blob.len() >= 4 {
        blob.read_at(&mut start, 0).map_err(classify_read_error)?;
    }
    Ok(start)
}

/// Returns the files of a directory that are microcode, in the order of their names; none without
/// the directory. Of a file that is there compressed too, only the uncompressed one is returned.
fn files_of(directory: &Path, vendor: Vendor) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io(directory, error);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files: Vec<(Vec<u8>, bool, PathBuf)> = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
        if let Some(MicrocodeName { base, compression }) = vendor.parse(name)
            && path.is_file()
        {
            files.push((base.to_vec(), compression.is_some(), path));
        }
    }
    files.sort();
    files.dedup_by(|next, previous| next.0 == previous.0);
    Ok(files.into_iter().map(|(.., path)| path).collect())
}
