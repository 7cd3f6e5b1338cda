//! The hasher of messages of one length.

use crate::engine::{Engine, portable};
use crate::fips::{Digest, Parts};
use crate::message::{Frame, Lengths};

/// Hashes messages with a common prefix and suffix.
#[derive(Clone, Debug)]
pub struct BlockHasher {
    frame: Frame,
    engines: Vec<Step>,
}

/// An engine, and the number of messages from which on it is the fastest.
#[derive(Clone, Copy, Debug)]
struct Step {
    engine: Engine,
    min: usize,
}

impl BlockHasher {
    /// Creates a hasher with the engines of this processor.
    #[must_use]
    pub fn new(prefix: &[u8], suffix: &[u8]) -> Self {
        let has = Engine::is_available;
        let mut engines = Vec::new();
        let mut add = |engine, min| engines.push(Step { engine, min });
        // The lanes of vectors take the same time whether messages are in all of them or not.
        match (has(Engine::Avx512), has(Engine::Sha)) {
            (true, true) => add(Engine::Avx512, 9),
            (true, false) => add(Engine::Avx512, 5),
            (false, _) => {}
        }
        if has(Engine::Sha) {
            add(Engine::Sha, 2);
        } else if has(Engine::Avx2) {
            add(Engine::Avx2, 3);
        }
        add(Engine::Portable, 1);
        Self { frame: Frame::new(prefix, suffix), engines }
    }

    /// Creates a hasher that uses only one engine, to compare engines. Returns `None` if this
    /// processor does not have its instructions.
    #[must_use]
    pub fn with_engine(prefix: &[u8], suffix: &[u8], engine: Engine) -> Option<Self> {
        let engines = vec![Step { engine, min: 1 }];
        engine.is_available().then(|| Self { frame: Frame::new(prefix, suffix), engines })
    }

    /// Calls `each` with the index and the digest of each block, in any order.
    ///
    /// # Panics
    /// If the blocks have different lengths.
    pub fn hash(&self, blocks: &[&[u8]], mut each: impl FnMut(usize, Digest)) {
        let Some(first) = blocks.first() else { return };
        let lengths = self.frame.lengths(first.len());
        let mut ends = Vec::new();
        let mut done = 0;
        while done < blocks.len() {
            let rest = &blocks[done..];
            let step = self.engines.iter().find(|step| step.min <= rest.len());
            // OK to unwrap: the last one has no minimum.
            let engine = step.expect("an engine for one block").engine;
            let group = &rest[..engine.lanes().min(rest.len())];
            ends.clear();
            for block in group {
                assert_eq!(block.len(), first.len(), "blocks have one length");
                self.frame.ends(&lengths, block, &mut ends);
            }
            let hashed = Group { start: self.frame.start(), lengths, blocks: group, ends: &ends };
            hashed.digest(engine, |index, digest| each(done + index, digest));
            done += group.len();
        }
    }

    /// Returns the digest of one block.
    #[must_use]
    pub fn hash_one(&self, block: &[u8]) -> Digest {
        let mut found = [0; 32];
        self.hash(&[block], |_, digest| found = digest);
        found
    }
}

/// Blocks that are hashed at once.
struct Group<'g> {
    start: &'g [u32; 8],
    lengths: Lengths,
    /// 1 or more of them.
    blocks: &'g [&'g [u8]],
    ends: &'g [u8],
}

impl<'g> Group<'g> {
    fn digest(&self, engine: Engine, each: impl FnMut(usize, Digest)) {
        match engine {
            Engine::Portable => self.in_lanes(each, |[parts]: [_; 1]| [portable(self.start, &parts)]),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2 => self.in_lanes(each, |parts| crate::x86::avx2(self.start, &parts)),
            #[cfg(target_arch = "x86_64")]
            Engine::Sha => self.in_lanes(each, |parts| crate::x86::sha(self.start, &parts)),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512 => self.in_lanes(each, |parts| crate::x86::avx512(self.start, &parts)),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("is_available is false"),
        }
    }

    /// Calls `digests` with the parts of a message for each lane, and `each` with the digests.
    fn in_lanes<const N: usize>(
        &self,
        mut each: impl FnMut(usize, Digest),
        digests: impl FnOnce([Parts<'g>; N]) -> [Digest; N],
    ) {
        let len = self.lengths.ends();
        let parts = std::array::from_fn(|lane| {
            // Lanes without a block of their own repeat the first.
            let index = if lane < self.blocks.len() { lane } else { 0 };
            self.lengths.parts(self.blocks[index], &self.ends[index * len..][..len])
        });
        for (index, digest) in digests(parts).into_iter().enumerate().take(self.blocks.len()) {
            each(index, digest);
        }
    }
}
