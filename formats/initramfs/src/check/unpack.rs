//! The files that the kernel would create, as they are read.

/// Receives the files of an initramfs in the order of its entries.
pub trait Unpack {
    /// Begins a file, which replaces an earlier one of the same path that is not a directory.
    fn file(&mut self, file: &UnpackedFile<'_>);

    /// Adds bytes to the last regular file.
    fn data(&mut self, bytes: &[u8]);

    /// Ends a regular file, after all of its bytes.
    fn end(&mut self);
}

/// One file, by its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnpackedFile<'e> {
    /// The path as in the archive.
    pub path: &'e [u8],
    /// The file type and the mode bits (`c_mode`).
    pub mode: u32,
    /// The target of a symbolic link.
    pub target: Option<&'e [u8]>,
    /// The number of bytes of a regular file in this entry.
    pub len: u64,
    /// The identity of a file with several names: `c_devmajor`, `c_devminor` and `c_ino`. Entries with
    /// the same identity are names of one file, whose bytes are those of the last entry that has any.
    pub link: Option<(u32, u32, u32)>,
}

impl<'e> UnpackedFile<'e> {
    /// Returns a file with a single name.
    #[must_use]
    pub fn new(path: &'e [u8], mode: u32, target: Option<&'e [u8]>, len: u64) -> Self {
        Self { path, mode, target, len, link: None }
    }
}

/// Receives files and ignores them.
pub(super) struct Nowhere;

impl Unpack for Nowhere {
    fn file(&mut self, _file: &UnpackedFile<'_>) {}

    fn data(&mut self, _bytes: &[u8]) {}

    fn end(&mut self) {}
}
