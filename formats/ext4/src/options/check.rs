//! Checks for invalid and conflicting options.

use super::{DataAlignment, Journal, Options};
use crate::error::Error;

/// The number of groups that `s_backup_bgs` can list.
const MAX_BACKUP_SB: u8 = 2;
/// The maximum share of a directory block that may be left for new names, in percent.
const MAX_DIRECTORY_SLACK_PERCENT: u8 = 50;

/// Rejects options that conflict or are out of range, before the tree is examined.
///
/// # Errors
/// The first conflict or value out of range.
pub(crate) fn check(options: &Options) -> Result<(), Error> {
    let features = options.features;
    let conflicts = [
        (
            features.orphan_file && options.journal == Journal::None,
            "orphan_file",
            "a filesystem without journal",
            "add a journal, or leave orphan_file out",
        ),
        (
            features.sparse_super2 && features.resize_inode,
            "sparse_super2",
            "resize_inode, as the kernel does not grow a filesystem that has it",
            "leave one of them out",
        ),
        (
            features.metadata_csum_seed && !features.metadata_csum,
            "metadata_csum_seed",
            "a filesystem without metadata_csum",
            "leave both of them out, or neither",
        ),
        (
            options.resize_limit.is_some() && !features.resize_inode,
            "a limit to grow to",
            "a filesystem without resize_inode",
            "add resize_inode, or leave the limit out",
        ),
    ];
    if let Some((_, what, with, remedy)) = conflicts.into_iter().find(|(is_so, ..)| *is_so) {
        return Err(Error::Conflict { what, with, remedy });
    }
    if options.num_backup_sb > MAX_BACKUP_SB {
        return Err(Error::Backups { requested: options.num_backup_sb, limit: MAX_BACKUP_SB });
    }
    let percent = options.directory_slack_percent;
    if percent > MAX_DIRECTORY_SLACK_PERCENT {
        return Err(Error::Percentage {
            what: "a slack of directories",
            percent,
            limit: MAX_DIRECTORY_SLACK_PERCENT,
        });
    }
    check_data_alignment(options)
}

fn check_data_alignment(options: &Options) -> Result<(), Error> {
    let Some(DataAlignment { bytes, filesystem_offset }) = options.data_alignment else { return Ok(()) };
    let block_size = options.block_size.bytes();
    let limits = (block_size, DataAlignment::MAX);
    if !bytes.is_power_of_two() || bytes < limits.0 || bytes > limits.1 {
        return Err(Error::DataAlignment { bytes, limits });
    }
    if filesystem_offset % block_size != 0 {
        return Err(Error::FilesystemOffset { offset: filesystem_offset, block_size });
    }
    Ok(())
}
