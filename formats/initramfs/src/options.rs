//! The options of an archive.

mod checksums;

use std::collections::BTreeSet;
use std::io;

use image_tree::{Content, InodeId, Kind, Tree};

pub use checksums::Checksums;

/// The options of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The checksums of the files, for headers with the magic 070702; `None` for 070701.
    pub checksums: Option<Checksums>,
    /// The target length of a segment in bytes, at least 4096; `None` puts all entries to be
    /// compressed in one segment.
    ///
    /// The ends of segments depend on the paths and lengths of the files; segments are a quarter to
    /// four times as long as this, unless a single file is longer. So a change of one file affects
    /// its own segment and perhaps the next, and no other.
    pub segment_len: Option<u64>,
    /// The files that are already compressed. They are stored as they are, before all others.
    pub precompressed: Precompressed,
    /// The alignment of the data of files of at least [`Options::ALIGNED_FROM`] bytes: a power of
    /// two from 4 to 4096. 4 is the alignment of the format; with the block size of a filesystem, a
    /// writer can share blocks instead of copying. It is only useful without compression.
    pub align: u32,
}

/// The files that are not worth compressing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precompressed {
    /// No file: everything is compressed.
    None,
    /// Kernel modules, `*.ko.gz`, `*.ko.xz` and `*.ko.zst`, and firmware beneath `lib/firmware` or
    /// `usr/lib/firmware` that ends in `.gz`, `.xz` or `.zst`.
    ByName,
    /// These files, regardless of their names.
    Files(BTreeSet<InodeId>),
}

impl Options {
    /// The minimum length of aligned files, in bytes: for shorter files, the padding would outweigh
    /// the benefit.
    pub const ALIGNED_FROM: u64 = 16384;

    /// The minimum of [`Options::segment_len`], in bytes.
    pub const MIN_SEGMENT_LEN: u64 = 4096;

    /// Options for an uncompressed archive in one segment, without alignment and checksums.
    #[must_use]
    pub fn plain() -> Self {
        Self { checksums: None, segment_len: None, precompressed: Precompressed::None, align: 4 }
    }

    /// Options for an archive to be compressed in segments of about `segment_len` bytes, except
    /// files that are already compressed.
    #[must_use]
    pub fn segmented(segment_len: u64) -> Self {
        Self { segment_len: Some(segment_len), precompressed: Precompressed::ByName, ..Self::plain() }
    }
}

impl Precompressed {
    /// Selects the files that begin with the magic of gzip, bzip2, xz or zstd, regardless of their
    /// names. This reads the beginning of every file.
    ///
    /// # Errors
    /// The first error returned by a content.
    pub fn from_magic<C: Content>(tree: &Tree<C>) -> io::Result<Self> {
        const MAGICS: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
        let mut precompressed = BTreeSet::new();
        for step in tree.walk().filter(|step| step.first) {
            let Kind::Regular(content) = &tree.get(step.id).kind else { continue };
            let mut start = [0; 6];
            // A shorter file is even shorter than the header of its entry.
            if content.len() >= start.len() as u64 {
                content.read_at(&mut start, 0)?;
                if MAGICS.iter().any(|magic| start.starts_with(magic)) {
                    precompressed.insert(step.id);
                }
            }
        }
        Ok(Self::Files(precompressed))
    }
}
