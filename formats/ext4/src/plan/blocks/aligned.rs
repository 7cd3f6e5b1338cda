//! Allocation of large files at page boundaries of the address space, and of small ones in the gaps
//! between them.
//!
//! ```text
//! pages        │           │           │           │           │           │
//! filesystem ├─ metadata ┬─┬─ large file ────────┬─┬─ large file ──┬───────┬─ small files …
//!                        gap                     gap              gap
//!                        each small file goes into the first gap that holds it whole
//! ```

use std::ops::Range;

use super::alignment::Alignment;
use super::demand::{BlockDemand, Runs};
use super::extent::Extent;
use super::placement::{Mapping, Placement, index};
use super::unused::{FreeSpace, push_extents, take_extents};

impl Placement {
    /// Places large files first, aligned, and then the others. The runs of a file with holes are
    /// aligned if they contain a page, and the file is large if one of them does.
    pub(super) fn place_aligned(&mut self, numbers: &[u32], demand: &BlockDemand, alignment: Alignment) {
        let blocks = |number: u32| demand.file_blocks[number as usize];
        let is_large = |number: &u32| {
            u64::from(blocks(*number)) >= alignment.unit
                && demand.runs(*number).any(|run| alignment.holds_page(&run))
        };
        let mut gaps = Vec::new();
        for number in numbers.iter().copied().filter(is_large) {
            self.place_with(number, |free, out| {
                for run in demand.runs(number) {
                    if alignment.holds_page(&run) {
                        take_aligned(free, run, alignment, &mut gaps, out);
                    } else {
                        take_extents(free, run.end - run.start, Runs::one(run), out);
                    }
                }
            });
        }
        let mut gaps = Gaps::new(gaps);
        for number in numbers.iter().copied().filter(|number| !is_large(number)) {
            let blocks = blocks(number);
            self.place_with(number, |free, out| match gaps.take(u64::from(blocks)) {
                Some(gap) => push_extents(gap, &mut demand.runs(number), out),
                None => take_extents(free, blocks, demand.runs(number), out),
            });
        }
        for gap in gaps.into_ranges().rev().filter(|gap| !gap.is_empty()) {
            self.free.ranges.push_front(gap);
        }
    }

    fn place_with(&mut self, number: u32, take: impl FnOnce(&mut FreeSpace, &mut Vec<Extent>)) {
        let start = index(&self.extents);
        take(&mut self.free, &mut self.extents);
        self.mappings[number as usize] = Mapping { extents: start..index(&self.extents), nodes: 0..0 };
    }
}

/// Allocates aligned blocks for a run of a large file. Skipped blocks become gaps, which large
/// files do not use.
fn take_aligned(
    free: &mut FreeSpace,
    run: Range<u32>,
    alignment: Alignment,
    gaps: &mut Vec<Range<u64>>,
    out: &mut Vec<Extent>,
) {
    let mut logical = run.start;
    while logical < run.end {
        let rest = u64::from(run.end - logical);
        let start = skip_to_aligned(free, logical, rest, alignment, gaps);
        let front = free.ranges.front_mut().expect("the last range has no end");
        if front.start < start {
            gaps.push(front.start..start);
        }
        let end = front.end.min(start + rest);
        let taken = u32::try_from(end - start).expect("no more than the run has");
        push_extents(start..end, &mut Runs::one(logical..logical + taken), out);
        logical += taken;
        front.start = end;
        free.end = free.end.max(end);
        if front.is_empty() {
            free.ranges.pop_front();
        }
    }
}

/// Returns the block at which the file continues, in the first range with an aligned block. Such a
/// range that ends within the page is skipped if the next one holds the whole page.
fn skip_to_aligned(
    free: &mut FreeSpace,
    logical: u32,
    rest: u64,
    alignment: Alignment,
    gaps: &mut Vec<Range<u64>>,
) -> u64 {
    let room = |range: &Range<u64>| range.end.saturating_sub(alignment.next(range.start, logical));
    let page = rest.min(alignment.unit);
    loop {
        let front = free.ranges.front().expect("the last range has no end");
        let next_holds_page = free.ranges.get(1).is_some_and(|next| room(next) >= page);
        if room(front) >= page || room(front) > 0 && !next_holds_page {
            return alignment.next(front.start, logical);
        }
        gaps.extend(free.ranges.pop_front());
    }
}

/// Free ranges, with an index to find the first that is long enough without examining all of them.
struct Gaps {
    ranges: Vec<Range<u64>>,
    /// A binary tree in an array: node `n` has the children `2n` and `2n + 1`, and stores the
    /// maximum length below it. The ranges are the leaves, from the middle of the array on.
    longest: Vec<u64>,
}

impl Gaps {
    fn new(ranges: Vec<Range<u64>>) -> Self {
        let leaves = ranges.len().next_power_of_two();
        let mut longest = vec![0; 2 * leaves];
        for (leaf, range) in longest[leaves..].iter_mut().zip(&ranges) {
            *leaf = range.end - range.start;
        }
        for node in (1..leaves).rev() {
            longest[node] = longest[2 * node].max(longest[2 * node + 1]);
        }
        Self { ranges, longest }
    }

    /// Allocates blocks from the start of the first range that is long enough; returns `None` if
    /// there is none.
    fn take(&mut self, blocks: u64) -> Option<Range<u64>> {
        if blocks == 0 || self.longest[1] < blocks {
            return None;
        }
        let leaves = self.longest.len() / 2;
        let mut node = 1;
        while node < leaves {
            node *= 2;
            if self.longest[node] < blocks {
                node += 1;
            }
        }
        let range = &mut self.ranges[node - leaves];
        let taken = range.start..range.start + blocks;
        range.start = taken.end;
        self.longest[node] -= blocks;
        while node > 1 {
            node /= 2;
            self.longest[node] = self.longest[2 * node].max(self.longest[2 * node + 1]);
        }
        Some(taken)
    }

    fn into_ranges(self) -> std::vec::IntoIter<Range<u64>> {
        self.ranges.into_iter()
    }
}

#[cfg(test)]
mod tests;
