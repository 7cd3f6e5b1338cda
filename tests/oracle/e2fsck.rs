//! e2fsck: the structure of the filesystem.

use super::{Verdict, Volume};
use crate::judges;
use crate::product::run;

/// Checks that e2fsck finds nothing, before and after it optimised the directories of a copy.
pub(crate) fn check(volume: &Volume) -> Verdict {
    check_clean(volume)?;
    check_optimized(volume)
}

/// `e2fsck -fn` exits with 0 and prints its passes and its summary, no other line.
pub(crate) fn check_clean(volume: &Volume) -> Verdict {
    let Some(mut e2fsck) = judges::command("e2fsck") else { return Ok(()) };
    let outcome = run(e2fsck.arg("-fn").arg(volume.e2fs_name())).success()?;
    let text = outcome.text();
    let mut lines = text.lines().chain(outcome.stderr.lines()).filter(|line| !line.is_empty());
    match lines.find(|line| !is_version(line) && !is_pass(line) && !is_summary(line)) {
        None => Ok(()),
        Some(line) => Err(format!("it is not silent: {line}\n{outcome}")),
    }
}

/// `e2fsck -fyD` of a copy exits with 0 or 1, and leaves a clean filesystem.
pub(crate) fn check_optimized(volume: &Volume) -> Verdict {
    let Some(mut e2fsck) = judges::command("e2fsck") else { return Ok(()) };
    let copy = volume.copy();
    let outcome = run(e2fsck.arg("-fyD").arg(copy.volume.e2fs_name()));
    // 1 is "errors corrected", which includes rewritten directories; no other correction is
    // allowed.
    if !matches!(outcome.code, Some(0 | 1)) {
        return Err(outcome.to_string());
    }
    check_clean(&copy.volume).map_err(|why| format!("after e2fsck -fyD: {why}"))
}

/// `e2fsck 1.47.0 (5-Feb-2023)`
fn is_version(line: &str) -> bool {
    line.starts_with("e2fsck 1.") && line.ends_with(')')
}

/// `Pass 1: Checking inodes, blocks, and sizes`
fn is_pass(line: &str) -> bool {
    line.strip_prefix("Pass ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        && line.contains(": Checking ")
}

/// `NAME: 12/5112 files (0.0% non-contiguous), 2647/20480 blocks`
fn is_summary(line: &str) -> bool {
    let is_fraction = |text: &str| {
        text.split_once('/')
            .is_some_and(|(used, all)| used.parse::<u64>().is_ok() && all.parse::<u64>().is_ok())
    };
    let Some((files, blocks)) = line.rsplit_once(" non-contiguous), ") else { return false };
    let Some((files, _percent)) = files.rsplit_once(" files (") else { return false };
    let Some((_name, files)) = files.rsplit_once(": ") else { return false };
    is_fraction(files) && blocks.strip_suffix(" blocks").is_some_and(is_fraction)
}

#[test]
fn lines_of_a_clean_run_are_distinguished_from_others() {
    assert!(is_version("e2fsck 1.47.0 (5-Feb-2023)"));
    assert!(is_pass("Pass 5: Checking group summary information"));
    assert!(is_summary("disk.img: 12/5112 files (0.0% non-contiguous), 2647/20480 blocks"));
    for line in [
        "Inode 12 extent tree (at level 1) could be shorter.  Optimize? no",
        "Free blocks count wrong (17833, counted=17832).",
        "Pass 1 found something",
        "disk.img: ********** WARNING: Filesystem still has errors **********",
        "disk.img: recovering journal",
        "disk.img: 12/? files (0.0% non-contiguous), 2647/20480 blocks",
    ] {
        assert!(!is_version(line) && !is_pass(line) && !is_summary(line), "{line}");
    }
}
