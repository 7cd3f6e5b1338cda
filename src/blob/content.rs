//! What writers ask of a content besides its bytes. It is here, below them, so that they know blobs and not the reverse.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use image_tree::Content;

/// A content whose bytes may be a file of the host.
pub trait CloneSource: Content {
    /// The file that has exactly these bytes; none when there is no such file.
    fn file(&self) -> Option<&dyn CloneFile> {
        None
    }
}

/// A file of the host whose blocks can be shared, where its filesystem can do that.
pub trait CloneFile {
    /// The device it is on.
    fn device(&self) -> u64;

    /// The path on the host, for messages.
    fn host_path(&self) -> PathBuf;

    /// Opens the file for `borrower`, and then makes sure that it is still what was planned.
    ///
    /// # Errors
    /// As [`Content::read_at`].
    fn lend(&self, borrower: &mut dyn FnMut(&File)) -> io::Result<()>;
}

/// A content whose bytes may have to come from a disk.
pub trait ReadAhead: Content {
    /// Whether the byte at `offset` has to come from a disk. False when that cannot be told without waiting for it.
    fn is_cold(&self, offset: u64) -> bool {
        let _ = offset;
        false
    }

    /// Has the kernel begin to read a range, in bytes, and does not wait for it. Errors are left for reading to tell.
    fn begin_to_read(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }
}
