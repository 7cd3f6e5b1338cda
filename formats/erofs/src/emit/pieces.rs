//! The pieces of the filesystem that are not zeros, in order.

use image_runs::MAX_RENDERED;
use image_tree::{Content, Kind};

use super::{directories, inodes};
use crate::BlockSize;
use crate::ondisk::inode::EXTENDED_LEN;
use crate::ondisk::superblock;
use crate::pack::{Packed, PackedFile, Source};
use crate::plan::packed::{FragmentsInode, PackedData};
use crate::plan::{self, Plan};

/// The length from which on no further inode is added to a piece, in bytes. One more has at most
/// 256 KiB of xattrs and 64 KiB of names.
const ENOUGH_INODES: u64 = MAX_RENDERED / 2;

/// Consecutive bytes of one kind. Bytes between pieces are zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// The offset in the filesystem, in bytes.
    pub(crate) offset: u64,
    /// The length in bytes.
    pub(crate) len: u64,
    kind: PieceKind,
}

#[derive(Clone, Copy, Debug)]
enum PieceKind {
    Superblock,
    /// Inodes, by their range in the order of offsets.
    Inodes(u32, u32),
    /// The chunk map of an inode, by its number, from that of a chunk on.
    ChunkMap(u32, u64),
    SharedXattrs,
    /// Blocks of a directory, by its inode number, from the given one on.
    Directory(u32, usize),
    /// The target of a symbolic link, by inode number.
    Symlink(u32),
    /// Bytes of a file, by inode number, from an offset on.
    Content(u32, u64),
    /// The map of a compressed file, by inode number.
    Map(u32),
    /// The stored bytes of a physical cluster, by its position in the list.
    Cluster(u32),
    /// The packed inode, and its map.
    Fragments,
    FragmentsMap,
    /// The records of algorithms.
    Records,
}

/// The source of a piece.
pub(crate) enum Data<'p, C> {
    /// The superblock, which is rendered last.
    Superblock,
    /// [`render`].
    Rendered,
    /// Bytes in memory.
    Bytes(&'p [u8]),
    /// The bytes of a file, starting at an offset.
    Content(&'p C, u64),
}

/// Returns all pieces, in order.
///
/// # Panics
/// Panics if two pieces overlap or one extends beyond the end: the plan is wrong, and a failure is
/// better than a corrupt image.
pub(crate) fn pieces<C: Content>(plan: &Plan<'_, C>) -> Vec<Piece> {
    let block_size = plan.options.block_size;
    let mut list = Pieces { block_size, list: Vec::new() };
    list.add(superblock::OFFSET, superblock::LEN, PieceKind::Superblock);
    list.add(superblock::OFFSET + superblock::LEN, plan.maps.records.len() as u64, PieceKind::Records);
    list.add_inodes(plan);
    list.add_fragments(plan);
    list.add(plan.shared_xattrs, plan.xattrs.area().len() as u64, PieceKind::SharedXattrs);
    for number in plan.inodes.numbers() {
        match &plan.tree.get(plan.inodes.get(number).id).kind {
            Kind::Directory(_) => list.add_directory(plan, number),
            Kind::Regular(_) if plan.sharing.first(number).is_none() => list.add_file(plan, number),
            Kind::Symlink(target) => {
                if let plan::data::Data::Flat { first, blocks: 1.., .. } = plan.data[number as usize] {
                    let len = target.as_bytes().len() as u64;
                    list.add(block_size.offset(first), len, PieceKind::Symlink(number));
                }
            }
            _ => {}
        }
    }
    let mut list = list.list;
    list.sort_by_key(|piece| piece.offset);
    let end = block_size.offset(plan.blocks);
    for (piece, next) in list.iter().zip(list.iter().skip(1).map(|next| next.offset).chain([end])) {
        assert!(piece.offset + piece.len <= next, "{piece:?} reaches beyond {next}");
    }
    list
}

/// Returns the source of a piece.
pub(crate) fn data<'p, C>(plan: &'p Plan<'_, C>, piece: &Piece) -> Data<'p, C> {
    let kind = |number| &plan.tree.get(plan.inodes.get(number).id).kind;
    match piece.kind {
        PieceKind::Superblock => Data::Superblock,
        PieceKind::SharedXattrs => Data::Bytes(plan.xattrs.area()),
        PieceKind::Symlink(number) => match kind(number) {
            Kind::Symlink(target) => Data::Bytes(target.as_bytes()),
            other => unreachable!("{:?} has no target", other.file_type()),
        },
        PieceKind::Content(number, offset) => match kind(number) {
            Kind::Regular(content) => Data::Content(content, offset),
            other => unreachable!("{:?} has no content", other.file_type()),
        },
        PieceKind::Records => Data::Bytes(&plan.maps.records),
        PieceKind::Map(number) => Data::Bytes(&plan.maps.by_number[&number]),
        PieceKind::FragmentsMap => Data::Bytes(&fragments(plan).map),
        PieceKind::Cluster(index) => match packed(plan).clusters[index as usize].source {
            Source::Stored { content, offset, .. } => Data::Content(&packed(plan).contents[content], offset),
            Source::File { inode, offset, .. } => match &plan.tree.get(inode).kind {
                Kind::Regular(content) => Data::Content(content, offset),
                other => unreachable!("{:?} has no content", other.file_type()),
            },
        },
        PieceKind::Inodes(..) | PieceKind::ChunkMap(..) | PieceKind::Directory(..) | PieceKind::Fragments => {
            Data::Rendered
        }
    }
}

/// Writes a piece that is rendered into `out`, which is as long as the piece and zeroed.
pub(crate) fn render<C>(plan: &Plan<'_, C>, piece: &Piece, out: &mut [u8]) {
    match piece.kind {
        PieceKind::Inodes(first, end) => {
            for number in &plan.order[first as usize..end as usize] {
                let start = plan.offsets[*number as usize] - piece.offset;
                let [start, len] = [start, rendered_len(plan, *number)]
                    .map(|value| usize::try_from(value).expect("pieces have at most 1 MiB"));
                inodes::write(plan, *number, &mut out[start..start + len]);
            }
        }
        PieceKind::ChunkMap(number, first) => {
            if let plan::data::Data::Chunks(chunks) = &plan.data[number as usize] {
                chunks.write_map(first, out);
            }
        }
        PieceKind::Directory(number, first) => directories::write_blocks(plan, number, first, out),
        PieceKind::Fragments => out.copy_from_slice(&inodes::fragments(plan, fragments(plan))),
        // Their bytes are in memory or in contents.
        _ => {}
    }
}

fn packed<'p, C>(plan: &'p Plan<'_, C>) -> &'p Packed<C> {
    plan.packed.as_ref().expect("only packed files have clusters")
}

fn fragments<'p, C>(plan: &'p Plan<'_, C>) -> &'p FragmentsInode {
    plan.maps.fragments.as_ref().expect("the piece is that of the packed inode")
}

/// Returns the length of the part of an inode that is rendered with it: without its map and the tail
/// of a file.
fn rendered_len<C>(plan: &Plan<'_, C>, number: u32) -> u64 {
    let len = plan.inodes.len_of(number) + plan.xattrs.body_len(number) as u64;
    match plan.tree.get(plan.inodes.get(number).id).kind {
        Kind::Regular(_) => len,
        _ => len + plan.data[number as usize].tail(),
    }
}

struct Pieces {
    block_size: BlockSize,
    list: Vec<Piece>,
}

impl Pieces {
    /// Adds a piece, unless it is empty.
    fn add(&mut self, offset: u64, len: u64, kind: PieceKind) {
        if len > 0 {
            self.list.push(Piece { offset, len, kind });
        }
    }

    /// Adds inodes: as many as possible in a piece, up to one that is followed by its map or the
    /// tail of a file.
    fn add_inodes<C: Content>(&mut self, plan: &Plan<'_, C>) {
        let mut first = 0;
        for (index, number) in (0..).zip(&plan.order) {
            let offset = plan.offsets[*number as usize];
            let start = plan.offsets[plan.order[first as usize] as usize];
            let len = offset + rendered_len(plan, *number) - start;
            let data = &plan.data[*number as usize];
            let is_regular = matches!(plan.tree.get(plan.inodes.get(*number).id).kind, Kind::Regular(_));
            let has_tail = is_regular && data.tail() > 0;
            let is_last = index + 1 == plan.order.len();
            if has_tail || data.map_len() > 0 || len > ENOUGH_INODES || is_last {
                let end = u32::try_from(index + 1).expect("ids of inodes have 32 bits");
                self.add(start, len, PieceKind::Inodes(first, end));
                first = end;
            }
            let behind = offset + plan.head_len(*number);
            if let plan::data::Data::Packed(packed) = data {
                self.add_packed(plan, *number, behind, packed);
            } else if has_tail {
                let from = plan.inodes.get(*number).size - data.tail();
                self.add(behind, data.tail(), PieceKind::Content(*number, from));
            }
            if let plan::data::Data::Chunks(chunks) = data {
                let entry = chunks.entries.len();
                let map = behind - data.map_len();
                let per_piece = MAX_RENDERED / entry;
                for first in (0..chunks.count()).step_by(usize::try_from(per_piece).expect("short")) {
                    let count = per_piece.min(chunks.count() - first);
                    self.add(map + first * entry, count * entry, PieceKind::ChunkMap(*number, first));
                }
            }
        }
    }

    /// Adds the map of a compressed file, which ends at `end`, and the tail behind it.
    fn add_packed<C>(&mut self, plan: &Plan<'_, C>, number: u32, end: u64, data: &PackedData) {
        self.add(end - data.map_len, data.map_len, PieceKind::Map(number));
        let file = packed(plan).files.get(&plan.inodes.get(number).id);
        if let Some(last) = file.and_then(|file| file.extents.last()) {
            self.add(end, data.tail, PieceKind::Cluster(last.cluster));
        }
    }

    /// Adds the clusters of a file that are its own, without one behind the inode.
    fn add_clusters<C>(&mut self, plan: &Plan<'_, C>, file: &PackedFile) {
        let end = file.own.end - u32::from(file.inline);
        for index in file.own.start..end {
            let cluster = packed(plan).clusters[index as usize];
            let block = u64::from(plan.maps.cluster_blocks[index as usize]);
            let offset = self.block_size.offset(block) + cluster.zeros_before();
            self.add(offset, cluster.source.len(), PieceKind::Cluster(index));
        }
    }

    fn add_fragments<C>(&mut self, plan: &Plan<'_, C>) {
        if let (Some(fragments), Some(packed)) = (&plan.maps.fragments, &plan.packed) {
            self.add(fragments.offset, EXTENDED_LEN, PieceKind::Fragments);
            let map = fragments.offset + EXTENDED_LEN;
            self.add(map, fragments.map.len() as u64, PieceKind::FragmentsMap);
            if let Some(file) = &packed.fragments {
                self.add_clusters(plan, file);
            }
        }
    }

    fn add_directory<C>(&mut self, plan: &Plan<'_, C>, number: u32) {
        let plan::data::Data::Flat { first, blocks, tail } = plan.data[number as usize] else { return };
        let len = plan.inodes.get(number).size - tail;
        let per_piece = MAX_RENDERED / self.block_size.bytes();
        for block in (0..blocks).step_by(usize::try_from(per_piece).expect("short")) {
            let start = self.block_size.offset(block);
            let len = MAX_RENDERED.min(len - start);
            let index = usize::try_from(block).expect("names are in memory");
            self.add(self.block_size.offset(first) + start, len, PieceKind::Directory(number, index));
        }
    }

    fn add_file<C>(&mut self, plan: &Plan<'_, C>, number: u32) {
        let size = plan.inodes.get(number).size;
        match &plan.data[number as usize] {
            plan::data::Data::None => {}
            plan::data::Data::Packed(_) => {
                if let Some(file) = packed(plan).files.get(&plan.inodes.get(number).id) {
                    self.add_clusters(plan, file);
                }
            }
            plan::data::Data::Flat { first, tail, .. } => {
                self.add(self.block_size.offset(*first), size - tail, PieceKind::Content(number, 0));
            }
            plan::data::Data::Chunks(chunks) => {
                for (blocks, first) in chunks.stored() {
                    let [start, end] = [blocks.start, blocks.end].map(|block| self.block_size.offset(block));
                    let len = end.min(size) - start;
                    self.add(self.block_size.offset(first), len, PieceKind::Content(number, start));
                }
            }
        }
    }
}
