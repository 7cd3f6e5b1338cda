//! The holes of files: blocks of nothing but zeros.
//!
//! ```text
//! source     ├─ data ─┤   hole    ├──── data ────┤ hole ┤      by lseek(2), or by the map of an archive
//! blocks     ├──┼──┼──┼──┼──┼──┼──┼──┼──┼──┼──┼──┼──┼──┤      of the filesystem to be made
//! data       ├──┤  ├──┤           ├──┤     ├─────┤            those with a byte that is not zero
//! ```
//!
//! Only the data that the source stores is read, by several threads, each 1 MiB at a time. As the
//! bytes determine the holes, neither the blocks of the host's filesystem nor the extents of an
//! archive affect the result.

pub mod zeros;

use std::ops::Range;

use image_tree::{Content as _, InodeId, Kind, Tree};

use crate::blob::classify_read_error;
use crate::blob::{Blob, CHUNK, chunks};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::named::named;
use crate::threads::Threads;
use crate::zeros::is_zero;

/// The files that have holes, by the names of `cp --sparse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Those that their source stores with holes: files of the host with fewer blocks than their
    /// length takes, for which lseek(2) reports a hole; members of an archive with a map of holes.
    #[default]
    Auto,
    /// All that have a block of zeros, however they are stored.
    Always,
    /// None: every block is allocated, and holes are zeros.
    Never,
}

named!(Policy, "a policy for holes", [Auto => "auto", Always => "always", Never => "never"]);

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The files that have holes.
    pub policy: Policy,
    /// The length of a block in bytes.
    pub block_len: u64,
    /// The threads that read files.
    pub threads: &'a Threads,
    /// Checked regularly; a signal ends the search.
    pub interrupt: &'a Interrupt,
}

/// The length after which a thread's unit of work ends, in bytes.
const UNIT: u64 = 8 << 20;

/// The number of ranges after which it ends, too.
const UNIT_RANGES: usize = 1 << 15;

/// Reads the files that may have holes, and records in the tree which of their blocks hold data:
/// none with [`Policy::Never`], with which [`zeros::check`] limits the zeros.
///
/// # Errors
/// If a file cannot be read or changed since the scan: the error for the first one in the order of
/// the walk. [`Interrupted`](crate::error::ErrorKind::Interrupted) after a signal.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<()> {
    let Options { policy, block_len, threads, interrupt } = *options;
    let candidates = candidates(tree, policy);
    let found: Vec<(InodeId, Blob)> = {
        let contents: Vec<&Blob> = candidates.iter().map(|(_, content)| *content).collect();
        let data = data_blocks(&contents, policy, block_len, threads, interrupt)?;
        let mapped = candidates.iter().zip(data);
        mapped.filter_map(|((id, content), data)| Some((*id, content.with_data(data?)))).collect()
    };
    for (id, content) in found {
        // OK to ignore: a regular file can be replaced by another one.
        let _ = tree.replace_kind(id, Kind::Regular(content));
    }
    Ok(())
}

/// Returns the files that may have holes, in the order of the walk.
fn candidates(tree: &Tree<Blob>, policy: Policy) -> Vec<(InodeId, &Blob)> {
    let is_candidate = |content: &Blob| match policy {
        Policy::Auto => content.may_have_holes(),
        Policy::Always => true,
        Policy::Never => false,
    };
    let regular = |id| match &tree.get(id).kind {
        Kind::Regular(content) if !content.is_empty() && is_candidate(content) => Some((id, content)),
        _ => None,
    };
    tree.walk().filter(|step| step.first).filter_map(|step| regular(step.id)).collect()
}

/// Returns the blocks with data of each content; none if all blocks have data, or if the policy
/// follows the source and it has no holes.
fn data_blocks(
    contents: &[&Blob],
    policy: Policy,
    block_len: u64,
    threads: &Threads,
    interrupt: &Interrupt,
) -> Result<Vec<Option<Vec<Range<u64>>>>> {
    let stored = threads.map(contents.len(), |number, (): &mut ()| {
        interrupt.check()?;
        let content = contents[number];
        let goes_on = || !interrupt.is_set();
        let stored = content.find_data(&goes_on).map_err(classify_read_error)?;
        interrupt.check()?;
        let is_dense = policy == Policy::Auto && is_whole(&stored, content);
        Ok((!is_dense).then(|| in_chunks(stored)))
    })?;
    let units = units(&stored);
    let looked = threads.map(units.len(), |number, buffer: &mut Vec<u8>| {
        let Unit { content, ranges } = &units[number];
        let ranges = stored[*content].as_ref().map_or(&[][..], |stored| &stored[ranges.clone()]);
        look(contents[*content], ranges, block_len, buffer, interrupt)
    })?;
    let mut data: Vec<_> = stored.iter().map(|stored| stored.is_some().then(Vec::new)).collect();
    for (unit, found) in units.iter().zip(looked) {
        if let Some(runs) = &mut data[unit.content] {
            found.into_iter().for_each(|run| push(runs, run));
        }
    }
    for (runs, content) in data.iter_mut().zip(contents) {
        if let Some(last) = runs.as_mut().and_then(|runs| runs.last_mut()) {
            last.end = last.end.min(content.len());
        }
        if runs.as_deref().is_some_and(|runs| is_whole(runs, content)) {
            *runs = None;
        }
    }
    Ok(data)
}

fn is_whole(ranges: &[Range<u64>], content: &Blob) -> bool {
    matches!(ranges, [range] if *range == (0..content.len()))
}

/// Splits ranges at multiples of [`CHUNK`], if any crosses one.
fn in_chunks(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    if ranges.iter().all(|range| range.start / CHUNK == (range.end - 1) / CHUNK) {
        return ranges;
    }
    ranges.into_iter().flat_map(chunks).collect()
}

/// The unit of work of a thread: some ranges of a content, by their indices.
struct Unit {
    content: usize,
    ranges: Range<usize>,
}

fn units(stored: &[Option<Vec<Range<u64>>>]) -> Vec<Unit> {
    let mut units = Vec::new();
    for (content, ranges) in stored.iter().enumerate() {
        let ranges = ranges.as_deref().unwrap_or_default();
        let (mut start, mut len) = (0, 0);
        for (number, range) in ranges.iter().enumerate() {
            len += range.end - range.start;
            let is_last = number + 1 == ranges.len();
            if is_last || len >= UNIT || number + 1 - start >= UNIT_RANGES {
                units.push(Unit { content, ranges: start..number + 1 });
                (start, len) = (number + 1, 0);
            }
        }
    }
    units
}

/// Returns the blocks of a content that have a byte other than zero in these ranges.
fn look(
    content: &Blob,
    ranges: &[Range<u64>],
    block_len: u64,
    buffer: &mut Vec<u8>,
    interrupt: &Interrupt,
) -> Result<Vec<Range<u64>>> {
    let mut runs = Vec::new();
    let read = content.read_ranges(ranges, buffer, &mut |offset, bytes| {
        add_data(&mut runs, offset, bytes, block_len);
        !interrupt.is_set()
    });
    read.map_err(classify_read_error)?;
    interrupt.check()?;
    Ok(runs)
}

/// Adds the blocks in which bytes at an offset are not all zero.
fn add_data(runs: &mut Vec<Range<u64>>, offset: u64, mut bytes: &[u8], block_len: u64) {
    let mut block = offset / block_len * block_len;
    // The first block may begin before the bytes.
    let mut len = block + block_len - offset;
    while !bytes.is_empty() {
        let (here, rest) = bytes.split_at(usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len()));
        if !is_zero(here) {
            push(runs, block..block.saturating_add(block_len));
        }
        (bytes, block, len) = (rest, block.saturating_add(block_len), block_len);
    }
}

/// Adds a run, which must not begin before the last one does.
fn push(runs: &mut Vec<Range<u64>>, run: Range<u64>) {
    match runs.last_mut() {
        Some(last) if run.start <= last.end => last.end = last.end.max(run.end),
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests;
