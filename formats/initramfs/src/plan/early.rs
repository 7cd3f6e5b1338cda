//! Emission of the archive that comes first.

use image_tree::Content;

use super::emit::{Body, Emit};
use crate::early_cpio::{EarlyCpio, EarlyFile};
use crate::error::{Error, Unrepresentable};
use crate::newc::{Header, S_IFDIR, S_IFREG};

/// The directory in which the kernel looks for microcode.
const MICROCODE: &str = "kernel/x86/microcode";

/// Adds the files with their directories.
pub(crate) fn emit<'t, C: Content>(
    early: &EarlyCpio<'t, C>,
    emit: &mut Emit<'t, '_, C>,
) -> Result<(), Error> {
    /// Older loaders of the kernel passed the bytes to the processor in place, which requires
    /// this alignment.
    const ALIGN: u64 = 16;
    let mut c_ino = 0;
    for (end, _) in MICROCODE.match_indices('/').chain([(MICROCODE.len(), "")]) {
        c_ino += 1;
        let header = Header { c_ino, c_mode: S_IFDIR | 0o755, c_nlink: 2, ..Header::default() };
        emit.raw_entry(header, &MICROCODE.as_bytes()[..end], &Body::Empty, 1)?;
    }
    for file in &early.files {
        c_ino += 1;
        let header = Header {
            c_ino,
            c_mode: S_IFREG | 0o644,
            c_nlink: 1,
            c_filesize: len(file)?,
            ..Header::default()
        };
        emit.raw_entry(header, file.path.as_bytes(), &Body::Contents(&file.parts), ALIGN)?;
    }
    Ok(())
}

fn len<C: Content>(file: &EarlyFile<'_, C>) -> Result<u32, Error> {
    let sum = file.parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.len()));
    let len = sum.unwrap_or(u64::MAX);
    u32::try_from(len).map_err(|_| Error::Unrepresentable {
        path: file.path.into(),
        reason: Unrepresentable::FileTooLarge { len, limit: u64::from(u32::MAX) },
    })
}
