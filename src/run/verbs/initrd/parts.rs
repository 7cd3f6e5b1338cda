//! The parts before and after the tree's archive: microcode, and other initramfs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use image_runs::{Image, Run, Source};
use image_tree::{Content as _, Kind, Tree};
use initramfs::{Compression, EarlyCpio, KernelConfig, Layout, archive_padding};

use super::kernel::{lacks_preset_support, require_support};
use crate::blob::Blob;
use crate::blob::classify_read_error;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::recipe::initrd::{InitrdRecipe, Microcode};
use crate::shown;
use crate::source::directory;

/// Microcode in files of the host, by vendor.
#[derive(Debug, Default)]
pub(super) struct HostMicrocode {
    intel: Vec<Blob>,
    amd: Vec<Blob>,
}

impl HostMicrocode {
    /// Reads the start of the files that the recipe names.
    ///
    /// # Errors
    /// If there are none, or a file is not microcode.
    pub(super) fn read(microcode: &Microcode) -> Result<Self> {
        let mut found = Self::default();
        if let Microcode::From(paths) = microcode {
            for path in paths {
                found.add(path)?;
            }
        }
        Ok(found)
    }

    /// Adds a file, or the microcode of a firmware directory.
    fn add(&mut self, path: &Path) -> Result<()> {
        if !path.is_dir() {
            return self.add_file(path);
        }
        let intel = |name: &[u8]| !name.ends_with(b".initramfs") && !is_compressed(name);
        let amd = |name: &[u8]| name.starts_with(b"microcode_amd") && name.ends_with(b".bin");
        let mut files = files_of(&path.join("amd-ucode"), amd)?;
        files.extend(files_of(&path.join("intel-ucode"), intel)?);
        if files.is_empty() {
            let message = "holds no microcode: neither intel-ucode/* nor amd-ucode/microcode_amd*.bin that is not \
                           compressed";
            return Err(Error::at(ErrorKind::BadInput, path, message));
        }
        files.iter().try_for_each(|file| self.add_file(file))
    }

    fn add_file(&mut self, path: &Path) -> Result<()> {
        /// The version of the header, little-endian.
        const INTEL: [u8; 4] = [1, 0, 0, 0];
        /// `UCODE_MAGIC`, little-endian.
        const AMD: [u8; 4] = *b"DMA\0";
        let blob = host_file(path)?;
        let mut start = [0; 4];
        if blob.len() >= 4 {
            blob.read_at(&mut start, 0).map_err(classify_read_error)?;
        }
        match start {
            INTEL => self.intel.push(blob),
            AMD => self.amd.push(blob),
            _ => {
                let message = "is not microcode: it begins neither as Intel's nor as AMD's";
                return Err(Error::at(ErrorKind::BadInput, path, message));
            }
        }
        Ok(())
    }

    /// Returns the archive that comes first.
    ///
    /// # Errors
    /// If the microcode of the tree is requested, and it has none.
    pub(super) fn early<'t>(
        &'t self,
        microcode: &Microcode,
        tree: &'t Tree<Blob>,
    ) -> Result<EarlyCpio<'t, Blob>> {
        match microcode {
            Microcode::None => Ok(EarlyCpio::none()),
            Microcode::From(_) => {
                Ok(EarlyCpio::microcode(self.intel.iter().collect(), self.amd.iter().collect()))
            }
            Microcode::OfTree => {
                let early = EarlyCpio::microcode_from_tree(tree);
                if early.is_empty() {
                    let message = "the tree has no microcode: neither intel-ucode/* nor amd-ucode/microcode_amd*.bin in \
                                   /lib/firmware; name files or a directory with --microcode=";
                    return Err(Error::new(ErrorKind::BadInput, message));
                }
                Ok(early)
            }
        }
    }
}

fn is_compressed(name: &[u8]) -> bool {
    name.ends_with(b".xz") || name.ends_with(b".zst")
}

/// Returns the files of a directory whose names are wanted, in the order of their names; none
/// without the directory.
fn files_of(directory: &Path, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io(directory, error);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if wanted(path.file_name().map(OsStr::as_bytes).unwrap_or_default()) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn host_file(path: &Path) -> Result<Blob> {
    match directory::read_file(path)?.kind {
        Kind::Regular(blob) => Ok(blob),
        _ => Err(Error::at(ErrorKind::BadInput, path, "is not a regular file")),
    }
}

/// An initramfs that is appended unchanged.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) path: PathBuf,
    blob: Blob,
    /// The number of zeros between it and the next one, in bytes.
    zeros: u64,
}

/// Opens the files to be appended. Warns of those that the preset's kernels do not unpack, unless
/// the kernel is known to.
///
/// # Errors
/// If one cannot be read, is not an initramfs, or has a compression that the kernel does not
/// unpack.
pub(super) fn appended(recipe: &InitrdRecipe, kernel: &KernelConfig, log: &Log) -> Result<Vec<Appended>> {
    let mut all = Vec::new();
    for (index, path) in recipe.append.iter().enumerate() {
        let blob = host_file(path)?;
        let compression = detect_compression(path, &blob)?;
        if let Some(compression) = compression {
            let path = shown::path(path);
            require_support(kernel, compression, &path.to_string())?;
            if lacks_preset_support(recipe, kernel, compression) {
                log.warn(format_args!(
                    "{path}: Kata's own kernels do not unpack {compression}: append what is compressed with gzip or not \
                     at all, or name the configuration of another kernel with --kernel-config"
                ));
            }
        }
        let is_last = index + 1 == recipe.append.len();
        // It begins at a multiple of 4 bytes. The compression of its end is not known, and lz4
        // needs the most zeros.
        let zeros = if is_last { 0 } else { archive_padding(blob.len(), Some(Compression::Lz4)) };
        all.push(Appended { path: path.clone(), blob, zeros });
    }
    Ok(all)
}

/// Returns the compression at the start of an initramfs; none for an uncompressed archive.
fn detect_compression(path: &Path, blob: &Blob) -> Result<Option<Compression>> {
    const CPIO: [&[u8]; 2] = [b"070701", b"070702"];
    let mut start = [0; 6];
    if blob.len() >= start.len() as u64 {
        blob.read_at(&mut start, 0).map_err(classify_read_error)?;
        if CPIO.contains(&&start[..]) {
            return Ok(None);
        }
        if let Some(compression) = Compression::from_magic([start[0], start[1]]) {
            return Ok(Some(compression));
        }
    }
    let message = format!(
        "is not an initramfs: it begins with \"{}\", neither as a cpio archive (070701 or 070702) nor with the magic of a \
         compression that kernels unpack",
        start.escape_ascii()
    );
    Err(Error::at(ErrorKind::BadInput, path, message))
}

impl Appended {
    /// Returns the length of the file, in bytes.
    pub(super) fn file_len(&self) -> u64 {
        self.blob.len()
    }
}

impl Image<Blob> for Appended {
    fn len(&self) -> u64 {
        self.blob.len() + self.zeros
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Blob>> + Send + '_> {
        let file = Run { len: self.blob.len(), source: Source::Content { content: &self.blob, offset: 0 } };
        let zeros = (self.zeros > 0).then(|| Run::zeros(self.zeros));
        Box::new(std::iter::once(file).chain(zeros))
    }
}

/// The whole initramfs if nothing is compressed.
pub(super) struct Plain<'l, 't> {
    pub(super) layout: &'l Layout<'t, Blob>,
    pub(super) appended: &'l [Appended],
}

impl Image<Blob> for Plain<'_, '_> {
    fn len(&self) -> u64 {
        self.appended.iter().fold(self.layout.len(), |sum, appended| sum.saturating_add(appended.len()))
    }

    // The archive ends at a multiple of 4 bytes, so the first appended one can follow without
    // padding.
    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Blob>> + Send + '_> {
        Box::new(self.layout.runs().chain(self.appended.iter().flat_map(|appended| appended.runs())))
    }
}
