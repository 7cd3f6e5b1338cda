//! The options of compression.

use super::by_content::Lengths;
use super::{ClusterSize, Codec};

/// The options of compression, all of which change the bytes of the filesystem.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PackOptions {
    /// The algorithm and level, of the whole filesystem.
    pub codec: Codec,
    /// The maximum length of physical clusters.
    pub clusters: ClusterSize,
    /// Stores equal pieces of files once. The ends of pieces are chosen by what they contain.
    pub dedupe: bool,
    /// Stores small files and the tails of others one after the other, in the packed inode, and
    /// equal ones once.
    pub fragments: bool,
    /// Stores the last physical cluster of a file behind its inode if it fits there.
    pub inline: bool,
}

/// The rule by which segments are cut into extents.
pub(super) enum Cutting {
    /// Segments are pieces.
    Pieces,
    /// As many bytes as fill a physical cluster.
    Filled,
    /// At places that depend on the bytes.
    ByContent(Lengths),
}

/// The length of segments that are cut further, in bytes.
const SEGMENT: u64 = 1 << 20;

/// The minimum of the maximum length of pieces that are cut by content, in bytes.
const LEAST_BY_CONTENT: u32 = 32 << 10;

impl PackOptions {
    /// Creates options with a codec and the defaults: pieces of [`ClusterSize::DEFAULT`], tails
    /// behind inodes, neither fragments nor a search for equal pieces.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, clusters: ClusterSize::default(), dedupe: false, fragments: false, inline: true }
    }

    /// Returns a text with everything that affects what becomes of a unit, including the
    /// compression libraries.
    #[must_use]
    pub fn identity(&self) -> String {
        let Self { codec, clusters, dedupe, .. } = self;
        format!("erofs-1 clusters {} dedupe {dedupe} codec {}", clusters.bytes(), codec.identity())
    }

    pub(super) fn cutting(&self) -> Cutting {
        if self.dedupe {
            let most = self.clusters.bytes().max(LEAST_BY_CONTENT) as usize;
            Cutting::ByContent(Lengths::up_to(most))
        } else if self.clusters.is_filled() {
            Cutting::Filled
        } else {
            Cutting::Pieces
        }
    }

    /// The length of segments in bytes.
    pub(super) fn segment_len(&self) -> u64 {
        match self.cutting() {
            Cutting::Pieces => u64::from(self.clusters.bytes()),
            Cutting::Filled | Cutting::ByContent(_) => SEGMENT,
        }
    }

    /// The maximum length of segments of fragments in bytes. With [`Cutting::ByContent`] they are
    /// pieces, too: equal fragments are found as a whole, before.
    pub(super) fn fragments_segment_len(&self) -> u64 {
        match self.cutting() {
            Cutting::ByContent(lengths) => lengths.most as u64,
            Cutting::Pieces | Cutting::Filled => self.segment_len(),
        }
    }
}
