//! Planning: the layout is decided before any byte is read or written.

pub(crate) mod attributes;
pub(crate) mod chunks;
pub(crate) mod data;
pub(crate) mod directories;
pub(crate) mod epoch;
pub(crate) mod inodes;
pub(crate) mod metadata;
pub(crate) mod packed;
pub(crate) mod sharing;
pub(crate) mod summary;

use std::collections::BTreeMap;

use image_tree::{Content, InodeId, Kind, Timestamp, Tree};

use crate::error::Error;
use crate::ondisk::superblock;
use crate::options::Options;
use crate::pack::Packed;
use attributes::Xattrs;
use data::{Data, Demand};
use directories::Directory;
use inodes::Inodes;
use metadata::{MetadataSpace, Room};
use packed::{Heads, Maps, Placed};
use sharing::Sharing;

/// The maximum number of blocks with block numbers of 32 bits.
const MAX_NARROW_BLOCKS: u64 = u32::MAX as u64;
/// The maximum number of blocks.
const MAX_BLOCKS: u64 = (1 << 48) - 1;
/// The minimum length of a filesystem in bytes: kernels read the first page.
const MIN_LEN: u64 = 4096;

/// A complete plan.
#[derive(Debug)]
pub(crate) struct Plan<'t, C> {
    pub(crate) tree: &'t Tree<C>,
    pub(crate) options: Options,
    pub(crate) inodes: Inodes,
    /// The blocks of the names of each directory, by inode number.
    pub(crate) directories: BTreeMap<u32, Directory>,
    pub(crate) xattrs: Xattrs<'t>,
    pub(crate) sharing: Sharing,
    /// The time of compact inodes.
    pub(crate) epoch: Timestamp,
    /// True if block numbers have 48 bits.
    pub(crate) wide: bool,
    /// The data of each inode, by number.
    pub(crate) data: Vec<Data>,
    /// The offset of each inode in bytes, by number.
    pub(crate) offsets: Vec<u64>,
    /// The inode numbers in the order of their offsets.
    pub(crate) order: Vec<u32>,
    /// The offset of the shared xattrs, in bytes.
    pub(crate) shared_xattrs: u64,
    /// The number of the first block behind inodes and shared xattrs.
    pub(crate) metadata_blocks: u64,
    /// The number of blocks.
    pub(crate) blocks: u64,
    /// The compressed files.
    pub(crate) packed: Option<Packed<C>>,
    /// The maps of compressed files, and the packed inode.
    pub(crate) maps: Maps,
}

impl<C> Plan<'_, C> {
    /// Returns the length of the start of an inode before its tail, in bytes.
    pub(crate) fn head_len(&self, number: u32) -> u64 {
        self.data[number as usize].head_len(number, &self.inodes, &self.xattrs)
    }

    /// Returns the nid of an inode.
    pub(crate) fn nid(&self, number: u32) -> u64 {
        self.offsets[number as usize] / crate::ondisk::inode::SLOT
    }
}

/// Plans a filesystem of the tree.
///
/// # Errors
/// Returns an error if EROFS cannot represent the tree or the options are not valid for it.
pub(crate) fn plan<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
    packed: Option<Packed<C>>,
) -> Result<Plan<'t, C>, Error> {
    let mut inodes = inodes::number(tree)?;
    let directories = directories::plan(tree, &mut inodes, options.block_size);
    let xattrs = attributes::plan(tree, &inodes, options)?;
    let sharing = Sharing::of(tree, &inodes, shared)?;
    let epoch = epoch::choose(tree, &mut inodes);
    let packed = match packed {
        Some(packed) => {
            let heads = Heads { options, inodes: &inodes, xattrs: &xattrs, sharing: &sharing };
            Some(packed::settle(packed, &heads)?)
        }
        None => None,
    };
    let mut plan = Plan {
        tree,
        options: options.clone(),
        inodes,
        directories,
        xattrs,
        sharing,
        epoch,
        wide: false,
        data: Vec::new(),
        offsets: Vec::new(),
        order: Vec::new(),
        shared_xattrs: 0,
        metadata_blocks: 0,
        blocks: 0,
        packed,
        maps: Maps::default(),
    };
    place(&mut plan);
    if plan.blocks > MAX_NARROW_BLOCKS {
        if plan.packed.is_some() {
            return Err(Error::TooManyBlocks { blocks: plan.blocks, limit: MAX_NARROW_BLOCKS });
        }
        plan.wide = true;
        // Their first block has bits for which compact inodes have no room.
        plan.inodes.extend_all(|id| matches!(tree.get(id).kind, Kind::Regular(_)));
        place(&mut plan);
    }
    if plan.blocks > MAX_BLOCKS {
        return Err(Error::TooManyBlocks { blocks: plan.blocks, limit: MAX_BLOCKS });
    }
    Ok(plan)
}

/// Decides the form of the data of each inode, the place of each inode, and then the place of all
/// data.
fn place<C: Content>(plan: &mut Plan<'_, C>) {
    let block_size = plan.options.block_size;
    let Plan { tree, inodes, xattrs, sharing, options, wide, packed, .. } = &*plan;
    let demand = Demand { tree, options, inodes, xattrs, sharing, packed: packed.as_ref(), wide: *wide };
    let data = demand.all();
    let records = packed::records(plan.packed.as_ref()).len() as u64;
    let mut space = MetadataSpace::new(superblock::OFFSET + superblock::LEN + records, block_size);
    plan.offsets = plan
        .inodes
        .numbers()
        .map(|number| {
            let data = &data[number as usize];
            let kind = &plan.tree.get(plan.inodes.get(number).id).kind;
            let whole = matches!(kind, Kind::Symlink(_));
            let has_content = matches!(kind, Kind::Regular(_));
            let head = data.head_len(number, &plan.inodes, &plan.xattrs);
            space.place(Room {
                inode: plan.inodes.len_of(number),
                head,
                tail: data.tail(),
                whole,
                has_content,
            })
        })
        .collect();
    plan.data = data;
    let fragments = packed::place_fragments(plan.packed.as_ref(), &mut space);
    plan.order = plan.inodes.numbers().collect();
    plan.order.sort_by_key(|number| plan.offsets[*number as usize]);
    plan.shared_xattrs = space.end().next_multiple_of(crate::ondisk::xattr::ALIGN as u64);
    let end = plan.shared_xattrs + plan.xattrs.area().len() as u64;
    plan.metadata_blocks = block_size.blocks_of(end);
    let end =
        data::place_blocks(&mut plan.data, plan.metadata_blocks, plan.tree, &plan.inodes, &plan.sharing);
    let files = plan.inodes.numbers().filter_map(|number| match &plan.data[number as usize] {
        Data::Packed(data) => {
            let first = plan.inodes.get(plan.sharing.first(number).unwrap_or(number)).id;
            Some(Placed { number, first, data })
        }
        _ => None,
    });
    let (maps, end) = packed::maps(plan.packed.as_ref(), files, fragments, end);
    plan.maps = maps;
    plan.blocks = end.max(block_size.blocks_of(MIN_LEN));
}
