//! Planning: the layout is decided before any byte is read or written.

mod early;
pub(crate) mod emit;
pub(crate) mod entries;
pub(crate) mod segments;
pub(crate) mod unsupported;

use image_tree::{Content, Tree};

use crate::error::Error;
use crate::layout::{Layout, Storage, Summary};
use crate::{EarlyCpio, Options};
use emit::Emit;
use entries::Entries;
use segments::Cutter;

/// Plans an archive of `tree`. It reads no file, and returns the same layout for the same tree and
/// options.
///
/// `early` becomes a separate archive before it.
///
/// # Errors
/// Returns an error if the archive cannot represent a file of the tree, or an option is out of
/// range.
pub fn plan<'t, C: Content>(
    tree: &'t Tree<C>,
    early: &EarlyCpio<'t, C>,
    options: &Options,
) -> Result<Layout<'t, C>, Error> {
    check(options)?;
    let entries = entries::list(tree, options)?;
    let mut emit = Emit::new(u64::from(options.align));
    // There are no checksums for the early files.
    emit_early(early, &mut emit)?;
    emit.sum_up(options.checksums.as_ref());
    emit_precompressed(tree, &entries, &mut emit)?;
    emit_rest(tree, &entries, options, &mut emit)?;
    let summary = Summary {
        entries: entries.names.iter().map(|name| u64::from(name.precompressed) + u64::from(name.rest)).sum(),
        inodes: entries.inode_count,
        data_bytes: entries.data_bytes,
        unaligned: emit.unaligned(),
    };
    Ok(emit.finish(unsupported::list(tree, &entries), summary))
}

fn check(options: &Options) -> Result<(), Error> {
    let Options { align, segment_len, .. } = *options;
    if !align.is_power_of_two() || !(4..=4096).contains(&align) {
        return Err(Error::Alignment(align));
    }
    match segment_len {
        Some(len) if len < Options::MIN_SEGMENT_LEN => Err(Error::SegmentLen(len)),
        _ => Ok(()),
    }
}

fn emit_early<'t, C: Content>(early: &EarlyCpio<'t, C>, emit: &mut Emit<'t, '_, C>) -> Result<(), Error> {
    if early.is_empty() {
        return Ok(());
    }
    early::emit(early, emit)?;
    emit.end_of_archive()?;
    emit.pad_to_block()?;
    emit.close_segment(Storage::Plain);
    Ok(())
}

/// Adds the files that are already compressed, with their parent directories. They form a separate
/// archive if others follow, so that readers can find the end of the uncompressed part.
fn emit_precompressed<'t, C: Content>(
    tree: &'t Tree<C>,
    entries: &Entries,
    emit: &mut Emit<'t, '_, C>,
) -> Result<(), Error> {
    let mut names = entries.names.iter().filter(|name| name.precompressed).peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    for name in names {
        emit.entry(tree, entries, name)?;
    }
    emit.end_of_archive()?;
    if entries.names.iter().any(|name| name.rest) {
        emit.pad_to_block()?;
    }
    emit.close_segment(Storage::Plain);
    Ok(())
}

fn emit_rest<'t, C: Content>(
    tree: &'t Tree<C>,
    entries: &Entries,
    options: &Options,
    emit: &mut Emit<'t, '_, C>,
) -> Result<(), Error> {
    let mut names = entries.names.iter().filter(|name| name.rest).peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    let mut cutter = options.segment_len.map(Cutter::new);
    for name in names {
        let path = entries.path(name);
        let len = emit::unaligned_len(path, entries.body_len(tree, name));
        if cutter.as_mut().is_some_and(|cutter| cutter.cuts_before(path, len)) {
            emit.close_segment(Storage::Compressed);
        }
        emit.entry(tree, entries, name)?;
    }
    emit.end_of_archive()?;
    emit.close_segment(Storage::Compressed);
    Ok(())
}
