//! Results as bytes, for a cache.
//!
//! ```text
//! count (32 bits) │ for each extent: length, stored length, flags (32 bits each), digest if any │ stored bytes
//! ```

use super::compress::{Compressed, Extent};

const PLAIN: u32 = 1;
const DIGEST: u32 = 2;

impl Compressed {
    /// Returns the result as bytes, to be kept in a cache.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = u32::try_from(self.extents.len()).unwrap_or(u32::MAX);
        let mut bytes = count.to_le_bytes().to_vec();
        for Extent { len, stored, plain, digest } in &self.extents {
            let flags = u32::from(*plain) * PLAIN + u32::from(digest.is_some()) * DIGEST;
            for number in [*len, *stored, flags] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            bytes.extend_from_slice(digest.as_ref().map_or(&[], |digest| &digest[..]));
        }
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// Returns the result of [`to_bytes`](Self::to_bytes); `None` for other bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let count = take_number(&mut rest)?;
        let mut extents = Vec::new();
        let mut stored_len = 0u64;
        for _ in 0..count {
            let [len, stored, flags] =
                [take_number(&mut rest)?, take_number(&mut rest)?, take_number(&mut rest)?];
            let digest = match flags & DIGEST {
                0 => None,
                _ => Some(take(&mut rest)?),
            };
            if len == 0 || flags & !(PLAIN | DIGEST) != 0 {
                return None;
            }
            stored_len += u64::from(stored);
            extents.push(Extent { len, stored, plain: flags & PLAIN != 0, digest });
        }
        (rest.len() as u64 == stored_len).then(|| Self { extents, bytes: rest.to_vec() })
    }

    /// Returns true if these are the extents of a unit of `len` bytes.
    #[must_use]
    pub fn has_len(&self, len: u64) -> bool {
        self.extents.iter().map(|extent| u64::from(extent.len)).sum::<u64>() == len
    }
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(u32::from_le_bytes)
}

fn take<const LEN: usize>(rest: &mut &[u8]) -> Option<[u8; LEN]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}
