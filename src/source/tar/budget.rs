//! Limits on the resources that one archive can take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Problem;

/// The limits on an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of the unpacked archives, and, separately, of all their files without their holes.
    pub max_size: u64,
    /// The number of headers, and of directories without a header.
    pub max_entries: u64,
    /// The memory that unpacking may take, in bytes: the window of zstd, and all memory of xz and
    /// lzma. None means 128 MiB for zstd and 576 MiB for the others, which is enough for every
    /// level that needs no flag of its own.
    pub decoder_memory: Option<u64>,
}

impl Limits {
    /// 1 TiB, 16,777,216 entries and the default memory.
    pub const DEFAULT: Self = Self { max_size: 1 << 40, max_entries: 1 << 24, decoder_memory: None };

    /// The maximum of [`decoder_memory`](Self::decoder_memory), in bytes: 8 GiB. No format needs
    /// more.
    pub const MAX_DECODER_MEMORY: u64 = 8 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The most memory for names, link targets, xattrs and sparse maps, in bytes: 2 GiB.
const MAX_METADATA: u64 = 2 << 30;

/// The amounts of one archive, or of several with common limits.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    unpacked: AtomicU64,
    size: AtomicU64,
    entries: AtomicU64,
    metadata: AtomicU64,
    /// The amounts that include these.
    all: Option<Arc<Totals>>,
}

impl Totals {
    /// Returns amounts, none yet, that `all` is to include.
    pub(crate) fn within(all: &Arc<Self>) -> Self {
        Self { all: Some(Arc::clone(all)), ..Self::default() }
    }

    /// Takes these amounts away from those that include them, as what they are of is read again.
    pub(crate) fn take_back(&self) {
        let Some(all) = &self.all else { return };
        for amount in [Self::UNPACKED, Self::SIZE, Self::ENTRIES, Self::METADATA] {
            let own = amount(self).swap(0, Ordering::Relaxed);
            let less = |before: u64| Some(before.saturating_sub(own));
            // OK to ignore: there is always a new value.
            let _ = amount(all).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }

    const UNPACKED: Amount = |totals| &totals.unpacked;
    const SIZE: Amount = |totals| &totals.size;
    const ENTRIES: Amount = |totals| &totals.entries;
    const METADATA: Amount = |totals| &totals.metadata;

    /// Charges bytes of an unpacked archive, and returns those of all archives.
    pub(super) fn unpacked(&self, len: u64) -> u64 {
        self.charge(Self::UNPACKED, len)
    }

    /// Adds to an amount, and returns that of all archives.
    fn charge(&self, amount: Amount, more: u64) -> u64 {
        let own = add(amount(self), more);
        self.all.as_ref().map_or(own, |all| all.charge(amount, more))
    }
}

/// The choice of one amount.
type Amount = fn(&Totals) -> &AtomicU64;

/// The limits, and the amounts charged so far.
pub(in crate::source) struct Budget {
    limits: Limits,
    totals: Arc<Totals>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, totals: Arc::default() }
    }

    /// Charges from now on what others charge as well.
    pub(super) fn set_totals(&mut self, totals: Arc<Totals>) {
        self.totals = totals;
    }

    /// Charges one header or directory.
    pub(in crate::source) fn entry(&mut self) -> Result<(), Problem> {
        if self.totals.charge(Totals::ENTRIES, 1) > self.limits.max_entries {
            return Err(Problem::MaxEntries(self.limits.max_entries));
        }
        Ok(())
    }

    /// Charges a file with `len` bytes of data.
    pub(super) fn file(&mut self, len: u64) -> Result<(), Problem> {
        if self.totals.charge(Totals::SIZE, len) > self.limits.max_size {
            let what = "the files up to here have, holes left out,";
            return Err(Problem::MaxSize { what, max: self.limits.max_size });
        }
        Ok(())
    }

    /// Charges `len` bytes that stay in memory.
    pub(in crate::source) fn metadata(&mut self, len: usize) -> Result<(), Problem> {
        if self.totals.charge(Totals::METADATA, len as u64) > MAX_METADATA {
            return Err(Problem::MaxMetadata(MAX_METADATA));
        }
        Ok(())
    }
}

/// Adds to an amount, up to the maximum, and returns the sum.
fn add(amount: &AtomicU64, more: u64) -> u64 {
    let before = amount.fetch_add(more, Ordering::Relaxed);
    let Some(sum) = before.checked_add(more) else {
        // Whatever follows is beyond every limit, too.
        amount.store(u64::MAX / 2, Ordering::Relaxed);
        return u64::MAX;
    };
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_counted_together_until_they_are_taken_back() {
        let all = Arc::new(Totals::default());
        let limits = Limits { max_size: 10, max_entries: 2, decoder_memory: None };
        let mut other = Budget::new(limits);
        other.set_totals(Arc::clone(&all));
        other.file(4).expect("4 of 10");
        other.entry().expect("1 of 2");
        assert_eq!(all.unpacked(4), 4);
        for _ in 0..3 {
            let own = Arc::new(Totals::within(&all));
            let mut budget = Budget::new(limits);
            budget.set_totals(Arc::clone(&own));
            assert_eq!(own.unpacked(6), 10);
            budget.file(6).expect("10 of 10");
            budget.file(1).expect_err("11 of 10");
            budget.entry().expect("2 of 2");
            budget.entry().expect_err("3 of 2");
            budget.metadata(1 << 30).expect("1 GiB of 2 GiB");
            own.take_back();
            own.take_back();
        }
        other.file(7).expect_err("11 of 10");
    }
}
