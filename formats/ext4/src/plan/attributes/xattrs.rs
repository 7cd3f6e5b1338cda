//! Placement of the extended attributes of an inode: in the unused space of the inode, and the
//! others in one block.
//!
//! ```text
//! inode:  magic, entry, entry, …, 0 … value, value      entries grow from the front, values from the back
//! block:  header, entry, entry, …, 0 … value, value
//! ```
//!
//! Inodes with equal blocks share one, as the kernel lets them.
//!
//! With the feature `ea_inode`, values that do not fit in a block, the longest first, are stored in
//! separate inodes, to which their entries refer.
//!
//! Inline data beyond `i_block` is an attribute in the inode too: `system.data`, which has an entry
//! even if there is no data beyond `i_block`. Labels and capabilities come before it, all others
//! after.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use image_tree::{XattrName, Xattrs};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use super::ea_inodes::EaInodes;
use crate::error::{MAX_VALUE_LEN, XattrError};
use crate::ondisk::acl;
use crate::ondisk::checksum::Checksum;
use crate::ondisk::xattr::{
    END_OF_ENTRIES_LEN, EXT4_XATTR_MAGIC, EXT4_XATTR_REFCOUNT_MAX, INLINE_DATA, IbodyHeader, NameIndex,
    XattrEntry, XattrHeader, block_hash, entry_hash, write_header,
};

/// The space for the attributes of an inode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// The number of bytes in the inode after `i_extra_isize`: 96 in inodes of 256 bytes.
    pub(crate) in_inode: usize,
    /// The block size in bytes.
    pub(crate) block: usize,
    /// True if long values may be stored in separate inodes.
    pub(crate) ea_inodes: bool,
}

impl Room {
    /// Returns the number of bytes for entries and values in a block.
    fn in_block(self) -> usize {
        self.block - size_of::<XattrHeader>() - END_OF_ENTRIES_LEN
    }
}

/// The attributes of one inode, in on-disk order, before values in separate inodes are numbered.
#[derive(Debug)]
pub(crate) struct Sorted<'x> {
    in_inode: Vec<Attribute<'x>>,
    in_block: Vec<Attribute<'x>>,
    room: Room,
}

/// The placement of the attributes of one inode.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The bytes after `i_extra_isize` up to the end of the inode; empty if no attribute is there.
    pub(crate) in_inode: Vec<u8>,
    /// The attributes in a block, for [`SharedBlocks::add`].
    pub(crate) block: Option<XattrBlock>,
    /// The inodes that the entries in the inode refer to.
    pub(crate) ea_inodes: Vec<u32>,
    /// The number of blocks of all values in other inodes, which are counted for this one.
    pub(crate) ea_blocks: u64,
}

/// The attributes of a block, which several inodes may share. The bytes between the two parts are
/// zero.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct XattrBlock {
    entries: Vec<u8>,
    values: Vec<u8>,
    /// `h_hash`.
    hash: u32,
    /// The inodes that the entries refer to.
    ea_inodes: Vec<u32>,
}

impl XattrBlock {
    /// The inodes that the entries refer to.
    pub(crate) fn ea_inodes(&self) -> &[u32] {
        &self.ea_inodes
    }
}

/// Decides the placement of `xattrs`. `security.selinux` and `security.capability`, which the
/// kernel reads when it opens or executes a file, are placed in the inode first, then the rest of
/// `security.`, then all others, each if it fits.
///
/// # Errors
/// Returns an error if an attribute cannot be stored, or does not fit in the block after those
/// before it.
pub(crate) fn sort(xattrs: &Xattrs, room: Room) -> Result<Sorted<'_>, XattrError> {
    let sorted = Sorted::of(attributes(xattrs)?, room);
    sorted.check_room()?;
    Ok(sorted)
}

/// Like [`sort`], with `data` as the value of `system.data`. Returns `None` if that does not fit in
/// the inode, or the displaced attributes do not fit in the block.
///
/// # Errors
/// Returns an error if an attribute cannot be stored, regardless of space.
pub(crate) fn sort_with_data<'x>(
    xattrs: &'x Xattrs,
    data: &'x [u8],
    room: Room,
) -> Result<Option<Sorted<'x>>, XattrError> {
    let mut attributes = attributes(xattrs)?;
    attributes.push(Attribute::inline_data(data));
    let sorted = Sorted::of(attributes, room);
    let fits = !sorted.in_block.iter().any(Attribute::is_inline_data) && sorted.check_room().is_ok();
    Ok(fits.then_some(sorted))
}

/// Returns the maximum length of the value of `system.data` in an inode without other attributes,
/// in bytes.
pub(crate) const fn max_inline_value_len(in_inode_space: usize) -> usize {
    let overhead = size_of::<IbodyHeader>()
        + END_OF_ENTRIES_LEN
        + (size_of::<XattrEntry>() + INLINE_DATA.len()).next_multiple_of(4);
    in_inode_space.saturating_sub(overhead)
}

/// The xattr blocks of all inodes, each shared by up to 1024 inodes with equal attributes.
#[derive(Debug)]
pub(crate) struct SharedBlocks {
    block_size: usize,
    blocks: Vec<SharedBlock>,
    /// The index of the last block with these attributes.
    known: BTreeMap<Arc<XattrBlock>, usize>,
}

#[derive(Debug)]
struct SharedBlock {
    content: Arc<XattrBlock>,
    refcount: u32,
}

impl SharedBlocks {
    /// Creates an empty table.
    pub(crate) fn new(block_size: usize) -> Self {
        Self { block_size, blocks: Vec::new(), known: BTreeMap::new() }
    }

    /// Adds the block of an inode and returns the index of the shared block. Indexes count up from
    /// 0 in the order of first use.
    pub(crate) fn add(&mut self, block: XattrBlock) -> usize {
        if let Some(&index) = self.known.get(&block)
            && self.blocks[index].refcount < EXT4_XATTR_REFCOUNT_MAX
        {
            self.blocks[index].refcount += 1;
            return index;
        }
        let index = self.blocks.len();
        let content = Arc::new(block);
        // The kernel never shares a block with hash 0.
        if content.hash != 0 {
            self.known.insert(Arc::clone(&content), index);
        }
        self.blocks.push(SharedBlock { content, refcount: 1 });
        index
    }

    /// Returns the number of blocks.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Returns block `index` as stored at `block_number`. `filesystem_seed` is the checksum seed of
    /// the filesystem.
    ///
    /// # Panics
    /// Panics if there is no such block.
    pub(crate) fn render(&self, index: usize, block_number: u64, filesystem_seed: Checksum) -> Vec<u8> {
        let SharedBlock { content, refcount } = &self.blocks[index];
        let mut block = vec![0; self.block_size];
        fill(&mut block, size_of::<XattrHeader>(), &content.entries, &content.values);
        write_header(&mut block, *refcount, content.hash, block_number, filesystem_seed);
        block
    }
}

/// An attribute as stored.
#[derive(Debug)]
struct Attribute<'x> {
    name: Cow<'x, XattrName>,
    index: NameIndex,
    /// The name without the prefix represented by `index`.
    suffix: &'x [u8],
    value: Cow<'x, [u8]>,
    /// True if the value is in a separate inode.
    in_ea_inode: bool,
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
        if value.len() > MAX_VALUE_LEN {
            return Err(XattrError::ValueTooLong { name: name.clone(), size: value.len() });
        }
        Ok(Self { name: Cow::Borrowed(name), index, suffix, value, in_ea_inode: false })
    }

    fn inline_data(value: &'x [u8]) -> Self {
        let name = XattrName::new("system.data").expect("a valid name");
        let (index, suffix) = (NameIndex::SYSTEM, INLINE_DATA);
        Self { name: Cow::Owned(name), index, suffix, value: Cow::Borrowed(value), in_ea_inode: false }
    }

    fn is_inline_data(&self) -> bool {
        (self.index, self.suffix) == (NameIndex::SYSTEM, INLINE_DATA)
    }

    /// Returns the priority of placing the attribute in the inode.
    fn urgency(&self) -> u8 {
        match (self.index, self.suffix) {
            (NameIndex::SECURITY, b"selinux") => 4,
            (NameIndex::SECURITY, b"capability") => 3,
            (NameIndex::SYSTEM, INLINE_DATA) => 2,
            (NameIndex::SECURITY, _) => 1,
            _ => 0,
        }
    }

    /// Returns the key of the order in which the kernel searches the entries of a block.
    fn disk_order(&self) -> (NameIndex, usize, &'x [u8]) {
        (self.index, self.suffix.len(), self.suffix)
    }

    /// Returns the number of bytes of the attribute in inode or block: its entry, and the value if
    /// it is there too.
    fn len(&self) -> usize {
        let value = if self.in_ea_inode { 0 } else { self.value.len().next_multiple_of(4) };
        (size_of::<XattrEntry>() + self.suffix.len()).next_multiple_of(4) + value
    }
}

fn attributes(xattrs: &Xattrs) -> Result<Vec<Attribute<'_>>, XattrError> {
    xattrs.iter().map(|(name, value)| Attribute::new(name, value)).collect()
}

impl<'x> Sorted<'x> {
    /// Divides attributes into those for the inode, by descending priority, and those for the
    /// block, in on-disk order.
    fn of(mut attributes: Vec<Attribute<'x>>, room: Room) -> Self {
        attributes.sort_by_key(|attribute| (Reverse(attribute.urgency()), attribute.disk_order()));
        if room.ea_inodes {
            // A value that does not fit in any block is moved out first, so that its entry may fit
            // in the inode.
            for attribute in &mut attributes {
                attribute.in_ea_inode = attribute.len() > room.in_block() && !attribute.is_inline_data();
            }
        }
        let mut left = room.in_inode.saturating_sub(size_of::<IbodyHeader>() + END_OF_ENTRIES_LEN);
        let (in_inode, mut in_block): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
            let fits = attribute.len() <= left;
            left -= if fits { attribute.len() } else { 0 };
            fits
        });
        in_block.sort_by_key(Attribute::disk_order);
        if room.ea_inodes {
            move_longest(&mut in_block, room.in_block());
        }
        Self { in_inode, in_block, room }
    }

    /// Returns true if there is a block of attributes.
    pub(crate) fn has_block(&self) -> bool {
        !self.in_block.is_empty()
    }

    fn check_room(&self) -> Result<(), XattrError> {
        let limit = self.room.in_block();
        let mut left = limit;
        for attribute in &self.in_block {
            let needed = attribute.len();
            if needed > left {
                let (name, size) = (attribute.name.clone().into_owned(), attribute.value.len());
                return Err(if self.room.ea_inodes {
                    XattrError::TooMany { name, needed, left, limit }
                } else {
                    XattrError::TooLarge { name, size, needed, left, limit }
                });
            }
            left -= needed;
        }
        Ok(())
    }

    /// Returns the bytes of inode and block, after `ea_inodes` has numbered the values in other
    /// inodes.
    pub(crate) fn place(self, ea_inodes: &mut EaInodes) -> Placement {
        let mut placement = Placement::default();
        if !self.in_inode.is_empty() {
            let stored = store(&self.in_inode, ea_inodes, &mut placement);
            placement.ea_inodes = numbers(&stored);
            placement.in_inode = inode_bytes(&stored, self.room.in_inode);
        }
        if !self.in_block.is_empty() {
            let stored = store(&self.in_block, ea_inodes, &mut placement);
            placement.block = Some(XattrBlock::new(&stored, self.room.block));
        }
        placement
    }
}

/// Moves values out of a block, the longest first, until the rest fits or no value is left.
fn move_longest(in_block: &mut [Attribute<'_>], limit: usize) {
    let mut len: usize = in_block.iter().map(Attribute::len).sum();
    let mut by_len: Vec<&mut Attribute<'_>> = in_block.iter_mut().collect();
    // The sort is stable: of equally long values, the first on disk is moved first.
    by_len.sort_by_key(|attribute| Reverse(attribute.value.len()));
    for attribute in by_len {
        if len <= limit || attribute.value.is_empty() {
            break;
        }
        if !attribute.in_ea_inode && !attribute.is_inline_data() {
            len -= attribute.len();
            attribute.in_ea_inode = true;
            len += attribute.len();
        }
    }
}

/// An attribute with the inode number and the hash of its value, if that is in a separate inode.
struct StoredAttribute<'a, 'x> {
    attribute: &'a Attribute<'x>,
    ea_inode: Option<(u32, u32)>,
}

fn store<'a, 'x>(
    attributes: &'a [Attribute<'x>],
    ea_inodes: &mut EaInodes,
    placement: &mut Placement,
) -> Vec<StoredAttribute<'a, 'x>> {
    let store = |attribute: &'a Attribute<'x>| {
        let ea_inode = attribute.in_ea_inode.then(|| ea_inodes.add(&attribute.value));
        if ea_inode.is_some() {
            placement.ea_blocks += ea_inodes.blocks_of(attribute.value.len());
        }
        StoredAttribute { attribute, ea_inode }
    };
    attributes.iter().map(store).collect()
}

fn numbers(attributes: &[StoredAttribute<'_, '_>]) -> Vec<u32> {
    attributes.iter().filter_map(|stored| stored.ea_inode).map(|(number, _)| number).collect()
}

impl StoredAttribute<'_, '_> {
    /// Returns the bytes of the value that are stored with the entry.
    fn value(&self) -> &[u8] {
        if self.ea_inode.is_some() { &[] } else { &self.attribute.value }
    }

    /// Returns `e_hash`: of the value, or of the hash in its inode instead.
    fn hash(&self) -> u32 {
        match self.ea_inode {
            Some((_, hash)) => entry_hash(self.attribute.suffix, &hash.to_le_bytes()),
            None => entry_hash(self.attribute.suffix, &self.attribute.value),
        }
    }
}

fn inode_bytes(attributes: &[StoredAttribute<'_, '_>], in_inode_space: usize) -> Vec<u8> {
    let mut bytes = vec![0; in_inode_space];
    let (header, room) = bytes.split_at_mut(size_of::<IbodyHeader>());
    header.copy_from_slice(IbodyHeader { h_magic: U32::new(EXT4_XATTR_MAGIC) }.as_bytes());
    // The kernel writes and checks hashes here only for values in separate inodes.
    let hash = |stored: &StoredAttribute<'_, '_>| if stored.ea_inode.is_some() { stored.hash() } else { 0 };
    let (entries, values) = stacks(attributes, room.len(), hash);
    fill(room, 0, &entries, &values);
    bytes
}

impl XattrBlock {
    fn new(attributes: &[StoredAttribute<'_, '_>], block_size: usize) -> Self {
        let (entries, values) =
            stacks(attributes, block_size, |stored: &StoredAttribute<'_, '_>| stored.hash());
        let hash = block_hash(attributes.iter().map(StoredAttribute::hash));
        Self { entries, values, hash, ea_inodes: numbers(attributes) }
    }
}

/// Returns the entries and the values of attributes that are known to fit. Values end where
/// `e_value_offs` would be `end`.
fn stacks(
    attributes: &[StoredAttribute<'_, '_>],
    end: usize,
    hash: impl Fn(&StoredAttribute<'_, '_>) -> u32,
) -> (Vec<u8>, Vec<u8>) {
    let mut entries = Vec::new();
    let mut value_at = end;
    for stored in attributes {
        let Attribute { index, suffix, value, .. } = stored.attribute;
        value_at -= stored.value().len().next_multiple_of(4);
        let offset = if stored.value().is_empty() { 0 } else { value_at };
        let entry = XattrEntry {
            e_name_len: u8::try_from(suffix.len()).expect("an xattr's name has at most 255 bytes"),
            e_name_index: *index,
            e_value_offs: U16::new(u16::try_from(offset).expect("blocks are smaller than 64 KiB")),
            e_value_inum: U32::new(stored.ea_inode.map_or(0, |(number, _)| number)),
            e_value_size: U32::new(u32::try_from(value.len()).expect("values have at most 64 KiB")),
            e_hash: U32::new(hash(stored)),
        };
        entries.extend_from_slice(entry.as_bytes());
        entries.extend_from_slice(suffix);
        entries.resize(entries.len().next_multiple_of(4), 0);
    }
    let mut values = Vec::with_capacity(end - value_at);
    for stored in attributes.iter().rev() {
        values.extend_from_slice(stored.value());
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
