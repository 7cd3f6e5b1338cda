//! Planning: the layout is decided before any byte is read or written.

pub(crate) mod attributes;
pub(crate) mod blocks;
pub(crate) mod data;
pub(crate) mod directories;
pub(crate) mod groups;
pub(crate) mod holes;
pub(crate) mod inodes;
pub(crate) mod sharing;
pub(crate) mod size;

use std::collections::BTreeMap;

use image_tree::{Content, InodeId, Kind, Tree};

use crate::error::Error;
use crate::ondisk::checksum::Checksum;
use crate::ondisk::dir_entry::DirBlock;
use crate::ondisk::inode::{FAST_SYMLINK_MAX, FIRST_INO, ROOT_INO};
use crate::options::{self, Options};
use attributes::{Xattrs, checksum_of_uuid, plan_xattrs};
use blocks::{Alignment, BlockDemand, Placement};
use data::{SparseFile, blocks_of};
use directories::entries::entries;
use directories::{DirectoryLayout, DirectoryPlan, Hashing};
use groups::Geometry;
use holes::Holes;
use inodes::Inodes;
use sharing::Sharing;

/// A complete plan.
#[derive(Debug)]
pub(crate) struct Plan<'t, C> {
    pub(crate) tree: &'t Tree<C>,
    pub(crate) options: Options,
    pub(crate) inodes: Inodes,
    /// Every directory, in the order of their inode numbers.
    pub(crate) directories: Vec<Directory<'t>>,
    pub(crate) xattrs: Xattrs,
    /// The files that share the blocks of another.
    pub(crate) sharing: Sharing,
    pub(crate) holes: Holes,
    pub(crate) geometry: Geometry,
    pub(crate) placement: Placement,
}

/// A directory and its blocks.
#[derive(Debug)]
pub(crate) struct Directory<'t> {
    pub(crate) number: u32,
    pub(crate) parent: u32,
    pub(crate) plan: DirectoryPlan<'t>,
}

impl<C> Plan<'_, C> {
    /// Returns the seed of every checksum except that of the superblock; [`Checksum::NONE`] without
    /// `metadata_csum`.
    pub(crate) fn checksum_seed(&self) -> Checksum {
        if self.options.features.metadata_csum { checksum_of_uuid(&self.options) } else { Checksum::NONE }
    }

    /// Returns the number of blocks saved by sharing.
    pub(crate) fn shared_blocks(&self) -> u64 {
        let extents = self.sharing.iter().flat_map(|(number, _)| self.placement.extents(number));
        extents.map(|extent| u64::from(extent.len)).sum()
    }

    /// Returns the directory with an inode number.
    pub(crate) fn directory(&self, number: u32) -> Option<&Directory<'_>> {
        let position = self.directories.binary_search_by_key(&number, |directory| directory.number);
        position.ok().map(|position| &self.directories[position])
    }
}

/// Plans a filesystem of the tree.
///
/// # Errors
/// Returns an error if ext4 cannot represent the tree or the options are not valid for it.
pub(crate) fn plan<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
) -> Result<Plan<'t, C>, Error> {
    options::check(options)?;
    let mut inodes = inodes::number(tree, options)?;
    let xattrs = plan_xattrs(tree, &inodes, options)?;
    inodes.add(xattrs.ea_inodes.len())?;
    let directories = plan_directories(tree, &inodes, &xattrs, options)?;
    let sharing = Sharing::of(tree, &inodes, options, shared)?;
    let mut demand = block_demand(tree, &inodes, &directories, &xattrs, options);
    demand.alignment = options.data_alignment.and_then(|given| Alignment::of(given, options.block_size));
    demand.share(sharing);
    let (geometry, placement) = size::choose(&demand, inodes.last(), options)?;
    let holes = Holes::of(tree, &inodes, &xattrs, &placement, options);
    Ok(Plan {
        tree,
        options: options.clone(),
        inodes,
        directories,
        xattrs,
        sharing: demand.sharing,
        holes,
        geometry,
        placement,
    })
}

fn plan_directories<'t, C>(
    tree: &'t Tree<C>,
    inodes: &Inodes,
    xattrs: &Xattrs,
    options: &Options,
) -> Result<Vec<Directory<'t>>, Error> {
    let words = options.hash_seed.as_bytes().as_chunks::<4>().0;
    let mut seed = [0; 4];
    for (word, bytes) in seed.iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
    let hashing = Hashing { seed, signedness: options.hash_signedness };
    let block_size = options.block_size;
    let Options { directory_slack_percent: slack_percent, linear_order, .. } = *options;
    let block = DirBlock { len: block_size.len(), has_checksum: options.features.metadata_csum };
    let has_index = options.features.dir_index;
    let layout = DirectoryLayout { block, has_index, hashing, slack_percent, linear_order };
    let mut directories = Vec::with_capacity(inodes.directories as usize);
    for number in ROOT_INO..=inodes.last() {
        let (entries, parent, id) = match inodes.id(number) {
            Some(id) => match tree.entries(id) {
                Some(_) => (entries(tree, inodes, id), inodes.parent(id), id),
                None => continue,
            },
            None if number == FIRST_INO => (Vec::new(), ROOT_INO, InodeId::ROOT),
            None => continue,
        };
        if xattrs.inline.contains_key(&number) {
            let plan = DirectoryPlan::without_blocks(block);
            directories.push(Directory { number, parent, plan });
            continue;
        }
        let min_blocks = if number == FIRST_INO { block_size.lost_and_found_blocks() } else { 1 };
        let plan = directories::plan(entries, min_blocks, &layout)
            .map_err(|reason| Error::unrepresentable(tree.path_of(id), reason))?;
        directories.push(Directory { number, parent, plan });
    }
    Ok(directories)
}

fn block_demand<C: Content>(
    tree: &Tree<C>,
    inodes: &Inodes,
    directories: &[Directory<'_>],
    xattrs: &Xattrs,
    options: &Options,
) -> BlockDemand {
    let block_size = options.block_size;
    let mut file_blocks = vec![0; inodes.last() as usize + 1];
    let mut sparse = BTreeMap::new();
    let mut order: Vec<u32> = Vec::with_capacity(file_blocks.len());
    for directory in directories {
        file_blocks[directory.number as usize] = directory.plan.block_count();
        order.push(directory.number);
    }
    let mut symlinks = Vec::new();
    let mut files = Vec::new();
    for number in ROOT_INO..=inodes.last() {
        let Some(id) = inodes.id(number) else { continue };
        if xattrs.inline.contains_key(&number) {
            continue;
        }
        match &tree.get(id).kind {
            Kind::Symlink(target) if target.as_bytes().len() > FAST_SYMLINK_MAX => {
                file_blocks[number as usize] = 1;
                symlinks.push(number);
            }
            Kind::Regular(content) if !content.is_empty() => {
                let data = options.holes.then(|| SparseFile::of(content, block_size)).flatten();
                file_blocks[number as usize] = match &data {
                    Some(data) => data.blocks(),
                    None => blocks_of(content, block_size),
                };
                sparse.extend(data.map(|data| (number, data)));
                files.push(number);
            }
            _ => {}
        }
    }
    let xattr_blocks = u32::try_from(xattrs.shared.len()).expect("no more than inodes");
    let directories = order.len();
    order.append(&mut symlinks);
    for (number, inode) in xattrs.ea_inodes.iter() {
        let blocks = block_size.blocks_of(inode.value.len() as u64);
        file_blocks[number as usize] = u32::try_from(blocks).expect("values have at most 64 KiB");
        order.push(number);
    }
    order.append(&mut files);
    BlockDemand { file_blocks, order, directories, xattr_blocks, sparse, ..BlockDemand::default() }
}
