//! The checksums in cpio headers, computed from the files' bytes.

use image_tree::{Content as _, Kind, Tree};
use initramfs::Checksums;

use crate::blob::{Blob, read_chunks};
use crate::error::Result;
use crate::interrupt::Interrupt;

/// Computes the checksums of all files of the tree.
///
/// # Errors
/// The errors of reading, or [`Interrupted`](crate::error::ErrorKind::Interrupted).
pub(super) fn compute(tree: &Tree<Blob>, interrupt: &Interrupt) -> Result<Checksums> {
    let mut buffer = Vec::new();
    let mut sums = Vec::new();
    for step in tree.walk().filter(|step| step.first) {
        let Kind::Regular(content) = &tree.get(step.id).kind else { continue };
        let mut sum = 0;
        read_chunks(content, 0..content.len(), &mut buffer, interrupt, |_, bytes| {
            sum = Checksums::add(sum, bytes);
        })?;
        sums.push((step.id, sum));
    }
    Ok(sums.into_iter().collect())
}
