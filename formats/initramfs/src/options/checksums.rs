//! Checksums in headers with the magic 070702.

use std::collections::BTreeMap;
use std::io;

use image_tree::{Content, InodeId, Kind, Tree};

/// The sum of each regular file's bytes, modulo 2³² (`c_check`).
///
/// It only guards against accidental corruption. Planning reads no file, so the caller computes the
/// sums before, with [`Checksums::read`] or from other sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksums(BTreeMap<InodeId, u32>);

impl Checksums {
    /// Reads every regular file of the tree, one after the other.
    ///
    /// # Errors
    /// The first error returned by a content.
    pub fn read<C: Content>(tree: &Tree<C>) -> io::Result<Self> {
        let mut sums = BTreeMap::new();
        for step in tree.walk().filter(|step| step.first) {
            if let Kind::Regular(content) = &tree.get(step.id).kind {
                sums.insert(step.id, sum(content)?);
            }
        }
        Ok(Self(sums))
    }

    /// Adds bytes to the sum of a file and returns the new sum.
    #[must_use]
    pub fn add(sum: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(sum, |sum, byte| sum.wrapping_add(u32::from(*byte)))
    }

    /// Returns the sum of a file, if it is known.
    #[must_use]
    pub fn get(&self, id: InodeId) -> Option<u32> {
        self.0.get(&id).copied()
    }
}

impl FromIterator<(InodeId, u32)> for Checksums {
    fn from_iter<I: IntoIterator<Item = (InodeId, u32)>>(sums: I) -> Self {
        Self(sums.into_iter().collect())
    }
}

fn sum<C: Content>(content: &C) -> io::Result<u32> {
    const STEP: usize = 1 << 16;
    let mut buffer = vec![0; STEP];
    let (mut sum, mut offset) = (0, 0);
    while offset < content.len() {
        let rest = content.len() - offset;
        let len = usize::try_from(rest).map_or(STEP, |rest| rest.min(STEP));
        content.read_at(&mut buffer[..len], offset)?;
        sum = Checksums::add(sum, &buffer[..len]);
        offset += len as u64;
    }
    Ok(sum)
}
