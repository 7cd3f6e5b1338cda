//! Inodes and the inode table.

use image_tree::{Content, InodeId, Kind};
use zerocopy::{FromZeros, IntoBytes};

use super::extents::ExtentTree;
use super::resize;
use crate::ondisk::inode::{
    EA_INODE_FL, EXTENTS_FL, EXTRA_ISIZE, FAST_SYMLINK_MAX, FIRST_INO, INDEX_FL, INLINE_DATA_FL, Inode,
    JOURNAL_INO, RESIZE_INO, encode_device, words,
};
use crate::ondisk::orphan::ORPHAN_FILE_INO;
use crate::plan::Plan;
use crate::plan::attributes::ea_inodes::EaInode;
use crate::plan::blocks::Placement;
use crate::plan::groups::Geometry;

/// `S_IFDIR | 0700`: only root can access `lost+found`.
const LOST_AND_FOUND_MODE: u16 = 0o040_700;
/// `S_IFREG | 0600`: the mode of internal inodes.
const INTERNAL_MODE: u16 = 0o100_600;

/// Writes the inodes from `first` on into `out`, as many as fit.
pub(crate) fn write_table<C: Content>(plan: &Plan<'_, C>, first: u32, out: &mut [u8]) {
    let seed = plan.checksum_seed();
    for (number, slot) in (first..=plan.inodes.last()).zip(out.chunks_exact_mut(size_of::<Inode>())) {
        if let Some(mut inode) = inode(plan, number) {
            inode.seal(seed, number);
            slot.copy_from_slice(inode.as_bytes());
        }
    }
}

/// Returns the length of the journal in bytes.
pub(crate) fn journal_size(geometry: &Geometry) -> u64 {
    geometry.block_size.offset(u64::from(geometry.journal_blocks))
}

/// Returns the extent tree of the journal.
pub(crate) fn journal_tree<'p, C>(plan: &'p Plan<'_, C>) -> ExtentTree<'p> {
    let Placement { journal, journal_nodes, .. } = &plan.placement;
    ExtentTree { block_size: plan.options.block_size, extents: journal, nodes: journal_nodes }
}

/// Returns the extent tree of the orphan file.
pub(crate) fn orphan_tree<'p, C>(plan: &'p Plan<'_, C>) -> ExtentTree<'p> {
    let Placement { orphan_file, orphan_nodes, .. } = &plan.placement;
    ExtentTree { block_size: plan.options.block_size, extents: orphan_file, nodes: orphan_nodes }
}

/// Returns the extent tree of a file, by inode number.
pub(crate) fn file_tree<'p, C>(plan: &'p Plan<'_, C>, number: u32) -> ExtentTree<'p> {
    let placement = &plan.placement;
    let (extents, nodes) = (placement.extents(number), placement.extent_nodes(number));
    ExtentTree { block_size: plan.options.block_size, extents, nodes }
}

/// Returns the inode with a number; `None` for the reserved ones that stay zero.
fn inode<C: Content>(plan: &Plan<'_, C>, number: u32) -> Option<Inode> {
    match plan.inodes.id(number) {
        Some(id) => Some(file(plan, number, id)),
        None if number == FIRST_INO => Some(lost_and_found(plan)),
        None if number == JOURNAL_INO && plan.geometry.journal_blocks > 0 => Some(journal(plan)),
        None if number == ORPHAN_FILE_INO => Some(orphan_file(plan)),
        None if number == RESIZE_INO => plan.placement.resize_dind.map(|dind| resize(plan, dind)),
        None => plan.xattrs.ea_inodes.get(number).map(|value| ea_inode(plan, number, value)),
    }
}

fn file<C: Content>(plan: &Plan<'_, C>, number: u32, id: InodeId) -> Inode {
    let file = plan.tree.get(id);
    let metadata = &file.metadata;
    let mut inode = Inode {
        i_mode: (file.kind.type_bits() | metadata.mode).into(),
        i_links_count: plan.inodes.links_count(id).into(),
        i_extra_isize: EXTRA_ISIZE.into(),
        ..Inode::new_zeroed()
    };
    inode.set_times(metadata.mtime);
    inode.set_owner(metadata.uid, metadata.gid);
    let mut blocks = set_content(plan, number, &file.kind, &mut inode);
    if let Some(bytes) = plan.xattrs.in_inode.get(&number) {
        inode.xattrs[..bytes.len()].copy_from_slice(bytes);
    }
    if let Some(index) = plan.xattrs.block.get(&number) {
        inode.set_file_acl(plan.placement.xattr_blocks[*index]);
        // A shared block is counted for each inode that uses it.
        blocks += 1;
    }
    // So are the blocks of its values in other inodes.
    blocks += plan.xattrs.ea_blocks.get(&number).copied().unwrap_or(0);
    inode.set_blocks(blocks, plan.options.block_size);
    inode
}

/// Fills the fields that depend on the kind of the file; returns the number of blocks.
fn set_content<C: Content>(plan: &Plan<'_, C>, number: u32, kind: &Kind<C>, inode: &mut Inode) -> u64 {
    if let Some(data) = plan.xattrs.inline.get(&number) {
        inode.i_flags = INLINE_DATA_FL.into();
        inode.i_block = data.i_block;
        inode.set_size(data.size);
        return 0;
    }
    match kind {
        Kind::Directory(_) => return set_directory(plan, number, inode),
        Kind::Regular(content) => {
            inode.set_size(content.len());
            return map(plan, number, inode);
        }
        Kind::Symlink(target) => {
            let target = target.as_bytes();
            inode.set_size(target.len() as u64);
            if target.len() > FAST_SYMLINK_MAX {
                return map(plan, number, inode);
            }
            inode.i_block[..target.len()].copy_from_slice(target);
        }
        Kind::CharacterDevice(device) | Kind::BlockDevice(device) => {
            let [old, new] = encode_device(*device);
            inode.i_block[..4].copy_from_slice(&old.to_le_bytes());
            inode.i_block[4..8].copy_from_slice(&new.to_le_bytes());
        }
        Kind::Fifo | Kind::Socket => {}
    }
    0
}

fn lost_and_found<C>(plan: &Plan<'_, C>) -> Inode {
    let mut inode = Inode {
        i_mode: LOST_AND_FOUND_MODE.into(),
        i_links_count: 2.into(),
        i_extra_isize: EXTRA_ISIZE.into(),
        ..Inode::new_zeroed()
    };
    inode.set_times(internal_time(plan));
    let blocks = set_directory(plan, FIRST_INO, &mut inode);
    inode.set_blocks(blocks, plan.options.block_size);
    inode
}

fn journal<C>(plan: &Plan<'_, C>) -> Inode {
    internal_file(plan, plan.geometry.journal_blocks, journal_tree(plan))
}

fn orphan_file<C>(plan: &Plan<'_, C>) -> Inode {
    internal_file(plan, plan.geometry.orphan_blocks, orphan_tree(plan))
}

fn internal_file<C>(plan: &Plan<'_, C>, blocks: u32, tree: ExtentTree<'_>) -> Inode {
    let mut inode = internal(plan);
    inode.i_flags = EXTENTS_FL.into();
    inode.set_size(plan.options.block_size.offset(u64::from(blocks)));
    tree.write_root(&mut inode.i_block);
    inode.set_blocks(u64::from(blocks) + tree.nodes.len() as u64, plan.options.block_size);
    inode
}

/// Returns the inode of an xattr value. In place of the times of access and change, it has the hash
/// of the value and the number of entries that refer to it.
fn ea_inode<C>(plan: &Plan<'_, C>, number: u32, value: &EaInode) -> Inode {
    let mut inode = internal(plan);
    inode.i_flags = EA_INODE_FL.into();
    inode.set_size(value.value.len() as u64);
    inode.i_atime = value.hash.into();
    (inode.i_version, inode.i_ctime) = words(value.refcount);
    (inode.i_atime_extra, inode.i_ctime_extra) = (0.into(), 0.into());
    let blocks = map(plan, number, &mut inode);
    inode.set_blocks(blocks, plan.options.block_size);
    inode
}

fn resize<C>(plan: &Plan<'_, C>, dind: u64) -> Inode {
    let mut inode = internal(plan);
    resize::fill_inode(&mut inode, dind, &plan.geometry);
    inode
}

fn internal<C>(plan: &Plan<'_, C>) -> Inode {
    let mut inode = Inode {
        i_mode: INTERNAL_MODE.into(),
        i_links_count: 1.into(),
        i_extra_isize: EXTRA_ISIZE.into(),
        ..Inode::new_zeroed()
    };
    inode.set_times(internal_time(plan));
    inode
}

/// Returns the time of inodes that are not in the tree: the creation time of the filesystem in
/// whole seconds, within the range of the superblock.
fn internal_time<C>(plan: &Plan<'_, C>) -> image_tree::Timestamp {
    image_tree::Timestamp::from_seconds(plan.options.created.seconds().clamp(0, i64::from(u32::MAX)))
}

/// Fills the fields of directories; returns the number of blocks.
fn set_directory<C>(plan: &Plan<'_, C>, number: u32, inode: &mut Inode) -> u64 {
    let directory = plan.directory(number).expect("every directory was planned");
    inode.set_size(plan.options.block_size.offset(u64::from(directory.plan.block_count())));
    let blocks = map(plan, number, inode);
    if directory.plan.is_indexed() {
        inode.i_flags = (inode.i_flags.get() | INDEX_FL).into();
    }
    blocks
}

/// Writes the root of the file's extent tree, which a file without blocks has too; returns the
/// number of blocks.
fn map<C>(plan: &Plan<'_, C>, number: u32, inode: &mut Inode) -> u64 {
    inode.i_flags = (inode.i_flags.get() | EXTENTS_FL).into();
    let tree = file_tree(plan, number);
    tree.write_root(&mut inode.i_block);
    tree.extents.iter().map(|extent| u64::from(extent.len)).sum::<u64>() + tree.nodes.len() as u64
}
