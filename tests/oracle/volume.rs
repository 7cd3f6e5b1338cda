//! A filesystem inside a file.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom as Sparse;
use rustix::io::Errno;
use tempfile::TempDir;

use crate::product;

/// The location of a filesystem: a range of an image file.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) image: PathBuf,
    /// First byte.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) len: u64,
}

impl Volume {
    /// Returns the whole image, or the partition at (offset, length).
    pub(crate) fn new(image: &Path, partition: Option<(u64, u64)>) -> Self {
        let size = fs::metadata(image).unwrap_or_else(|error| panic!("{}: {error}", image.display())).len();
        let (offset, len) = partition.unwrap_or((0, size));
        assert!(
            offset + len <= size,
            "the partition at {offset}, {len} bytes long, ends after the image's {size}"
        );
        Self { image: image.to_owned(), offset, len }
    }

    /// Returns the name by which libext2fs opens it.
    pub(crate) fn e2fs_name(&self) -> String {
        let image = self.image.to_str().expect("images have names in UTF-8");
        if self.offset == 0 { image.to_owned() } else { format!("{image}?offset={}", self.offset) }
    }

    /// Makes a sparse copy of the filesystem alone, to be changed.
    pub(crate) fn copy(&self) -> Copy {
        let directory = tempfile::tempdir_in(product::memory()).expect("a temporary directory");
        let path = directory.path().join("copy.img");
        self.copy_to(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Copy { volume: Self { image: path, offset: 0, len: self.len }, _directory: directory }
    }

    /// Copies the data ranges of the image; holes are kept.
    fn copy_to(&self, path: &Path) -> io::Result<()> {
        let mut from = File::open(&self.image)?;
        let mut to = File::create_new(path)?;
        to.set_len(self.len)?;
        let end = self.offset + self.len;
        let mut position = self.offset;
        while position < end {
            let start = match rustix::fs::seek(&from, Sparse::Data(position)) {
                Ok(start) if start < end => start,
                Ok(_) | Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            let stop = rustix::fs::seek(&from, Sparse::Hole(start))?.min(end);
            from.seek(SeekFrom::Start(start))?;
            to.seek(SeekFrom::Start(start - self.offset))?;
            io::copy(&mut from.by_ref().take(stop - start), &mut to)?;
            position = stop;
        }
        Ok(())
    }
}

/// A copy of a filesystem, removed at the end.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) volume: Volume,
    _directory: TempDir,
}
