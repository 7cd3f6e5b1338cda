//! Planning: checks every file, and decides the offset of every byte.

use image_tree::{Content, Device, Inode, Kind, Metadata, Name, Tree, Walk};

use crate::error::{Error, Unrepresentable};
use crate::header::{END, padding};
use crate::layout::{Entry, Layout};
use crate::options::{Options, Purpose};
use crate::sparse;

/// The prefix of the names of whiteouts.
const WHITEOUT: &[u8] = b".wh.";

/// The largest length of a file, in bytes.
const MAX_SIZE: u64 = i64::MAX as u64;

/// Plans the archive of a tree. No content is read.
///
/// # Errors
/// Returns an error for the first file that the archive cannot represent, in the order of the walk,
/// and for a tree that is too large.
pub fn plan<'t, C: Content>(tree: &'t Tree<C>, options: &Options) -> Result<Layout<'t, C>, Error> {
    let mut layout = Layout::empty(tree, *options);
    // The position of every directory above the current name.
    let mut above: Vec<u32> = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        above.truncate(walk.depth());
        let position = u32::try_from(layout.entries.len()).map_err(|_| Error::TooManyNames)?;
        let parent = above.last().copied().unwrap_or(0);
        let inode = tree.get(step.id);
        if let Err(reason) = check(step.name, inode, options) {
            return Err(unrepresentable(&walk, reason));
        }
        if step.first {
            layout.first[step.id.index()] = position;
        }
        layout.entries.push(Entry { id: step.id, parent, name: step.name, start: layout.len, head_len: 0 });
        above.push(position);
        // The root directory of a lower layer may have other metadata.
        let is_default = options.purpose != Purpose::UpperLayer && inode.metadata == Metadata::new(0o755);
        if step.name.is_none() && is_default {
            continue;
        }
        let head_len = layout.head(position).len() as u64;
        let stored = if step.first { stored(inode, options) } else { 0 };
        // The last entry was added above.
        layout.entries[position as usize].head_len = head_len;
        let sum = [head_len, stored, padding(stored)].into_iter().try_fold(layout.len, u64::checked_add);
        layout.len = sum.ok_or(Error::TooLong)?;
        layout.summary.entries += 1;
        layout.summary.data_bytes += stored;
    }
    layout.len = layout.len.checked_add(END).ok_or(Error::TooLong)?;
    Ok(layout)
}

/// Returns the number of bytes that an entry stores of a file.
fn stored<C: Content>(inode: &Inode<C>, options: &Options) -> u64 {
    match &inode.kind {
        Kind::Regular(content) => {
            sparse::extents(content, options.holes).map_or(content.len(), sparse::stored)
        }
        _ => 0,
    }
}

fn check<C: Content>(
    name: Option<&Name>,
    inode: &Inode<C>,
    options: &Options,
) -> Result<(), Unrepresentable> {
    match &inode.kind {
        Kind::Socket => return Err(Unrepresentable::Socket),
        Kind::Regular(content) if content.len() > MAX_SIZE => {
            return Err(Unrepresentable::FileTooLarge { len: content.len(), limit: MAX_SIZE });
        }
        _ => {}
    }
    if options.purpose == Purpose::Archive {
        return Ok(());
    }
    let is_empty_file = matches!(&inode.kind, Kind::Regular(content) if content.is_empty());
    let may_hide = options.purpose == Purpose::UpperLayer && is_empty_file;
    if !may_hide && name.is_some_and(|name| name.as_bytes().starts_with(WHITEOUT)) {
        return Err(Unrepresentable::WhiteoutName);
    }
    if matches!(inode.kind, Kind::CharacterDevice(Device { major: 0, minor: 0 })) {
        return Err(Unrepresentable::WhiteoutDevice);
    }
    match inode.metadata.xattrs.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(Unrepresentable::EmptyXattr(name.clone())),
        None => Ok(()),
    }
}

fn unrepresentable<C>(walk: &Walk<'_, C>, reason: Unrepresentable) -> Error {
    let mut path = Vec::new();
    walk.write_path(&mut path);
    Error::Unrepresentable { path, reason }
}
