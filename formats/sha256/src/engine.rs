//! Ways to compute several digests at once.

use std::fmt;

use crate::fips::{BLOCK_LEN, Digest, Parts, to_digest};

/// A way to compute several digests at once. All give the same digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// One message after the other, by the crate `sha2`.
    Portable,
    /// Eight messages in the lanes of AVX2.
    Avx2,
    /// Two messages, interleaved in the x86 SHA extensions.
    Sha,
    /// Sixteen messages in the lanes of AVX-512.
    Avx512,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Sha, Self::Avx512];

    /// Returns true if this processor has the instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Engine::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2 => crate::x86::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Engine::Sha => crate::x86::has_sha(),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512 => crate::x86::has_avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The number of messages that it takes at once.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self {
            Engine::Portable => 1,
            Engine::Avx2 => 8,
            Engine::Sha => 2,
            Engine::Avx512 => 16,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Portable => "portable",
            Engine::Avx2 => "avx2",
            Engine::Sha => "sha",
            Engine::Avx512 => "avx512",
        })
    }
}

/// The engine of one message.
pub(crate) fn portable(start: &[u32; 8], parts: &Parts<'_>) -> Digest {
    let mut state = *start;
    for part in parts {
        sha2::block_api::compress256(&mut state, part.as_chunks::<BLOCK_LEN>().0);
    }
    to_digest(state)
}
