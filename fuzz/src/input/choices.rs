//! Bytes as a sequence of choices.

use arbitrary::Unstructured;

/// Takes choices from the front of the input, each from as few bytes as it needs, so that changing
/// one byte changes one choice. At the end of the input, every choice is the first of its
/// alternatives.
#[derive(Debug)]
pub struct Choices<'a> {
    bytes: Unstructured<'a>,
    may_be_wrong: bool,
}

impl<'a> Choices<'a> {
    /// Creates choices from these bytes, the first of which decides if any may be invalid.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut choices = Self { bytes: Unstructured::new(bytes), may_be_wrong: false };
        choices.may_be_wrong = choices.up_to(3) == 3;
        choices
    }

    /// Chooses to generate something that may have to be rejected. If each place decided that
    /// independently, nearly every large input would be rejected for one of them.
    pub fn wrong(&mut self) -> bool {
        self.may_be_wrong && self.rarely(8)
    }

    /// Returns true at the end of the input.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Chooses a number from 0 to `max`.
    pub fn up_to(&mut self, max: u64) -> u64 {
        // OK to unwrap: a range that is not empty gives its start when there are no bytes.
        self.bytes.int_in_range(0..=max).expect("ranges from 0 are not empty")
    }

    /// Chooses an index below `len`; 0 if `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let last = u64::try_from(len).unwrap_or(u64::MAX).saturating_sub(1);
        usize::try_from(self.up_to(last)).expect("less than the length")
    }

    /// Chooses one of the alternatives.
    ///
    /// # Panics
    /// If there are none.
    pub fn one_of<T: Clone>(&mut self, alternatives: &[T]) -> T {
        alternatives[self.index(alternatives.len())].clone()
    }

    /// Returns true with a probability of 1 in `times`.
    pub fn rarely(&mut self, times: u64) -> bool {
        times > 1 && self.up_to(times - 1) == times - 1
    }

    /// Chooses a 32-bit number, more often than not small or near a power of two.
    pub fn u32(&mut self) -> u32 {
        u32::try_from(self.u64() & u64::from(u32::MAX)).expect("32 bits")
    }

    /// Chooses a 64-bit number, more often than not small or near a power of two.
    pub fn u64(&mut self) -> u64 {
        match self.up_to(3) {
            0 => self.up_to(255),
            1 => self.up_to(0xff_ffff),
            2 => {
                let power = 1_u64 << self.up_to(63);
                let apart = self.up_to(8);
                power.wrapping_add(apart).wrapping_sub(4)
            }
            _ => self.up_to(u64::MAX),
        }
    }

    /// Chooses a 128-bit number.
    pub fn u128(&mut self) -> u128 {
        u128::from(self.up_to(u64::MAX)) << 64 | u128::from(self.u64())
    }

    /// Returns up to `max` of the following bytes unchanged.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let len = self.index(max + 1).min(self.bytes.len());
        self.bytes.bytes(len).expect("no more than there are")
    }
}
