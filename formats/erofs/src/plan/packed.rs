//! Compressed files: their maps, and the places of their physical clusters.

use std::collections::BTreeMap;

use image_tree::InodeId;
use zerocopy::{FromZeros, IntoBytes};

use super::attributes::Xattrs;
use super::inodes::Inodes;
use super::metadata::{MetadataSpace, Room};
use super::sharing::Sharing;
use crate::BlockSize;
use crate::error::Error;
use crate::kernel::Need;
use crate::ondisk::algorithm::Algorithm;
use crate::ondisk::compact_index::Packs;
use crate::ondisk::inode::EXTENDED_LEN;
use crate::ondisk::lcluster::{Mapped, lclusters};
use crate::ondisk::map_header::{self, MapHeader};
use crate::ondisk::{compression_config, full_index};
use crate::options::{Inline, Options};
use crate::pack::compress::BLOCK;
use crate::pack::{Packed, PackedFile, Source};

/// The alignment of a map, in bytes.
pub(crate) const MAP_ALIGN: u64 = 8;

/// The data of a compressed file.
#[derive(Clone, Debug)]
pub(crate) struct PackedData {
    pub(crate) form: Form,
    /// The length of the map, in bytes.
    pub(crate) map_len: u64,
    /// The length of the last physical cluster if it is behind the map, in bytes.
    pub(crate) tail: u64,
    /// The number of the first block of the file's own physical clusters.
    pub(crate) first: u64,
    /// The number of blocks of the file's own physical clusters.
    pub(crate) blocks: u64,
    /// The number of blocks of all its physical clusters, `i_u`.
    pub(crate) all_blocks: u64,
}

/// The form of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// All bytes are at an offset of the packed inode.
    Fragment(u64),
    /// Compact indexes.
    Compact(Packs),
    /// Full indexes.
    Full,
}

/// The maps of all compressed files.
#[derive(Debug, Default)]
pub(crate) struct Maps {
    /// The maps, by inode number.
    pub(crate) by_number: BTreeMap<u32, Vec<u8>>,
    /// The first block of each physical cluster.
    pub(crate) cluster_blocks: Vec<u32>,
    /// The packed inode.
    pub(crate) fragments: Option<FragmentsInode>,
    /// The records of algorithms, behind the superblock.
    pub(crate) records: Vec<u8>,
}

/// The packed inode, which has no name.
#[derive(Debug)]
pub(crate) struct FragmentsInode {
    /// The offset of the inode, in bytes.
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) data: PackedData,
    pub(crate) map: Vec<u8>,
}

/// The decisions from which it follows where the maps of compressed files are.
pub(crate) struct Heads<'p, 't> {
    pub(crate) options: &'p Options,
    pub(crate) inodes: &'p Inodes,
    pub(crate) xattrs: &'p Xattrs<'t>,
    pub(crate) sharing: &'p Sharing,
}

/// Returns the offset of the map behind the start of an inode, in bytes.
pub(crate) fn map_start(number: u32, inodes: &Inodes, xattrs: &Xattrs<'_>) -> u64 {
    let with_xattrs = inodes.len_of(number) + xattrs.body_len(number) as u64;
    with_xattrs.next_multiple_of(MAP_ALIGN)
}

/// Decides for each file if its last cluster is behind its inode, before anything has a place.
///
/// # Errors
/// If the size of blocks is not that of compressed data.
pub(crate) fn settle<C>(mut packed: Packed<C>, heads: &Heads<'_, '_>) -> Result<Packed<C>, Error> {
    let Heads { options, inodes, xattrs, sharing } = heads;
    if options.block_size != BlockSize::B4096 {
        return Err(Error::BlockSize(options.block_size.bytes()));
    }
    let ids: Vec<InodeId> = packed.files.keys().copied().collect();
    for id in ids {
        let number = inodes.number(id).expect("packed files are files of the tree");
        let file = &packed.files[&id];
        assert_eq!(file.len, inodes.get(number).size, "a packed file is as long as its file");
        if !file.inline {
            continue;
        }
        let inline = packed.may_be_inline(id)
            && options.inline == Inline::Tails
            && sharing.later(number).is_empty()
            && packed.fits(id, map_start(number, inodes, xattrs), inodes.len_of(number));
        if !inline {
            packed.end_with_block(id);
        }
    }
    Ok(packed)
}

impl<C> Packed<C> {
    /// Returns true if the last cluster of a file is shorter than a block.
    fn may_be_inline(&self, id: InodeId) -> bool {
        let last = self.files[&id].extents.last();
        last.is_some_and(|last| self.clusters[last.cluster as usize].source.len() < BLOCK)
    }

    /// Returns true if the last cluster of a file fits behind its inode, in one block.
    fn fits(&self, id: InodeId, map_start: u64, inode: u64) -> bool {
        let data = self.data(&self.files[&id], map_start);
        let head = map_start + data.map_len;
        Room { inode, head, tail: data.tail, whole: false, has_content: false }.exists(BlockSize::B4096)
    }

    /// Stores the last cluster of a file in a block, as it is if it saves no block.
    fn end_with_block(&mut self, id: InodeId) {
        let Some(file) = self.files.get_mut(&id) else { return };
        file.inline = false;
        let Some(last) = file.extents.last_mut().filter(|last| u64::from(last.len) <= BLOCK) else { return };
        let len = u64::from(last.len);
        last.plain = true;
        let cluster = &mut self.clusters[last.cluster as usize];
        cluster.plain = true;
        cluster.source = Source::File { inode: id, offset: file.len - len, len };
        if file.extents.len() == 1 {
            self.files.remove(&id);
        }
    }

    /// Returns the data of a file, before it has a place. `map_start` is the offset of the map
    /// behind the start of the inode, in bytes.
    pub(crate) fn data(&self, file: &PackedFile, map_start: u64) -> PackedData {
        let blocks = |clusters: &mut dyn Iterator<Item = u32>| -> u64 {
            clusters.map(|cluster| self.clusters[cluster as usize].blocks()).sum()
        };
        let tail = match file.extents.last() {
            Some(last) if file.inline => self.clusters[last.cluster as usize].source.len(),
            _ => 0,
        };
        let inline = u64::from(file.inline);
        let own = blocks(&mut file.own.clone()) - inline;
        let all_blocks = blocks(&mut file.extents.iter().map(|extent| extent.cluster)) - inline;
        let lclusters = file.len.div_ceil(BLOCK);
        let header = map_header::LEN as u64;
        let (form, behind) = match file.fragment {
            Some(offset) if file.extents.is_empty() => (Form::Fragment(offset), 0),
            fragment => {
                let narrow = fragment.is_none_or(|offset| u32::try_from(offset).is_ok());
                if narrow && file.is_consecutive() {
                    let packs = Packs::of(lclusters, map_start + header);
                    (Form::Compact(packs), packs.len())
                } else {
                    (Form::Full, full_index::len(lclusters))
                }
            }
        };
        PackedData { form, map_len: header + behind, tail, first: 0, blocks: own, all_blocks }
    }

    /// Returns the map of a file.
    fn map(&self, file: &PackedFile, data: &PackedData, cluster_blocks: &[u32]) -> Vec<u8> {
        if let Form::Fragment(offset) = data.form {
            return map_header::whole_fragment(offset).to_vec();
        }
        let big = file.extents.iter().any(|extent| !extent.plain && self.blocks_of(extent.cluster) > 1);
        let mut header = MapHeader::new_zeroed();
        let mut advise = if big { map_header::ADVISE_BIG_PCLUSTER_1 } else { 0 };
        if let Form::Compact(packs) = data.form {
            advise |= if big { map_header::ADVISE_BIG_PCLUSTER_2 } else { 0 };
            advise |= if packs.has_large() { map_header::ADVISE_COMPACTED_2B } else { 0 };
        }
        header.h_algorithmtype = self.algorithm.number();
        if let Some(offset) = file.fragment {
            advise |= map_header::ADVISE_FRAGMENT_PCLUSTER;
            header.h_fragmentoff = u32::try_from(offset & u64::from(u32::MAX)).expect("32 bits").into();
        }
        header.h_advise = advise.into();
        if file.inline {
            header = header.with_inline_len(u16::try_from(data.tail).expect("less than a block"));
        }
        let mut map = header.as_bytes().to_vec();
        let lclusters = lclusters(self.mapped(file, cluster_blocks), BLOCK, big);
        match data.form {
            Form::Compact(packs) => {
                let first = u32::try_from(data.first).expect("more blocks are refused");
                packs.put(&lclusters, first, big, &mut map);
            }
            _ => full_index::put(&lclusters, &mut map),
        }
        assert_eq!(map.len() as u64, data.map_len, "a map is as long as planned");
        map
    }

    /// Returns the extents of a file with the places of their clusters.
    fn mapped(&self, file: &PackedFile, cluster_blocks: &[u32]) -> Vec<Mapped> {
        let mut mapped = Vec::with_capacity(file.extents.len() + 1);
        for extent in &file.extents {
            let block = cluster_blocks[extent.cluster as usize];
            let len = u64::from(extent.len);
            if extent.plain {
                // Each block is an extent of its own.
                for (offset, block) in (0..len).step_by(4096).zip(block..) {
                    let len = BLOCK.min(len - offset);
                    mapped.push(Mapped { len, plain: true, partial: false, block, blocks: 1 });
                }
            } else {
                let blocks = u16::try_from(self.blocks_of(extent.cluster)).expect("at most 1 MiB");
                mapped.push(Mapped { len, plain: false, partial: false, block, blocks });
            }
        }
        if let Some(offset) = file.fragment {
            let len = file.len - file.body();
            // The upper half of the offset is in place of the block, in full indexes.
            let block = u32::try_from(offset >> 32).expect("less than 16 EiB");
            mapped.push(Mapped { len, plain: false, partial: false, block, blocks: 0 });
        }
        mapped
    }

    fn blocks_of(&self, cluster: u32) -> u64 {
        self.clusters[cluster as usize].blocks()
    }

    /// The number of blocks of the longest compressed cluster; 0 if nothing is compressed.
    fn most_blocks(&self) -> u64 {
        let compressed = self.clusters.iter().filter(|cluster| !cluster.plain);
        compressed.map(|cluster| cluster.blocks()).max().unwrap_or(0)
    }

    fn all_files(&self) -> impl Iterator<Item = &PackedFile> {
        self.files.values().chain(&self.fragments)
    }
}

/// Returns the packed files, unless there are none.
fn used<C>(packed: Option<&Packed<C>>) -> Option<&Packed<C>> {
    packed.filter(|packed| !packed.files.is_empty())
}

/// Returns what the kernel needs to have for the compressed files.
pub(crate) fn needs<C>(packed: Option<&Packed<C>>) -> Vec<Need> {
    let Some(packed) = used(packed) else { return Vec::new() };
    let needs = [
        (Need::Lz4, packed.algorithm == Algorithm::Lz4),
        (Need::BigClusters, packed.most_blocks() > 1),
        (Need::InlineClusters, packed.files.values().any(|file| file.inline)),
        (Need::Fragments, packed.fragments.is_some()),
        (Need::SharedClusters, packed.has_shared_pieces),
        (Need::Deflate, packed.algorithm == Algorithm::Deflate),
        (Need::Zstd, packed.algorithm == Algorithm::Zstd),
    ];
    needs.into_iter().filter(|(_, needed)| *needed).map(|(need, _)| need).collect()
}

/// Returns the records of the algorithms, behind the superblock.
pub(crate) fn records<C>(packed: Option<&Packed<C>>) -> Vec<u8> {
    let Some(packed) = used(packed) else { return Vec::new() };
    let blocks = packed.most_blocks().max(1);
    if packed.algorithm == Algorithm::Lz4 && blocks == 1 {
        return Vec::new();
    }
    let extents = packed.all_files().flat_map(|file| &file.extents);
    let decoded = extents.filter(|extent| !extent.plain).map(|extent| extent.len).max().unwrap_or(0);
    let blocks = u16::try_from(blocks).expect("at most 1 MiB");
    compression_config::record(packed.algorithm, blocks, u64::from(decoded))
}

/// Returns the field of the superblock that is the bitmap of algorithms if there are records, or
/// else the greatest distance of a match of lz4.
pub(crate) fn algorithms<C>(packed: Option<&Packed<C>>, records: &[u8]) -> u16 {
    match used(packed) {
        None => 0,
        Some(_) if records.is_empty() => compression_config::LZ4_MAX_DISTANCE,
        Some(packed) => 1 << packed.algorithm.number(),
    }
}

/// Gives a place to the packed inode.
pub(crate) fn place_fragments<C>(
    packed: Option<&Packed<C>>,
    space: &mut MetadataSpace,
) -> Option<(u64, PackedData)> {
    let packed = packed?;
    let data = packed.data(packed.fragments.as_ref()?, EXTENDED_LEN);
    let head = EXTENDED_LEN + data.map_len;
    let room = Room { inode: EXTENDED_LEN, head, tail: 0, whole: false, has_content: false };
    // Not in a gap: the inodes around one are rendered at once.
    Some((space.place_last(room), data))
}

/// A compressed file, and the one whose data it has.
pub(crate) struct Placed<'p> {
    /// The number of the inode.
    pub(crate) number: u32,
    pub(crate) first: InodeId,
    pub(crate) data: &'p PackedData,
}

/// Returns the maps of all files, whose clusters end before the block `end`, and the number of all
/// blocks: those of the packed inode are at the end.
pub(crate) fn maps<'p, C>(
    packed: Option<&Packed<C>>,
    files: impl Iterator<Item = Placed<'p>> + Clone,
    fragments: Option<(u64, PackedData)>,
    end: u64,
) -> (Maps, u64) {
    let Some(packed) = packed else { return (Maps::default(), end) };
    let cluster_blocks = vec![0; packed.clusters.len()];
    let mut maps = Maps { cluster_blocks, records: records(Some(packed)), ..Maps::default() };
    let total = end.saturating_add(fragments.as_ref().map_or(0, |(_, data)| data.blocks));
    if u32::try_from(total).is_err() {
        // The caller refuses that.
        return (maps, total);
    }
    for Placed { first, data, .. } in files.clone() {
        packed.place(&packed.files[&first], data.first, &mut maps.cluster_blocks);
    }
    for Placed { number, first, data } in files {
        maps.by_number.insert(number, packed.map(&packed.files[&first], data, &maps.cluster_blocks));
    }
    if let (Some((offset, mut data)), Some(file)) = (fragments, &packed.fragments) {
        data.first = end;
        packed.place(file, end, &mut maps.cluster_blocks);
        let map = packed.map(file, &data, &maps.cluster_blocks);
        maps.fragments = Some(FragmentsInode { offset, len: file.len, data, map });
    }
    (maps, total)
}

impl<C> Packed<C> {
    /// Notes the blocks of the clusters that are a file's own.
    fn place(&self, file: &PackedFile, first: u64, cluster_blocks: &mut [u32]) {
        let mut next = first;
        for cluster in file.own.clone() {
            cluster_blocks[cluster as usize] = u32::try_from(next).unwrap_or(u32::MAX);
            next += self.blocks_of(cluster);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::{Cluster, PackedExtent};

    /// Returns the form and the map of a file of 5000 bytes with a block before its fragment, or
    /// with a fragment alone.
    fn map(fragment: u64, block: bool) -> (Form, Vec<u8>) {
        let source = Source::File { inode: InodeId::ROOT, offset: 0, len: BLOCK };
        let packed: Packed<Vec<u8>> = Packed {
            algorithm: Algorithm::Lz4,
            contents: Vec::new(),
            clusters: vec![Cluster { source, plain: true }],
            files: BTreeMap::new(),
            fragments: None,
            has_shared_pieces: false,
        };
        let extents =
            if block { vec![PackedExtent { len: 4096, plain: true, cluster: 0 }] } else { Vec::new() };
        let own = 0..u32::from(block);
        let file = PackedFile { extents, len: 5000, fragment: Some(fragment), inline: false, own };
        let data = packed.data(&file, 32);
        let map = packed.map(&file, &data, &[9]);
        (data.form, map)
    }

    /// Compact indexes have room for 32 bits. The kernel reads the others in place of the block in
    /// the last full index.
    #[test]
    fn an_offset_of_a_fragment_beyond_32_bits_is_in_full_indexes() {
        let (form, bytes) = map(u64::from(u32::MAX), true);
        assert!(matches!(form, Form::Compact(_)));
        assert_eq!(bytes[..4], [0xFF; 4]);
        let (form, bytes) = map(0x0000_0005_0000_0007, true);
        assert_eq!(form, Form::Full);
        assert_eq!(bytes[..4], 7u32.to_le_bytes());
        // The second index, behind 8 bytes of header and 8 reserved ones.
        assert_eq!(bytes[16 + 8 + 4..], 5u32.to_le_bytes());
    }

    #[test]
    fn a_file_that_is_a_fragment_has_an_offset_of_63_bits() {
        let (form, bytes) = map(0x0000_0005_0000_0007, false);
        assert_eq!(form, Form::Fragment(0x0000_0005_0000_0007));
        assert_eq!(bytes, [7, 0, 0, 0, 5, 0, 0, 0x80]);
    }
}
