//! The journal's superblock (`filesystems/ext4/journal.rst`, "Super Block"). Unlike the rest of
//! ext4, it is big-endian.

use zerocopy::big_endian::U32;
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// `h_magic`.
const MAGIC: u32 = 0xC03B_3998;
/// `h_blocktype`: the second version of the superblock.
const SUPERBLOCK_V2: u32 = 4;

/// `journal_superblock_t`, 1024 bytes.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct JournalSuperblock {
    h_magic: U32,
    h_blocktype: U32,
    h_sequence: U32,
    s_blocksize: U32,
    s_maxlen: U32,
    s_first: U32,
    s_sequence: U32,
    s_start: U32,
    s_errno: U32,
    s_feature_compat: U32,
    s_feature_incompat: U32,
    s_feature_ro_compat: U32,
    s_uuid: [u8; 16],
    s_nr_users: U32,
    s_rest: [u8; 956],
}

const _: () = assert!(size_of::<JournalSuperblock>() == 1024);
const _: () = assert!(std::mem::offset_of!(JournalSuperblock, s_nr_users) == 0x40);

impl JournalSuperblock {
    /// Creates the superblock of an empty journal of `blocks` blocks, including this one, of the
    /// filesystem with that UUID. Its feature words are 0, as mke2fs leaves them: the kernel adds
    /// checksums at the first mount for writing.
    pub(crate) fn empty(block_size: u32, blocks: u32, uuid: [u8; 16]) -> Self {
        Self {
            h_magic: MAGIC.into(),
            h_blocktype: SUPERBLOCK_V2.into(),
            s_blocksize: block_size.into(),
            s_maxlen: blocks.into(),
            s_first: 1.into(),
            s_sequence: 1.into(),
            s_uuid: uuid,
            s_nr_users: 1.into(),
            ..Self::new_zeroed()
        }
    }
}
