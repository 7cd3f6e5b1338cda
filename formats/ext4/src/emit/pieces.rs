//! The pieces of the filesystem that are not zeros, in order.

use image_runs::MAX_RENDERED;
use image_tree::{Content, Kind};
use zerocopy::IntoBytes;

use super::inodes::{file_tree, journal_tree, orphan_tree};
use super::{directory, groups, inodes, resize, superblock};
use crate::BlockSize;
use crate::ondisk::inode::{JOURNAL_INO, ROOT_INO};
use crate::ondisk::jbd2::JournalSuperblock;
use crate::ondisk::orphan::{ORPHAN_FILE_INO, write_empty_block};
use crate::ondisk::superblock::{OFFSET_IN_BLOCK_0, Superblock};
use crate::plan::Plan;
use crate::plan::blocks::Extent;

/// Consecutive bytes of one kind. Bytes between pieces are zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// The offset in the filesystem, in bytes.
    pub(crate) offset: u64,
    /// The length in bytes; not rounded up to blocks for file data.
    pub(crate) len: u64,
    kind: PieceKind,
}

#[derive(Clone, Copy, Debug)]
enum PieceKind {
    /// The superblock in this group.
    Superblock(u32),
    /// Descriptors, starting with that of this group.
    Descriptors(u32),
    /// A reserved descriptor block of group 0, by index.
    Reserved(u32),
    BlockBitmap(u32),
    InodeBitmap(u32),
    /// Inodes, starting with that of this number.
    InodeTable(u32),
    Journal,
    ResizeDind,
    /// Blocks of the orphan file, starting at this block of the filesystem.
    OrphanFile(u64),
    /// Blocks of a directory, by its index, starting at a block of the directory.
    Directory(u32, u32),
    Xattrs(u32),
    /// The value of an extended attribute, by the number of its inode, starting at a logical block.
    EaInode(u32, u32),
    /// A node of the extent tree of an inode, by inode number and index.
    ExtentNode(u32, u32),
    /// The target of a symbolic link, by inode number.
    Symlink(u32),
    /// File data, by inode number, starting at a logical block.
    Data(u32, u32),
}

/// The source of a piece that is not rendered.
pub(crate) enum Data<'t, C> {
    /// The target of a symbolic link.
    Target(&'t [u8]),
    /// The bytes of a file, starting at an offset.
    Content(&'t C, u64),
}

/// Returns all pieces, in order.
///
/// # Panics
/// Panics if two pieces overlap or one extends beyond the end: the plan is wrong, and a failure is
/// better than a corrupt image.
pub(crate) fn pieces<C: Content>(plan: &Plan<'_, C>) -> Vec<Piece> {
    let block_size = plan.options.block_size;
    let mut list = Pieces { block_size, list: Vec::with_capacity(plan.inodes.last() as usize + 64) };
    list.add_copies(plan);
    list.add_groups(plan);
    list.add_journal(plan);
    list.add_orphan_file(plan);
    list.add_directories(plan);
    for (index, block) in (0..).zip(&plan.placement.xattr_blocks) {
        list.add_block(*block, PieceKind::Xattrs(index));
    }
    list.add_ea_inodes(plan);
    list.add_files(plan);
    let mut list = list.list;
    list.sort_by_key(|piece| piece.offset);
    let end = block_size.offset(plan.geometry.blocks);
    for (piece, next) in list.iter().zip(list.iter().skip(1).map(|next| next.offset).chain([end])) {
        assert!(piece.offset + piece.len <= next, "{piece:?} reaches beyond {next}");
    }
    list
}

/// Returns the source of a piece of data; `None` if the piece is rendered.
pub(crate) fn data<'t, C>(plan: &Plan<'t, C>, piece: &Piece) -> Option<Data<'t, C>> {
    let (PieceKind::Symlink(number) | PieceKind::Data(number, _)) = piece.kind else { return None };
    let id = plan.inodes.id(number).expect("data is of a file of the tree");
    match (&plan.tree.get(id).kind, piece.kind) {
        (Kind::Symlink(target), _) => Some(Data::Target(target.as_bytes())),
        (Kind::Regular(content), PieceKind::Data(_, block)) => {
            Some(Data::Content(content, plan.options.block_size.offset(u64::from(block))))
        }
        _ => None,
    }
}

/// Writes a piece of metadata into `out`, which is as long as the piece and zeroed.
pub(crate) fn render<C: Content>(plan: &Plan<'_, C>, descriptors: &[u8], piece: &Piece, out: &mut [u8]) {
    let seed = plan.checksum_seed();
    match piece.kind {
        PieceKind::Superblock(group) => out.copy_from_slice(superblock::superblock(plan, group).as_bytes()),
        PieceKind::Descriptors(group) => {
            let from = &descriptors[group as usize * groups::desc_size(plan)..];
            let len = from.len().min(out.len());
            out[..len].copy_from_slice(&from[..len]);
        }
        PieceKind::Reserved(index) => resize::write_reserved(&plan.geometry, u64::from(index), out),
        PieceKind::BlockBitmap(group) => groups::write_block_bitmap(plan, group, out),
        PieceKind::InodeBitmap(group) => groups::write_inode_bitmap(plan, group, out),
        PieceKind::InodeTable(first) => inodes::write_table(plan, first, out),
        PieceKind::Journal => {
            let block_size = u32::try_from(plan.options.block_size.bytes()).expect("at most 4096");
            let uuid = plan.options.uuid.into_bytes();
            let journal = JournalSuperblock::empty(block_size, plan.geometry.journal_blocks, uuid);
            out.copy_from_slice(journal.as_bytes());
        }
        PieceKind::ResizeDind => resize::write_dind(&plan.geometry, out),
        PieceKind::OrphanFile(first) => {
            let seed = seed.of_inode(ORPHAN_FILE_INO, 0);
            for (block, out) in (first..).zip(out.chunks_exact_mut(plan.options.block_size.len())) {
                write_empty_block(out, block, seed);
            }
        }
        PieceKind::Directory(index, first) => {
            let planned = &plan.directories[index as usize];
            let seed = seed.of_inode(planned.number, 0);
            for (block, out) in (first..).zip(out.chunks_exact_mut(plan.options.block_size.len())) {
                directory::render_block(&planned.plan, planned.number, planned.parent, seed, block, out);
            }
        }
        PieceKind::Xattrs(index) => {
            let block = plan.placement.xattr_blocks[index as usize];
            out.copy_from_slice(&plan.xattrs.shared.render(index as usize, block, seed));
        }
        PieceKind::EaInode(number, block) => {
            let inode = plan.xattrs.ea_inodes.get(number).expect("pieces are of inodes there are");
            // OK to index: a value has at most 64 KiB.
            let from = block as usize * plan.options.block_size.len();
            out.copy_from_slice(&inode.value[from..from + out.len()]);
        }
        PieceKind::ExtentNode(number, node) => {
            let tree = match number {
                JOURNAL_INO => journal_tree(plan),
                ORPHAN_FILE_INO if plan.geometry.orphan_blocks > 0 => orphan_tree(plan),
                _ => file_tree(plan, number),
            };
            tree.write_block(node as usize, seed.of_inode(number, 0), out);
        }
        PieceKind::Symlink(_) | PieceKind::Data(..) => unreachable!("data is not rendered"),
    }
}

struct Pieces {
    block_size: BlockSize,
    list: Vec<Piece>,
}

impl Pieces {
    fn add(&mut self, block: u64, len: u64, kind: PieceKind) {
        self.list.push(Piece { offset: self.block_size.offset(block), len, kind });
    }

    fn add_block(&mut self, block: u64, kind: PieceKind) {
        self.add(block, self.block_size.bytes(), kind);
    }

    /// Adds consecutive blocks in pieces short enough to render; `kind` returns the kind of a piece
    /// that starts at block `n` of them.
    fn add_blocks(&mut self, block: u64, blocks: u64, kind: impl Fn(u32) -> PieceKind) {
        let chunk = MAX_RENDERED / self.block_size.bytes();
        let mut done = 0;
        while done < blocks {
            let len = (blocks - done).min(chunk);
            self.add(block + done, self.block_size.offset(len), kind(u32_of(done)));
            done += len;
        }
    }

    /// Adds superblocks, descriptors and their reserve, in every group that has them.
    fn add_copies<C>(&mut self, plan: &Plan<'_, C>) {
        let geometry = &plan.geometry;
        let descriptors_per_block = u32_of(self.block_size.descs_per_block(geometry.desc_size));
        for group in geometry.backup_groups() {
            let block = geometry.first_block(group);
            self.add(block, size_of::<Superblock>() as u64, PieceKind::Superblock(group));
            let gdt_blocks = u64::from(geometry.gdt_blocks());
            self.add_blocks(block + 1, gdt_blocks, |n| PieceKind::Descriptors(n * descriptors_per_block));
        }
        self.list[0].offset = OFFSET_IN_BLOCK_0 as u64;
        if resize::has_lists(geometry, &plan.placement) {
            let first = geometry.first_block(0) + 1 + u64::from(geometry.gdt_blocks());
            for index in 0..geometry.reserved_gdt_blocks {
                self.add_block(first + u64::from(index), PieceKind::Reserved(index));
            }
        }
    }

    /// Adds bitmaps and inode tables, as far as they are in use.
    fn add_groups<C>(&mut self, plan: &Plan<'_, C>) {
        for (group, places) in (0..).zip(&plan.placement.groups) {
            if !groups::is_block_uninit(plan, group) {
                self.add_block(places.block_bitmap, PieceKind::BlockBitmap(group));
            }
            let used = groups::used_inodes(plan, group);
            // Without a checksum of the descriptor, no flag can mark the bitmap as uninitialised.
            if used > 0 || !plan.options.features.metadata_csum {
                self.add_block(places.inode_bitmap, PieceKind::InodeBitmap(group));
            }
            let first = group * plan.geometry.inodes_per_group + 1;
            let blocks = u64::from(used).div_ceil(self.block_size.inodes_per_block());
            let per_block = u32_of(self.block_size.inodes_per_block());
            self.add_blocks(places.inode_table, blocks, |n| PieceKind::InodeTable(first + n * per_block));
        }
    }

    fn add_journal<C>(&mut self, plan: &Plan<'_, C>) {
        if let Some(first) = plan.placement.journal.first() {
            self.add(first.physical, size_of::<JournalSuperblock>() as u64, PieceKind::Journal);
        }
        self.add_nodes(JOURNAL_INO, &plan.placement.journal_nodes);
        if let Some(dind) = plan.placement.resize_dind {
            self.add_block(dind, PieceKind::ResizeDind);
        }
    }

    fn add_orphan_file<C>(&mut self, plan: &Plan<'_, C>) {
        for Extent { len, physical, .. } in &plan.placement.orphan_file {
            self.add_blocks(*physical, u64::from(*len), |n| PieceKind::OrphanFile(physical + u64::from(n)));
        }
        self.add_nodes(ORPHAN_FILE_INO, &plan.placement.orphan_nodes);
    }

    fn add_directories<C>(&mut self, plan: &Plan<'_, C>) {
        for (index, directory) in (0..).zip(&plan.directories) {
            for Extent { logical, len, physical } in plan.placement.extents(directory.number) {
                self.add_blocks(*physical, u64::from(*len), |n| PieceKind::Directory(index, logical + n));
            }
            self.add_nodes(directory.number, plan.placement.extent_nodes(directory.number));
        }
    }

    fn add_ea_inodes<C>(&mut self, plan: &Plan<'_, C>) {
        for (number, inode) in plan.xattrs.ea_inodes.iter() {
            for Extent { logical, len, physical } in plan.placement.extents(number) {
                let rest = inode.value.len() as u64 - self.block_size.offset(u64::from(*logical));
                let len = rest.min(self.block_size.offset(u64::from(*len)));
                self.add(*physical, len, PieceKind::EaInode(number, *logical));
            }
            self.add_nodes(number, plan.placement.extent_nodes(number));
        }
    }

    fn add_files<C: Content>(&mut self, plan: &Plan<'_, C>) {
        for number in ROOT_INO..=plan.inodes.last() {
            let Some(id) = plan.inodes.id(number) else { continue };
            let extents = plan.placement.extents(number);
            match &plan.tree.get(id).kind {
                Kind::Symlink(target) => {
                    for extent in extents {
                        self.add(extent.physical, target.as_bytes().len() as u64, PieceKind::Symlink(number));
                    }
                }
                Kind::Regular(content) => {
                    // Shared data is a piece of the first file that has it.
                    let own = if plan.sharing.has(number) { &[] } else { extents };
                    for Extent { logical, len, physical } in own {
                        let rest = content.len() - self.block_size.offset(u64::from(*logical));
                        let len = rest.min(self.block_size.offset(u64::from(*len)));
                        self.add(*physical, len, PieceKind::Data(number, *logical));
                    }
                    self.add_nodes(number, plan.placement.extent_nodes(number));
                }
                _ => {}
            }
        }
    }

    fn add_nodes(&mut self, number: u32, nodes: &[u64]) {
        for (node, block) in (0..).zip(nodes) {
            self.add_block(*block, PieceKind::ExtentNode(number, node));
        }
    }
}

fn u32_of(value: u64) -> u32 {
    u32::try_from(value).expect("blocks of one file or table are numbered in 32 bits")
}
