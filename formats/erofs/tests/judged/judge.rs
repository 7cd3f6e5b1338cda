//! The judges: fsck.erofs must report no problem, and the tree must read back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use image_runs::{Image, Run, Source, write_sparse};
use image_tree::{InodeId, Kind, Tree};
use mkfs_erofs::{BlockSize, Layout, Need, Options, Summary, plan_sharing};
use tempfile::TempDir;

use crate::kernel;
use crate::pattern::Pattern;

/// Plans, writes and judges a filesystem in which equal files share blocks if `shares` is set.
pub(crate) fn judge(tree: &Tree<Pattern>, options: &Options, shares: bool) -> Summary {
    judge_below(&std::env::temp_dir(), tree, options, shares)
}

/// Does the same with an image in a directory below `parent`.
pub(crate) fn judge_below(parent: &Path, tree: &Tree<Pattern>, options: &Options, shares: bool) -> Summary {
    let shared = if shares { duplicates(tree) } else { BTreeMap::new() };
    let layout = plan_sharing(tree, options, &shared).expect("the tree fits EROFS");
    let dir = TempDir::new_in(parent).expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    let summary = layout.summary();
    // erofs-utils of Debian 12 reads blocks of a page only, no prefixes and no long block numbers.
    let is_new = [Need::XattrPrefixes, Need::WideBlocks].iter().any(|need| summary.needs.contains(need));
    if options.block_size == BlockSize::B4096 && !is_new {
        fsck(&image);
    }
    // Longer blocks need longer pages.
    if options.block_size <= BlockSize::B4096 {
        kernel::reads_back(tree, &image);
    }
    summary
}

/// Returns the files that are equal to an earlier one, with the first of them.
pub(crate) fn duplicates(tree: &Tree<Pattern>) -> BTreeMap<InodeId, InodeId> {
    let mut first: Vec<(&Pattern, InodeId)> = Vec::new();
    let mut shared = BTreeMap::new();
    for step in tree.walk().filter(|step| step.first) {
        let Kind::Regular(content) = &tree.get(step.id).kind else { continue };
        match first.iter().find(|(other, _)| *other == content) {
            Some((_, other)) => {
                shared.insert(step.id, *other);
            }
            None => first.push((content, step.id)),
        }
    }
    shared
}

/// Writes a filesystem to a sparse file. Files of zeros are not read: some are larger than any
/// disk.
pub(crate) fn write(layout: &Layout<'_, Pattern>, path: &Path) {
    let file = File::create(path).expect("the image is new");
    write_sparse(&ZerosUnread(layout), &file).expect("the image is written");
}

/// A filesystem with runs of zeros in place of the files of seed 0.
struct ZerosUnread<'l, 't>(&'l Layout<'t, Pattern>);

impl Image<Pattern> for ZerosUnread<'_, '_> {
    fn len(&self) -> u64 {
        Image::<Pattern>::len(self.0)
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Pattern>> + Send + '_> {
        Box::new(self.0.runs().map(|run| match run.source {
            Source::Content { content: Pattern { seed: 0, .. }, .. } => Run::zeros(run.len),
            _ => run,
        }))
    }
}

/// fsck.erofs finds no error.
pub(crate) fn fsck(image: &Path) {
    let Some(output) = run(Command::new("fsck.erofs").arg("-d3").arg(image)) else { return };
    assert!(output.status.success(), "fsck.erofs: {output:?}");
}

/// Runs a judge; `None` after a visible skip if it is not installed.
pub(crate) fn run(command: &mut Command) -> Option<Output> {
    match command.env("LC_ALL", "C").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let required = std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1");
            assert!(!required, "{command:?} is not installed");
            eprintln!("SKIPPED: {command:?} is not installed");
            None
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}
