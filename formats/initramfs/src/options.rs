//! What the caller chooses.

use std::collections::BTreeSet;
use std::io;

use image_tree::{Content, InodeId, Kind, Tree};

use crate::Checksums;

/// What the caller chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The sums of the files' bytes, for headers of the kind 070702; none for 070701.
    pub checksums: Option<Checksums>,
    /// The usual length of a segment in bytes, at least 4096; none leaves what is to be compressed in one segment.
    ///
    /// Segments end where the paths and lengths of the files say, from a quarter to four times this length, unless one
    /// file alone is longer. So a change of one file moves the ends of its own segment and perhaps the next, and those
    /// of no other.
    pub segment_len: Option<u64>,
    /// Which files are compressed already, so that they are stored as they are, before everything else.
    pub stored: Stored,
    /// The data of files of at least [`Options::ALIGNED_FROM`] bytes begins at multiples of this: a power of two from 4
    /// to 4096. 4 is what the format has anyway; a filesystem's block size lets a writer share blocks instead of copying.
    /// It only means something where nothing is compressed.
    pub align: u32,
}

/// Which files are not worth compressing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// None: everything is compressed.
    Nothing,
    /// Kernel modules, `*.ko.gz`, `*.ko.xz` and `*.ko.zst`, and firmware beneath `lib/firmware` or `usr/lib/firmware` that ends
    /// in `.gz`, `.xz` or `.zst`.
    ByName,
    /// These files, whatever their names.
    These(BTreeSet<InodeId>),
}

impl Options {
    /// Files shorter than this many bytes are not aligned: the padding would outweigh what it gains.
    pub const ALIGNED_FROM: u64 = 16384;

    /// The least of [`Options::segment_len`], in bytes.
    pub const MIN_SEGMENT_LEN: u64 = 4096;

    /// An archive that is not compressed, in one segment, with nothing aligned and without sums.
    #[must_use]
    pub fn plain() -> Self {
        Self { checksums: None, segment_len: None, stored: Stored::Nothing, align: 4 }
    }

    /// An archive to be compressed in segments of about `segment_len` bytes, but for what is compressed already.
    #[must_use]
    pub fn segmented(segment_len: u64) -> Self {
        Self { segment_len: Some(segment_len), stored: Stored::ByName, ..Self::plain() }
    }
}

impl Stored {
    /// The files that begin with the magic of gzip, bzip2, xz or zstd, whatever their names. This reads the beginning of
    /// every file.
    ///
    /// # Errors
    /// The first error of a content.
    pub fn by_magic<C: Content>(tree: &Tree<C>) -> io::Result<Self> {
        const MAGICS: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];
        let mut stored = BTreeSet::new();
        for step in tree.walk().filter(|step| step.first) {
            let Kind::Regular(content) = &tree.get(step.id).kind else { continue };
            let mut start = [0; 6];
            // Whatever is shorter is shorter still than the header that goes with it.
            if content.len() >= start.len() as u64 {
                content.read_at(&mut start, 0)?;
                if MAGICS.iter().any(|magic| start.starts_with(magic)) {
                    stored.insert(step.id);
                }
            }
        }
        Ok(Self::These(stored))
    }
}
