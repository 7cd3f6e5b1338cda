//! The parts after the tree's archive: other initramfs.

use std::path::{Path, PathBuf};

use image_runs::{Image, Run, Source};
use image_tree::{Content as _, Kind};
use initramfs::{Compression, KernelConfig, Layout, archive_padding};

use super::kernel::{lacks_preset_support, require_support};
use crate::blob::Blob;
use crate::blob::classify_read_error;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::recipe::initrd::InitrdRecipe;
use crate::shown;
use crate::source::directory;

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
    let len = usize::try_from(blob.len()).unwrap_or(start.len()).min(start.len());
    let start = &mut start[..len];
    if len > 0 {
        blob.read_at(start, 0).map_err(classify_read_error)?;
    }
    if CPIO.contains(&&*start) {
        return Ok(None);
    }
    if let [first, second, _, _, _, _] = *start
        && let Some(compression) = Compression::from_magic([first, second])
    {
        return Ok(Some(compression));
    }
    let begins = match len {
        0 => "it is empty, and begins".to_owned(),
        6 => format!("it begins with \"{}\",", start.escape_ascii()),
        len => format!("its {len} bytes are \"{}\", and it begins", start.escape_ascii()),
    };
    let message = format!(
        "is not an initramfs: {begins} neither as a cpio archive (070701 or 070702) nor with the magic of a compression \
         that kernels unpack"
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
