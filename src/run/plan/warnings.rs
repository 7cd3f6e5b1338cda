//! Warnings about the output of a product.

use image_tree::{Content as _, Kind, Shown, Tree};

use crate::blob::Blob;
use crate::error::{ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::Destination;
use crate::shown;

/// Runs `write`, and warns of a partly written device if a signal ends the run.
pub(super) fn warn_if_partial<T>(
    destination: Option<&Destination>,
    interrupt: &Interrupt,
    log: &Log,
    write: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(left) = destination.and_then(Destination::incomplete_message) else { return write() };
    // Flushing a device may take longer than the time that a signal leaves.
    let (printer, text) = (log.printer(), format!("warning: {left}"));
    let due = interrupt.cleanups().add(move || {
        if let Some(print) = printer {
            print(&text);
        }
    });
    let result = write();
    drop(due);
    if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
        log.warn(left);
    }
    result
}

/// Warns if the new file is world-readable, and so exposes files that are not world-readable in the
/// tree.
pub(super) fn warn_if_exposed(destination: Option<&Destination>, tree: &Tree<Blob>, log: &Log) {
    let Some(destination) = destination else { return };
    let Some(mode) = destination.mode_by_umask().filter(|mode| mode & 0o004 != 0) else { return };
    let mut walk = tree.walk();
    let (mut count, mut first) = (0_u64, Vec::new());
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        if matches!(&inode.kind, Kind::Regular(blob) if !blob.is_empty()) && inode.metadata.mode & 0o004 == 0
        {
            if count == 0 {
                walk.write_path(&mut first);
            }
            count += 1;
        }
    }
    if count > 0 {
        let files = if count == 1 { "a file" } else { "files" };
        log.warn(format_args!(
            "{}: everybody may read it (mode {mode:o}), and it holds {files} that not everybody may read in the tree: {}{}; \
             --mode 600 leaves it to you alone",
            shown::path(destination.path()),
            Shown(&first),
            if count > 1 { format!(" and {} more", count - 1) } else { String::new() },
        ));
    }
}
