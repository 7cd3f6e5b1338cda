//! The checksums in cpio headers, computed from the files' bytes.

use image_tree::{Content as _, Kind, Tree};
use initramfs::Checksums;

use crate::blob::Blob;
use crate::blob::classify_read_error;
use crate::error::Result;
use crate::interrupt::Interrupt;

/// The size of a read, in bytes.
const STEP: usize = 1 << 20;

/// Computes the checksums of all files of the tree.
///
/// # Errors
/// Those of reading, or [`Interrupted`](crate::error::ErrorKind::Interrupted).
pub(super) fn compute(tree: &Tree<Blob>, interrupt: &Interrupt) -> Result<Checksums> {
    let mut buffer = vec![0; STEP];
    let mut sums = Vec::new();
    for step in tree.walk().filter(|step| step.first) {
        let Kind::Regular(content) = &tree.get(step.id).kind else { continue };
        let (mut sum, mut offset) = (0, 0);
        while offset < content.len() {
            interrupt.check()?;
            let len = usize::try_from(content.len() - offset).map_or(STEP, |rest| rest.min(STEP));
            content.read_at(&mut buffer[..len], offset).map_err(classify_read_error)?;
            sum = Checksums::add(sum, &buffer[..len]);
            offset += len as u64;
        }
        sums.push((step.id, sum));
    }
    Ok(sums.into_iter().collect())
}
