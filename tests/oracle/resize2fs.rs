//! resize2fs: growing the filesystem.

use std::fs::File;

use super::{Verdict, Volume, dumpe2fs, e2fsck};
use crate::judges;
use crate::product::run;

/// Checks that a copy grows to three times its size and is clean afterwards.
pub(crate) fn check(volume: &Volume) -> Verdict {
    let Some(mut resize2fs) = judges::command("resize2fs") else { return Ok(()) };
    let mut copy = volume.copy();
    copy.volume.len *= 3;
    let file = File::options().write(true).open(&copy.volume.image).map_err(|error| error.to_string())?;
    file.set_len(copy.volume.len).map_err(|error| error.to_string())?;
    run(resize2fs.arg(copy.volume.e2fs_name())).success()?;
    e2fsck::check_clean(&copy.volume).map_err(|why| format!("after it grew: {why}"))?;

    let Some(summary) = dumpe2fs::read(&copy.volume)? else { return Ok(()) };
    let grown = summary.number("Block count")? * summary.number("Block size")?;
    if grown <= volume.len {
        return Err(format!("it has {grown} bytes after growing from {} to {}", volume.len, copy.volume.len));
    }
    Ok(())
}
