//! A generator of numbers with a fixed seed.

/// `SplitMix64`.
pub struct Random(u64);

impl Random {
    /// Returns a generator whose numbers depend on the seed alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Returns the next number as one byte.
    pub fn byte(&mut self) -> u8 {
        self.number().to_be_bytes()[0]
    }

    /// Returns a number below the limit, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        let below = self.number() % u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from(below).unwrap_or(0)
    }
}
