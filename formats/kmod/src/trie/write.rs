//! Writing an index.

use super::node::{HEADER, MAGIC, Reference};
use crate::error::Error;
use crate::limits::MAX_OFFSET;

/// A key with one of its values.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) key: Vec<u8>,
    pub(crate) priority: u32,
    pub(crate) text: &'t [u8],
}

/// A node whose children are being written.
struct Open {
    /// The entries of the node and of all below it.
    entries: std::ops::Range<usize>,
    /// The prefix, as a range of the keys.
    prefix: std::ops::Range<usize>,
    /// The first entry that is not a value of the node, nor below a child that is written.
    next: usize,
    /// The first entry that is not a value of the node.
    values_end: usize,
    /// The children that are written.
    children: Vec<(u8, u32)>,
}

/// Returns the bytes of an index with these entries. Of values with one key and priority, the last
/// one comes first, as in kmod, which inserts each before those that are not smaller.
///
/// # Errors
/// If it is longer than references reach. `file` is its name in the error.
pub(crate) fn write(mut entries: Vec<Entry<'_>>, file: &'static str) -> Result<Vec<u8>, Error> {
    entries.reverse();
    entries.sort_by(|a, b| (&a.key, a.priority).cmp(&(&b.key, b.priority)));
    let mut bytes = [&MAGIC[..], &[0; 4]].concat();
    let mut stack = vec![open(&entries, 0..entries.len(), 0, true)];
    while let Some(node) = stack.last_mut() {
        if let Some(entry) = entries.get(node.next).filter(|_| node.next < node.entries.end) {
            let (at, byte) = (node.prefix.end, entry.key[node.prefix.end]);
            let end = node.next
                + entries[node.next..node.entries.end].partition_point(|entry| entry.key[at] <= byte);
            let group = std::mem::replace(&mut node.next, end)..end;
            stack.push(open(&entries, group, at + 1, false));
            continue;
        }
        let reference = emit(&entries, node, &mut bytes).ok_or(Error::TooLong { file })?;
        // The byte in front of the prefix leads to the node; the root has none.
        let byte = node.prefix.start.checked_sub(1).map(|at| entries[node.entries.start].key[at]);
        stack.pop();
        match (stack.last_mut(), byte) {
            (Some(parent), Some(byte)) => parent.children.push((byte, reference)),
            _ => bytes[HEADER - 4..HEADER].copy_from_slice(&reference.to_be_bytes()),
        }
    }
    Ok(bytes)
}

/// Returns the node of entries whose keys are equal up to `start`.
fn open(entries: &[Entry<'_>], group: std::ops::Range<usize>, start: usize, is_root: bool) -> Open {
    let all = &entries[group.clone()];
    let common = match (all.first(), all.last()) {
        // In sorted entries, what the first and the last share is shared by all.
        (Some(first), Some(last)) if !is_root => {
            let pairs = first.key[start..].iter().zip(&last.key[start..]);
            pairs.take_while(|(a, b)| a == b).count()
        }
        _ => 0,
    };
    let end = start + common;
    let values_end = group.start + all.partition_point(|entry| entry.key.len() == end);
    Open { entries: group, prefix: start..end, next: values_end, values_end, children: Vec::new() }
}

/// Appends a node and returns its reference; `None` if its offset is too large.
fn emit(entries: &[Entry<'_>], node: &Open, bytes: &mut Vec<u8>) -> Option<u32> {
    let mut reference = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= MAX_OFFSET)?;
    let first = entries.get(node.entries.start);
    if let Some(prefix) = first.map(|first| &first.key[node.prefix.clone()]).filter(|text| !text.is_empty()) {
        reference |= Reference::PREFIX;
        bytes.extend_from_slice(prefix);
        bytes.push(0);
    }
    if let (Some((first, _)), Some((last, _))) = (node.children.first(), node.children.last()) {
        reference |= Reference::CHILDREN;
        bytes.extend_from_slice(&[*first, *last]);
        let mut children = node.children.iter().peekable();
        for byte in *first..=*last {
            let child = children.next_if(|(at, _)| *at == byte).map_or(0, |(_, child)| *child);
            bytes.extend_from_slice(&child.to_be_bytes());
        }
    }
    let values = &entries[node.entries.start..node.values_end];
    if !values.is_empty() {
        reference |= Reference::VALUES;
        bytes.extend_from_slice(&u32::try_from(values.len()).ok()?.to_be_bytes());
        for value in values {
            bytes.extend_from_slice(&value.priority.to_be_bytes());
            bytes.extend_from_slice(value.text);
            bytes.push(0);
        }
    }
    Some(reference)
}
