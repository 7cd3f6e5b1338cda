//! Further traits of contents that writers use. They are here, below the writers, so that writers
//! depend on blobs and not the reverse.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use image_tree::Content;

/// A content whose bytes may be a file of the host.
pub trait CloneSource: Content {
    /// The file that has the bytes from an offset on up to the end, and the offset of the first of
    /// them in the file; `None` if there is none.
    fn file(&self, offset: u64) -> Option<(&dyn CloneFile, u64)> {
        let _ = offset;
        None
    }
}

/// A content that can be identified without reading it.
pub trait Identified: Content {
    /// Passes bytes to `sink` that differ from those of all contents with other bytes.
    fn identify(&self, sink: &mut dyn FnMut(&[u8])) -> Certainty {
        let _ = sink;
        Certainty::Unknown
    }
}

/// The reliability of the identity of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The identity is not known.
    Unknown,
    /// The content had the identity when it was verified. Others may have changed it since then in a
    /// way that times of files do not show.
    Verified,
    /// Nobody else could change the content since it was verified.
    Certain,
}

/// A file of the host whose blocks can be shared if its filesystem supports that.
pub trait CloneFile {
    /// The number of the device that holds it.
    fn device(&self) -> u64;

    /// The path on the host, for messages.
    fn host_path(&self) -> PathBuf;

    /// Opens the file for `borrower`, and then checks that it has not changed.
    ///
    /// # Errors
    /// Same as [`Content::read_at`].
    fn with_open_file(&self, borrower: &mut dyn FnMut(&File)) -> io::Result<()>;
}

/// A content whose bytes may have to be read from a disk.
pub trait ReadAhead: Content {
    /// Returns true if the byte at `offset` has to be read from a disk, false also if that cannot
    /// be determined without blocking.
    fn is_cold(&self, offset: u64) -> bool {
        let _ = offset;
        false
    }

    /// Starts kernel readahead of a range, in bytes, without waiting for it. Errors are left for
    /// the read to report.
    fn start_readahead(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }
}
