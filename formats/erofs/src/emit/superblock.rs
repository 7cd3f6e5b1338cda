//! The superblock, whose checksum covers the rest of its block.

use image_tree::Content;
use zerocopy::{FromZeros, IntoBytes};

use super::pieces::{Data, Piece, data, render};
use crate::kernel::Need;
use crate::ondisk::features::{Compat, Incompat};
use crate::ondisk::inode::SLOT;
use crate::ondisk::superblock::{MAGIC, OFFSET, Superblock, checksum};
use crate::ondisk::xattr::ALIGN;
use crate::plan::inodes::Inodes;
use crate::plan::{Plan, packed, summary};

/// Returns the superblock.
pub(crate) fn superblock<C: Content>(plan: &Plan<'_, C>, pieces: &[Piece]) -> Vec<u8> {
    let mut superblock = fields(plan);
    let end = plan.options.block_size.checksum_end();
    let mut covered = vec![0; usize::try_from(end - OFFSET).expect("at most 64 KiB")];
    for piece in pieces.iter().take_while(|piece| piece.offset < end) {
        let mut buffer;
        let bytes = match data(plan, piece) {
            Data::Superblock => superblock.as_bytes(),
            Data::Bytes(bytes) => bytes,
            Data::Rendered => {
                buffer = vec![0; usize::try_from(piece.len).expect("at most 1 MiB")];
                render(plan, piece, &mut buffer);
                &buffer
            }
            Data::Content(..) => unreachable!("inodes with tails of files are behind the checksum"),
        };
        let start = usize::try_from(piece.offset - OFFSET).expect("at most 64 KiB");
        let len = bytes.len().min(covered.len() - start);
        covered[start..start + len].copy_from_slice(&bytes[..len]);
    }
    superblock.checksum = checksum(&covered).into();
    superblock.as_bytes().to_vec()
}

/// Returns the superblock without its checksum.
fn fields<C>(plan: &Plan<'_, C>) -> Superblock {
    let block_size = plan.options.block_size;
    let root = plan.nid(Inodes::ROOT);
    let [blocks_lo, blocks_hi] = [plan.blocks & u64::from(u32::MAX), plan.blocks >> 32];
    let mut superblock = Superblock::new_zeroed();
    let (compat, incompat) = features(plan);
    superblock.magic = MAGIC.into();
    superblock.feature_compat = compat.0.into();
    superblock.feature_incompat = incompat.0.into();
    superblock.blkszbits = block_size.log2();
    if plan.wide {
        superblock.rb = u16::try_from(blocks_hi).expect("more blocks are refused").into();
        superblock.rootnid_8b = root.into();
    } else {
        superblock.rb = u16::try_from(root).expect("the root is in the first two blocks").into();
    }
    superblock.inos = (plan.inodes.numbers().count() as u64).into();
    superblock.epoch = plan.epoch.seconds().into();
    superblock.fixed_nsec = plan.epoch.nanoseconds().into();
    superblock.blocks_lo = u32::try_from(blocks_lo).expect("a half has 32 bits").into();
    let narrow = |value: u64| u32::try_from(value).expect("metadata has less than 16 GiB").into();
    superblock.xattr_blkaddr = narrow(block_size.whole_blocks_of(plan.shared_xattrs));
    superblock.uuid = plan.options.uuid.into_bytes();
    superblock.volume_name = plan.options.label.padded();
    let (count, table) = plan.xattrs.table();
    if count > 0 {
        superblock.xattr_prefix_count = u8::try_from(count).expect("at most 128");
        superblock.xattr_prefix_start = narrow((plan.shared_xattrs + table as u64) / ALIGN as u64);
    }
    superblock.u1 = packed::algorithms(plan.packed.as_ref(), &plan.maps.records).into();
    if let Some(fragments) = &plan.maps.fragments {
        superblock.packed_nid = (fragments.offset / SLOT).into();
    }
    let since_epoch = plan.options.created.seconds().saturating_sub(plan.epoch.seconds());
    superblock.build_time = u32::try_from(since_epoch.max(0)).unwrap_or(u32::MAX).into();
    superblock
}

/// Returns the features that are in use.
fn features<C>(plan: &Plan<'_, C>) -> (Compat, Incompat) {
    let mut compat = Compat::SB_CHKSUM.with(Compat::MTIME);
    let mut incompat = Incompat::default();
    for need in summary::needs(plan) {
        match need {
            Need::Xattrs => compat = compat.with(Compat::XATTR_FILTER),
            Need::Chunks => incompat = incompat.with(Incompat::CHUNKED_FILE),
            Need::WideBlocks => incompat = incompat.with(Incompat::WIDE),
            Need::XattrPrefixes => {
                compat = compat.with(Compat::PLAIN_XATTR_PFX);
                incompat = incompat.with(Incompat::XATTR_PREFIXES);
            }
            Need::Lz4 | Need::Deflate | Need::Zstd => incompat = incompat.with(Incompat::ZERO_PADDING),
            Need::BigClusters => {}
            Need::InlineClusters => incompat = incompat.with(Incompat::ZTAILPACKING),
            Need::Fragments | Need::SharedClusters => incompat = incompat.with(Incompat::FRAGMENTS),
            Need::Erofs | Need::Acls | Need::SecurityXattrs | Need::BlockSize => {}
        }
    }
    if !plan.maps.records.is_empty() {
        incompat = incompat.with(Incompat::COMPR_CFGS);
    }
    (compat, incompat)
}
