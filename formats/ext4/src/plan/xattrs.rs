//! Where the extended attributes of an inode go: into the room the inode leaves, and the others into one block.
//!
//! ```text
//! inode:  magic, entry, entry, …, 0 … value, value      entries grow from the front, values from the back
//! block:  header, entry, entry, …, 0 … value, value
//! ```
//!
//! Inodes with equal blocks share one, as the kernel lets them.
//!
//! Data that lies in an inode lies there as an attribute too, as far as `i_block` does not hold it: `system.data`, whose name
//! is in the inode even if there is nothing beyond `i_block`. Labels and capabilities come before it, all others after.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use image_tree::{XattrName, Xattrs};
use thiserror::Error;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use crate::ondisk::acl::{self, AclError};
use crate::ondisk::checksum::Checksum;
use crate::ondisk::xattr::{
    END_OF_ENTRIES_LEN, EXT4_XATTR_MAGIC, EXT4_XATTR_REFCOUNT_MAX, INLINE_DATA, IbodyHeader, NameIndex,
    XattrEntry, XattrHeader, block_hash, entry_hash, write_header,
};

/// Why an extended attribute cannot be stored.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum XattrError {
    /// The format has no number for the start of the name, or nothing follows it.
    #[error(
        "xattr \"{0}\" has no namespace ext4 knows, or no name in it; \
         there are \"user.\", \"trusted.\", \"security.\" and \"system.\""
    )]
    Namespace(XattrName),
    /// The name is the one under which ext4 keeps the data of small files, and would be taken for it.
    #[error("xattr \"{0}\" has the name under which ext4 keeps a file's inline data; drop it")]
    Reserved(XattrName),
    /// The value of a POSIX ACL is not one.
    #[error("the value of xattr \"{name}\" is not a POSIX ACL")]
    Acl {
        /// Which of the two.
        name: XattrName,
        /// What is wrong with it.
        source: AclError,
    },
    /// There is no room for the attribute beside those that come before it.
    #[error(
        "xattr \"{name}\" with a value of {size} bytes takes {needed} bytes, and {left} of the {limit} bytes in the \
         file's xattr block are left; drop or shorten xattrs"
    )]
    TooLarge {
        /// The attribute.
        name: XattrName,
        /// Bytes of its value.
        size: usize,
        /// Bytes the attribute takes with its name.
        needed: usize,
        /// Bytes there are for it.
        left: usize,
        /// Bytes there are for all attributes of a file that are not in its inode.
        limit: usize,
    },
}

/// Where the attributes of one inode go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// What follows `i_extra_isize` in the inode, to its end; empty if no attribute is there.
    pub(crate) in_inode: Vec<u8>,
    /// What is in a block of its own, for [`SharedBlocks::add`].
    pub(crate) block: Option<XattrBlock>,
}

/// The attributes of a block, which may be many inodes' block. What lies between the two parts is zero.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct XattrBlock {
    entries: Vec<u8>,
    values: Vec<u8>,
    /// `h_hash`.
    hash: u32,
}

/// Decides where `xattrs` go. `in_inode_space` is how many bytes an inode has after `i_extra_isize`: 96 in inodes of
/// 256 bytes. `security.selinux` and `security.capability`, which the kernel reads when it opens or runs a file, are
/// first to go into the inode, then the rest of `security.`, then all others, each if it fits.
///
/// # Errors
/// When an attribute cannot be stored, or does not fit into the block beside those before it.
pub(crate) fn place(
    xattrs: &Xattrs,
    in_inode_space: usize,
    block_size: usize,
) -> Result<Placement, XattrError> {
    let (in_inode, in_block) = split(attributes(xattrs)?, in_inode_space);
    check_room(&in_block, block_size)?;
    Ok(Placement::new(&in_inode, &in_block, in_inode_space, block_size))
}

/// The same with `data` as the value of `system.data`; none when that does not fit into the inode, or the block not what
/// has to make room for it.
///
/// # Errors
/// When an attribute cannot be stored, whatever the room.
pub(crate) fn place_with_data(
    xattrs: &Xattrs,
    data: &[u8],
    in_inode_space: usize,
    block_size: usize,
) -> Result<Option<Placement>, XattrError> {
    let mut attributes = attributes(xattrs)?;
    attributes.push(Attribute::inline_data(data));
    let (in_inode, in_block) = split(attributes, in_inode_space);
    if in_block.iter().any(Attribute::is_inline_data) || check_room(&in_block, block_size).is_err() {
        return Ok(None);
    }
    Ok(Some(Placement::new(&in_inode, &in_block, in_inode_space, block_size)))
}

/// The longest value of `system.data` in an inode that has no other attribute.
pub(crate) const fn max_inline_value_len(in_inode_space: usize) -> usize {
    let overhead = size_of::<IbodyHeader>()
        + END_OF_ENTRIES_LEN
        + (size_of::<XattrEntry>() + INLINE_DATA.len()).next_multiple_of(4);
    in_inode_space.saturating_sub(overhead)
}

/// The blocks of all inodes, each kept once for up to 1024 inodes that have the same.
#[derive(Debug)]
pub(crate) struct SharedBlocks {
    block_size: usize,
    blocks: Vec<SharedBlock>,
    /// The last block with these attributes.
    known: BTreeMap<Arc<XattrBlock>, usize>,
}

#[derive(Debug)]
struct SharedBlock {
    content: Arc<XattrBlock>,
    refcount: u32,
}

impl SharedBlocks {
    /// No blocks yet.
    pub(crate) fn new(block_size: usize) -> Self {
        Self { block_size, blocks: Vec::new(), known: BTreeMap::new() }
    }

    /// Adds one inode's block and returns the index of the block it has. Indexes count up from 0 in the order of first
    /// use.
    pub(crate) fn add(&mut self, block: XattrBlock) -> usize {
        if let Some(&index) = self.known.get(&block)
            && self.blocks[index].refcount < EXT4_XATTR_REFCOUNT_MAX
        {
            self.blocks[index].refcount += 1;
            return index;
        }
        let index = self.blocks.len();
        let content = Arc::new(block);
        // The kernel never shares a block whose hash is 0.
        if content.hash != 0 {
            self.known.insert(Arc::clone(&content), index);
        }
        self.blocks.push(SharedBlock { content, refcount: 1 });
        index
    }

    /// How many blocks there are.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Block `index` as it is on disk at `block_number`. `filesystem_seed` is the checksum seed of the filesystem.
    ///
    /// # Panics
    /// When there is no such block.
    pub(crate) fn render(&self, index: usize, block_number: u64, filesystem_seed: Checksum) -> Vec<u8> {
        let SharedBlock { content, refcount } = &self.blocks[index];
        let mut block = vec![0; self.block_size];
        fill(&mut block, size_of::<XattrHeader>(), &content.entries, &content.values);
        write_header(&mut block, *refcount, content.hash, block_number, filesystem_seed);
        block
    }
}

/// An attribute as it is stored.
struct Attribute<'x> {
    name: Cow<'x, XattrName>,
    index: NameIndex,
    /// The name without what `index` stands for.
    suffix: &'x [u8],
    value: Cow<'x, [u8]>,
}

impl<'x> Attribute<'x> {
    fn new(name: &'x XattrName, value: &'x [u8]) -> Result<Self, XattrError> {
        let (index, suffix) =
            NameIndex::split(name.as_bytes()).ok_or_else(|| XattrError::Namespace(name.clone()))?;
        if (index, suffix) == (NameIndex::SYSTEM, INLINE_DATA) {
            return Err(XattrError::Reserved(name.clone()));
        }
        let value = if index.is_posix_acl() {
            Cow::Owned(acl::to_disk(value).map_err(|source| XattrError::Acl { name: name.clone(), source })?)
        } else {
            Cow::Borrowed(value)
        };
        Ok(Self { name: Cow::Borrowed(name), index, suffix, value })
    }

    fn inline_data(value: &'x [u8]) -> Self {
        let name = XattrName::new("system.data").expect("a valid name");
        let (index, suffix) = (NameIndex::SYSTEM, INLINE_DATA);
        Self { name: Cow::Owned(name), index, suffix, value: Cow::Borrowed(value) }
    }

    fn is_inline_data(&self) -> bool {
        (self.index, self.suffix) == (NameIndex::SYSTEM, INLINE_DATA)
    }

    /// How much is gained by having the attribute in the inode.
    fn urgency(&self) -> u8 {
        match (self.index, self.suffix) {
            (NameIndex::SECURITY, b"selinux") => 4,
            (NameIndex::SECURITY, b"capability") => 3,
            (NameIndex::SYSTEM, INLINE_DATA) => 2,
            (NameIndex::SECURITY, _) => 1,
            _ => 0,
        }
    }

    /// The order the kernel searches the entries of a block in.
    fn disk_order(&self) -> (NameIndex, usize, &'x [u8]) {
        (self.index, self.suffix.len(), self.suffix)
    }

    /// Bytes the attribute takes, entry and value.
    fn len(&self) -> usize {
        (size_of::<XattrEntry>() + self.suffix.len()).next_multiple_of(4)
            + self.value.len().next_multiple_of(4)
    }
}

fn attributes(xattrs: &Xattrs) -> Result<Vec<Attribute<'_>>, XattrError> {
    xattrs.iter().map(|(name, value)| Attribute::new(name, value)).collect()
}

/// What goes into the inode, the most urgent first, and what goes into the block, in the order of the disk.
fn split(
    mut attributes: Vec<Attribute<'_>>,
    in_inode_space: usize,
) -> (Vec<Attribute<'_>>, Vec<Attribute<'_>>) {
    attributes.sort_by_key(|attribute| (Reverse(attribute.urgency()), attribute.disk_order()));
    let mut left = in_inode_space.saturating_sub(size_of::<IbodyHeader>() + END_OF_ENTRIES_LEN);
    let (in_inode, mut in_block): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
        let fits = attribute.len() <= left;
        left -= if fits { attribute.len() } else { 0 };
        fits
    });
    in_block.sort_by_key(Attribute::disk_order);
    (in_inode, in_block)
}

impl Placement {
    fn new(
        in_inode: &[Attribute<'_>],
        in_block: &[Attribute<'_>],
        in_inode_space: usize,
        block_size: usize,
    ) -> Self {
        Self {
            in_inode: if in_inode.is_empty() { Vec::new() } else { inode_bytes(in_inode, in_inode_space) },
            block: (!in_block.is_empty()).then(|| XattrBlock::new(in_block, block_size)),
        }
    }
}

fn check_room(attributes: &[Attribute<'_>], block_size: usize) -> Result<(), XattrError> {
    let limit = block_size - size_of::<XattrHeader>() - END_OF_ENTRIES_LEN;
    let mut left = limit;
    for attribute in attributes {
        let needed = attribute.len();
        if needed > left {
            let (name, size) = (attribute.name.clone().into_owned(), attribute.value.len());
            return Err(XattrError::TooLarge { name, size, needed, left, limit });
        }
        left -= needed;
    }
    Ok(())
}

fn inode_bytes(attributes: &[Attribute<'_>], in_inode_space: usize) -> Vec<u8> {
    let mut bytes = vec![0; in_inode_space];
    let (header, room) = bytes.split_at_mut(size_of::<IbodyHeader>());
    header.copy_from_slice(IbodyHeader { h_magic: U32::new(EXT4_XATTR_MAGIC) }.as_bytes());
    // The kernel writes no hashes here, and looks at none.
    let (entries, values) = stacks(attributes, room.len(), |_| 0);
    fill(room, 0, &entries, &values);
    bytes
}

impl XattrBlock {
    fn new(attributes: &[Attribute<'_>], block_size: usize) -> Self {
        let hash = |attribute: &Attribute<'_>| entry_hash(attribute.suffix, &attribute.value);
        let (entries, values) = stacks(attributes, block_size, hash);
        Self { entries, values, hash: block_hash(attributes.iter().map(hash)) }
    }
}

/// The entries and the values of attributes that are known to fit. Values end where `e_value_offs` would be `end`.
fn stacks(
    attributes: &[Attribute<'_>],
    end: usize,
    hash: impl Fn(&Attribute<'_>) -> u32,
) -> (Vec<u8>, Vec<u8>) {
    let mut entries = Vec::new();
    let mut value_at = end;
    for attribute in attributes {
        let Attribute { index, suffix, value, .. } = attribute;
        value_at -= value.len().next_multiple_of(4);
        let offset = if value.is_empty() { 0 } else { value_at };
        let entry = XattrEntry {
            e_name_len: u8::try_from(suffix.len()).expect("an xattr's name has at most 255 bytes"),
            e_name_index: *index,
            e_value_offs: U16::new(u16::try_from(offset).expect("blocks are smaller than 64 KiB")),
            e_value_inum: U32::ZERO,
            e_value_size: U32::new(u32::try_from(value.len()).expect("the value fits in a block")),
            e_hash: U32::new(hash(attribute)),
        };
        entries.extend_from_slice(entry.as_bytes());
        entries.extend_from_slice(suffix);
        entries.resize(entries.len().next_multiple_of(4), 0);
    }
    let mut values = Vec::with_capacity(end - value_at);
    for attribute in attributes.iter().rev() {
        values.extend_from_slice(&attribute.value);
        values.resize(values.len().next_multiple_of(4), 0);
    }
    (entries, values)
}

/// Puts entries at `start` of a zeroed area, and values at its end.
fn fill(area: &mut [u8], start: usize, entries: &[u8], values: &[u8]) {
    area[start..start + entries.len()].copy_from_slice(entries);
    let values_start = area.len() - values.len();
    assert!(
        start + entries.len() + END_OF_ENTRIES_LEN <= values_start,
        "attributes fit where they are placed"
    );
    area[values_start..].copy_from_slice(values);
}

#[cfg(test)]
mod tests;
