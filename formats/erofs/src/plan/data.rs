//! The form in which the data of each inode is stored, and its blocks.

use image_tree::{Content, Kind, Tree};

use super::attributes::Xattrs;
use super::chunks::Chunks;
use super::inodes::Inodes;
use super::metadata::Room;
use super::packed::{self, PackedData};
use super::sharing::Sharing;
use crate::ondisk::chunk::Entries;
use crate::options::{Inline, Options};
use crate::pack::{Packed, PackedFile};

/// The data of an inode.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// None: an empty file, a device, a pipe or a socket.
    None,
    /// Consecutive blocks, and possibly a tail behind the inode.
    Flat {
        /// The number of the first block.
        first: u64,
        /// The number of blocks.
        blocks: u64,
        /// The length of the tail in bytes.
        tail: u64,
    },
    /// Chunks, some of which are holes.
    Chunks(Chunks),
    /// Compressed.
    Packed(PackedData),
}

impl Data {
    /// The length of the map behind inode and xattrs, in bytes.
    pub(crate) fn map_len(&self) -> u64 {
        match self {
            Self::None | Self::Flat { .. } => 0,
            Self::Chunks(chunks) => chunks.map_len(),
            Self::Packed(packed) => packed.map_len,
        }
    }

    /// The alignment of the map in bytes.
    pub(crate) fn map_align(&self) -> u64 {
        match self {
            Self::None | Self::Flat { .. } => 1,
            Self::Chunks(chunks) => chunks.entries.len(),
            Self::Packed(_) => packed::MAP_ALIGN,
        }
    }

    /// The length of everything between the start of an inode with this data and its tail, in bytes.
    pub(crate) fn head_len(&self, number: u32, inodes: &Inodes, xattrs: &Xattrs<'_>) -> u64 {
        let with_xattrs = inodes.len_of(number) + xattrs.body_len(number) as u64;
        with_xattrs.next_multiple_of(self.map_align()) + self.map_len()
    }

    /// The length of the tail behind the inode, in bytes.
    pub(crate) fn tail(&self) -> u64 {
        match self {
            Self::Flat { tail, .. } => *tail,
            Self::Packed(packed) => packed.tail,
            Self::None | Self::Chunks(_) => 0,
        }
    }

    /// The number of blocks, without the tail.
    pub(crate) fn blocks(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Flat { blocks, .. } => *blocks,
            Self::Chunks(chunks) => chunks.blocks(),
            Self::Packed(packed) => packed.blocks,
        }
    }

    fn set_first(&mut self, block: u64) {
        match self {
            Self::None => {}
            Self::Flat { first, .. } => *first = block,
            Self::Chunks(chunks) => chunks.first = block,
            Self::Packed(packed) => packed.first = block,
        }
    }

    /// The number of the first block.
    fn first(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Flat { first, .. } => *first,
            Self::Chunks(chunks) => chunks.first,
            Self::Packed(packed) => packed.first,
        }
    }
}

/// The decisions about the data of all inodes, from lengths alone.
pub(crate) struct Demand<'p, 't, C> {
    pub(crate) tree: &'p Tree<C>,
    pub(crate) options: &'p Options,
    pub(crate) inodes: &'p Inodes,
    pub(crate) xattrs: &'p Xattrs<'t>,
    pub(crate) sharing: &'p Sharing,
    /// The compressed files, once it is known where their tails are.
    pub(crate) packed: Option<&'p Packed<C>>,
    /// True if block numbers have 48 bits.
    pub(crate) wide: bool,
}

impl<C: Content> Demand<'_, '_, C> {
    /// Returns the data of every inode, by number, before it has a place.
    pub(crate) fn all(&self) -> Vec<Data> {
        let mut all: Vec<Data> = Vec::new();
        for number in self.inodes.numbers() {
            let first = self.sharing.first(number);
            let data = match (self.packed(first.unwrap_or(number)), first) {
                (Some((packed, file)), _) => {
                    Data::Packed(packed.data(file, packed::map_start(number, self.inodes, self.xattrs)))
                }
                (None, Some(first)) => all[first as usize].clone(),
                (None, None) => self.data(number),
            };
            all.push(data);
        }
        all
    }

    /// Returns a file if it is compressed.
    fn packed(&self, number: u32) -> Option<(&Packed<C>, &PackedFile)> {
        let packed = self.packed?;
        Some((packed, packed.files.get(&self.inodes.get(number).id)?))
    }

    fn data(&self, number: u32) -> Data {
        let Self { tree, inodes, options, sharing, .. } = self;
        let inode = inodes.get(number);
        let block_size = options.block_size;
        let is_inline = match &tree.get(inode.id).kind {
            Kind::Regular(content) => {
                let entries = if self.wide { Entries::Wide } else { Entries::Narrow };
                let chunks = options.holes.then(|| Chunks::of(content, block_size, entries)).flatten();
                if let Some(chunks) = chunks {
                    return Data::Chunks(chunks);
                }
                let later = sharing.later(number);
                // One block for all takes less than a tail for each.
                let is_shorter = later.is_empty()
                    || block_size.rest_of(inode.size) * (later.len() as u64 + 1) < block_size.bytes();
                options.inline == Inline::Tails
                    && is_shorter
                    && [number].iter().chain(later).all(|number| self.fits(*number, false))
            }
            Kind::Symlink(_) => inode.size < block_size.bytes() && self.fits(number, true),
            Kind::Directory(_) => self.fits(number, false),
            _ => return Data::None,
        };
        match inode.size {
            0 => Data::None,
            size if is_inline => Data::Flat {
                first: 0,
                blocks: block_size.whole_blocks_of(size),
                tail: block_size.rest_of(size),
            },
            size => Data::Flat { first: 0, blocks: block_size.blocks_of(size), tail: 0 },
        }
    }

    /// Returns true if the tail of a file fits behind its inode.
    fn fits(&self, number: u32, whole: bool) -> bool {
        let Self { inodes, xattrs, options, .. } = self;
        let tail = options.block_size.rest_of(inodes.get(number).size);
        let head = Data::None.head_len(number, inodes, xattrs);
        let inode = inodes.len_of(number);
        Room { inode, head, tail, whole, has_content: false }.exists(options.block_size)
    }
}

/// Gives blocks to the data of all inodes: first directories, then symbolic links, then files, each
/// in the order of the walk. Returns the number of all blocks.
pub(crate) fn place_blocks<C: Content>(
    data: &mut [Data],
    first_block: u64,
    tree: &Tree<C>,
    inodes: &Inodes,
    sharing: &Sharing,
) -> u64 {
    let kinds: [fn(&Kind<C>) -> bool; 3] = [
        |kind| matches!(kind, Kind::Directory(_)),
        |kind| matches!(kind, Kind::Symlink(_)),
        |kind| matches!(kind, Kind::Regular(_)),
    ];
    let mut next = first_block;
    for is_kind in kinds {
        for number in inodes.numbers().filter(|number| is_kind(&tree.get(inodes.get(*number).id).kind)) {
            if let Some(first) = sharing.first(number) {
                let block = data[first as usize].first();
                data[number as usize].set_first(block);
                continue;
            }
            let data = &mut data[number as usize];
            data.set_first(next);
            next = next.saturating_add(data.blocks());
        }
    }
    next
}
