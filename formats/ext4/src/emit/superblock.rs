//! The superblock and its copies.

use zerocopy::FromZeros;
use zerocopy::little_endian::{U16, U32};

use super::inodes::{journal_size, journal_tree};
use crate::Signedness;
use crate::ondisk::features::{compat, incompat, ro_compat};
use crate::ondisk::inode::{EXTRA_ISIZE, FIRST_INO, JOURNAL_INO, words};
use crate::ondisk::orphan::ORPHAN_FILE_INO;
use crate::ondisk::superblock::*;
use crate::plan::Plan;
use crate::plan::groups::Backups;
use crate::plan::size::free_space;

/// A flex group has 16 groups, as in mke2fs; groups added when the filesystem grows are laid out in
/// this way.
const LOG_GROUPS_PER_FLEX: u8 = 4;

/// Returns the superblock of a group: the copies differ in `s_block_group_nr`, and so in their
/// checksum.
pub(crate) fn superblock<C>(plan: &Plan<'_, C>, group: u32) -> Superblock {
    let Plan { geometry, placement, options, inodes, .. } = plan;
    let (blocks_lo, blocks_hi) = words(geometry.blocks);
    let (reserved_lo, reserved_hi) = words(free_space::reserved(geometry.blocks, options));
    let (free_lo, free_hi) = words(placement.free_blocks(geometry));
    let created = u32::try_from(options.created.seconds().clamp(0, i64::from(u32::MAX))).expect("clamped");
    let block_size = geometry.block_size;
    let log_block_size = block_size.log2() - 10;
    let blocks_per_group = u32::try_from(block_size.blocks_per_group()).expect("at most 32,768");
    let mut superblock = Superblock {
        s_inodes_count: geometry.inodes().into(),
        s_blocks_count_lo: blocks_lo,
        s_blocks_count_hi: blocks_hi,
        s_r_blocks_count_lo: reserved_lo,
        s_r_blocks_count_hi: reserved_hi,
        s_free_blocks_count_lo: free_lo,
        s_free_blocks_count_hi: free_hi,
        s_free_inodes_count: (geometry.inodes() - inodes.last()).into(),
        s_first_data_block: u32::try_from(block_size.first_data_block()).expect("0 or 1").into(),
        s_log_block_size: log_block_size.into(),
        s_log_cluster_size: log_block_size.into(),
        s_blocks_per_group: blocks_per_group.into(),
        s_clusters_per_group: blocks_per_group.into(),
        s_inodes_per_group: geometry.inodes_per_group.into(),
        s_wtime: created.into(),
        s_mkfs_time: created.into(),
        s_lastcheck: created.into(),
        s_max_mnt_count: u16::MAX.into(),
        s_magic: MAGIC.into(),
        s_state: STATE_VALID.into(),
        s_errors: ERRORS_CONTINUE.into(),
        s_rev_level: DYNAMIC_REV.into(),
        s_first_ino: FIRST_INO.into(),
        s_inode_size: 256.into(),
        s_block_group_nr: u16::try_from(group).unwrap_or(u16::MAX).into(),
        s_uuid: options.uuid.into_bytes(),
        s_volume_name: options.label.padded(),
        s_hash_seed: options.hash_seed.into_bytes(),
        s_def_hash_version: HASH_HALF_MD4,
        s_desc_size: U16::new(if options.features.bit_64 { 64 } else { 0 }),
        s_default_mount_opts: DEFAULT_MOUNT_OPTS.into(),
        s_min_extra_isize: EXTRA_ISIZE.into(),
        s_want_extra_isize: EXTRA_ISIZE.into(),
        s_flags: hash_flag(options.hash_signedness).into(),
        s_log_groups_per_flex: LOG_GROUPS_PER_FLEX,
        s_checksum_type: if options.features.metadata_csum { CHECKSUM_TYPE_CRC32C } else { 0 },
        s_overhead_clusters: u32::try_from(overhead(plan)).unwrap_or(u32::MAX).into(),
        ..Superblock::new_zeroed()
    };
    set_features(plan, &mut superblock);
    set_journal(plan, &mut superblock);
    if options.features.metadata_csum {
        superblock.seal();
    }
    superblock
}

fn hash_flag(signedness: Signedness) -> u32 {
    match signedness {
        Signedness::Signed => FLAGS_SIGNED_HASH,
        Signedness::Unsigned => FLAGS_UNSIGNED_HASH,
    }
}

fn set_features<C>(plan: &Plan<'_, C>, superblock: &mut Superblock) {
    let mut features = compat::EXT_ATTR;
    if plan.options.features.dir_index {
        features |= compat::DIR_INDEX;
    }
    if plan.placement.resize_dind.is_some() {
        features |= compat::RESIZE_INODE;
        superblock.s_reserved_gdt_blocks =
            u16::try_from(plan.geometry.reserved_gdt_blocks).expect("at most 1024").into();
    }
    if plan.geometry.journal_blocks > 0 {
        features |= compat::HAS_JOURNAL;
    }
    if let Backups::SparseSuper2(groups) = plan.geometry.backups {
        features |= compat::SPARSE_SUPER2;
        superblock.s_backup_bgs = groups.map(U32::from);
    }
    if plan.geometry.orphan_blocks > 0 {
        features |= compat::ORPHAN_FILE;
        superblock.s_orphan_file_inum = ORPHAN_FILE_INO.into();
    }
    superblock.s_feature_compat = features.into();

    let mut features = incompat::FILETYPE | incompat::EXTENTS | incompat::FLEX_BG;
    if plan.options.features.bit_64 {
        features |= incompat::BIT_64;
    }
    if plan.options.features.metadata_csum_seed {
        features |= incompat::CSUM_SEED;
        superblock.s_checksum_seed = plan.checksum_seed().value().into();
    }
    if plan.options.features.inline_data {
        features |= incompat::INLINE_DATA;
    }
    if plan.options.features.ea_inode {
        features |= incompat::EA_INODE;
    }
    superblock.s_feature_incompat = features.into();

    let mut features = ro_compat::SPARSE_SUPER
        | ro_compat::LARGE_FILE
        | ro_compat::HUGE_FILE
        | ro_compat::DIR_NLINK
        | ro_compat::EXTRA_ISIZE;
    if plan.options.features.metadata_csum {
        features |= ro_compat::METADATA_CSUM;
    }
    if plan.options.features.read_only {
        features |= ro_compat::READONLY;
    }
    if !plan.sharing.is_empty() {
        features |= ro_compat::SHARED_BLOCKS;
    }
    superblock.s_feature_ro_compat = features.into();
}

/// Sets `s_journal_inum`, and a copy of the journal's extent root and size in case its inode is
/// lost. `s_journal_uuid` stays zero: it identifies a journal on another device.
fn set_journal<C>(plan: &Plan<'_, C>, superblock: &mut Superblock) {
    if plan.geometry.journal_blocks == 0 {
        return;
    }
    let mut i_block = [0; 60];
    let tree = journal_tree(plan);
    tree.write_root(&mut i_block);
    for (word, bytes) in superblock.s_jnl_blocks.iter_mut().zip(i_block.as_chunks::<4>().0) {
        *word = U32::from_bytes(*bytes);
    }
    let (size_lo, size_hi) = words(journal_size(&plan.geometry));
    (superblock.s_jnl_blocks[15], superblock.s_jnl_blocks[16]) = (size_hi, size_lo);
    superblock.s_jnl_backup_type = JOURNAL_BACKUP_BLOCKS;
    superblock.s_journal_inum = JOURNAL_INO.into();
}

/// Returns the number of blocks that files can never use: those before group 0, copies of
/// superblock and descriptors, bitmaps, inode tables, the journal.
fn overhead<C>(plan: &Plan<'_, C>) -> u64 {
    let geometry = &plan.geometry;
    let copies = geometry.backup_groups().len() as u64;
    let per_group = 2 + geometry.itable_blocks();
    geometry.block_size.first_data_block()
        + copies * geometry.backup_blocks()
        + u64::from(geometry.groups()) * per_group
        + u64::from(geometry.journal_blocks)
}
