//! Inodes with their xattrs.

use image_tree::{Inode, Kind};
use zerocopy::{FromZeros, IntoBytes};

use super::directories;
use crate::ondisk::inode::{Compact, DataLayout, Extended, NO_BLOCK, device, format};
use crate::ondisk::xattr::{ID_LEN, icount};
use crate::plan::Plan;
use crate::plan::data::Data;
use crate::plan::packed::{Form, FragmentsInode, PackedData};

/// Writes an inode and its xattrs, and the tail if it is that of a directory or symbolic link.
pub(crate) fn write<C>(plan: &Plan<'_, C>, number: u32, out: &mut [u8]) {
    let inode = plan.tree.get(plan.inodes.get(number).id);
    let (fields, rest) = out.split_at_mut(usize::try_from(plan.inodes.len_of(number)).expect("at most 64"));
    write_fields(plan, number, inode, fields);
    let (body, rest) = rest.split_at_mut(plan.xattrs.body_len(number));
    if !body.is_empty() {
        let block_size = plan.options.block_size;
        let first_id = block_size.rest_of(plan.shared_xattrs) / ID_LEN as u64;
        plan.xattrs.write_body(&inode.metadata.xattrs, first_id, body);
    }
    let data = &plan.data[number as usize];
    match &inode.kind {
        Kind::Directory(_) if data.tail() > 0 => {
            let first = plan.directories[&number].blocks() - 1;
            directories::write_blocks(plan, number, first, rest);
        }
        Kind::Symlink(target) if data.tail() > 0 => rest.copy_from_slice(target.as_bytes()),
        _ => {}
    }
}

/// Returns the packed inode, which has no name and no metadata.
pub(crate) fn fragments<C>(plan: &Plan<'_, C>, fragments: &FragmentsInode) -> Vec<u8> {
    let mut fields = Extended::new_zeroed();
    fields.i_format = format(packed_layout(&fragments.data), true).into();
    fields.i_mode = Kind::Regular(()).type_bits().into();
    fields.i_size = fragments.len.into();
    fields.i_u = u32::try_from(fragments.data.all_blocks).expect("more blocks are refused").into();
    fields.i_ino = u32::try_from(plan.data.len() + 1).expect("ids of inodes have 32 bits").into();
    fields.i_mtime = plan.epoch.seconds().into();
    fields.i_mtime_nsec = plan.epoch.nanoseconds().into();
    fields.i_nlink = 1.into();
    fields.as_bytes().to_vec()
}

fn packed_layout(packed: &PackedData) -> DataLayout {
    match packed.form {
        Form::Fragment(_) | Form::Full => DataLayout::CompressedFull,
        Form::Compact(_) => DataLayout::CompressedCompact,
    }
}

fn write_fields<C>(plan: &Plan<'_, C>, number: u32, inode: &Inode<C>, out: &mut [u8]) {
    let data = &plan.data[number as usize];
    let (layout, first) = match data {
        Data::None => (DataLayout::FlatPlain, 0),
        Data::Flat { first, tail: 0, .. } => (DataLayout::FlatPlain, *first),
        Data::Flat { first, .. } => (DataLayout::FlatInline, *first),
        Data::Chunks(_) => (DataLayout::Chunks, 0),
        Data::Packed(packed) => (packed_layout(packed), 0),
    };
    let [low, high] = [first & u64::from(u32::MAX), first >> 32];
    let i_u = match (&inode.kind, data) {
        (Kind::CharacterDevice(number) | Kind::BlockDevice(number), _) => {
            device(*number).expect("others are refused")
        }
        (Kind::Fifo | Kind::Socket, _) => 0,
        (_, Data::Chunks(chunks)) => chunks.entries.format(chunks.log2),
        (_, Data::Packed(packed)) => u32::try_from(packed.all_blocks).expect("more blocks are refused"),
        _ if data.blocks() == 0 => NO_BLOCK,
        _ => u32::try_from(low).expect("a half has 32 bits"),
    };
    let high = if data.blocks() == 0 { 0 } else { u16::try_from(high).expect("more blocks are refused") };
    let planned = plan.inodes.get(number);
    let metadata = &inode.metadata;
    let i_format = format(layout, planned.extended).into();
    let i_xattr_icount = icount(plan.xattrs.body_len(number)).into();
    let i_mode = (inode.kind.type_bits() | metadata.mode).into();
    // A serial number, from 1 on, for systems with inode numbers of 32 bits.
    let i_ino = (number + 1).into();
    if planned.extended {
        let mut fields = Extended::new_zeroed();
        fields.i_format = i_format;
        fields.i_xattr_icount = i_xattr_icount;
        fields.i_mode = i_mode;
        fields.i_nb = high.into();
        fields.i_size = planned.size.into();
        fields.i_u = i_u.into();
        fields.i_ino = i_ino;
        fields.i_uid = metadata.uid.into();
        fields.i_gid = metadata.gid.into();
        fields.i_mtime = metadata.mtime.seconds().into();
        fields.i_mtime_nsec = metadata.mtime.nanoseconds().into();
        fields.i_nlink = planned.nlink.into();
        out.copy_from_slice(fields.as_bytes());
    } else {
        let short = |value: u32| u16::try_from(value).expect("others have extended inodes").into();
        let mut fields = Compact::new_zeroed();
        fields.i_format = i_format;
        fields.i_xattr_icount = i_xattr_icount;
        fields.i_mode = i_mode;
        fields.i_nlink = short(planned.nlink);
        fields.i_size = u32::try_from(planned.size).expect("others have extended inodes").into();
        fields.i_u = i_u.into();
        fields.i_ino = i_ino;
        fields.i_uid = short(metadata.uid);
        fields.i_gid = short(metadata.gid);
        out.copy_from_slice(fields.as_bytes());
    }
}
