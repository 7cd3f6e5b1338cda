//! The steps that a source takes as a tree of its own, before it is added to those before it.

use std::path::Path;

use crate::error::Result;
use crate::log::{Log, Report};
use crate::recipe::TreeRecipe;
use crate::shown;
use crate::source::directory::Scanned;
use crate::transform::normalize;
use crate::transform::own_files::{self, OwnFiles};
use crate::transform::ownership::{self, Ownership, SetIdChange};

/// A source that was read as a tree.
pub(in crate::run) struct Loaded<'r> {
    /// The path of the source.
    pub(super) path: &'r Path,
    pub(super) scanned: Scanned,
    /// The owners of files that the recipe does not name.
    pub(super) default: Ownership,
    /// True for a directory of the host.
    pub(super) is_directory: bool,
    /// The programs that run as another user or group now.
    pub(super) set_id: Option<SetIdChange>,
}

/// The options of all steps.
pub(in crate::run) struct SourceOptions<'r> {
    pub(super) recipe: &'r TreeRecipe,
    /// The files that the run writes.
    pub(super) own: OwnFiles,
}

/// The function of a step: it changes the tree of the source, and returns what is to be reported.
pub(in crate::run) type SourceStep = fn(&mut Loaded<'_>, &SourceOptions<'_>) -> Result<Box<dyn Report>>;

/// Removes the files that the run writes, and reports what was read.
pub(in crate::run) fn own_files(
    loaded: &mut Loaded<'_>,
    options: &SourceOptions<'_>,
) -> Result<Box<dyn Report>> {
    let Loaded { path, scanned, .. } = loaded;
    let options = own_files::Options { own: options.own, source: path, hosts: &scanned.hosts };
    let excluded = own_files::apply(&mut scanned.tree, &options)?;
    let other_filesystem = std::mem::take(&mut scanned.other_filesystem);
    let read = Read { path: shown::path(path).to_string(), inodes: scanned.tree.inode_count() };
    Ok(Box::new((excluded, OtherFilesystems(other_filesystem), read)))
}

/// Sets the owners of the recipe.
pub(in crate::run) fn owners(
    loaded: &mut Loaded<'_>,
    options: &SourceOptions<'_>,
) -> Result<Box<dyn Report>> {
    let Loaded { scanned, default, .. } = loaded;
    let ownership = options.recipe.ownership.as_ref().unwrap_or(default);
    let options = ownership::Options { ownership, default, hosts: &scanned.hosts };
    // An edit may change such a program yet: they are reported later.
    loaded.set_id = ownership::apply(&mut scanned.tree, &options)?;
    Ok(Box::new(()))
}

/// Removes metadata that is meaningless outside of the host.
pub(in crate::run) fn host_metadata(
    loaded: &mut Loaded<'_>,
    options: &SourceOptions<'_>,
) -> Result<Box<dyn Report>> {
    let options = normalization(options.recipe, loaded.is_directory);
    Ok(Box::new(normalize::apply(&mut loaded.scanned.tree, &options)?))
}

/// Returns the options for normalizing a source's metadata. Labels in a dump or an archive were
/// written there for the guest. Those of the host are dropped before edits can set any.
pub(super) fn normalization(recipe: &TreeRecipe, is_directory: bool) -> normalize::Options<'_> {
    let (times, filter) = (recipe.times(), &recipe.xattr_filter);
    normalize::Options { times, keep_selinux: !is_directory, filter }
}

/// The number of inodes of a source.
struct Read {
    path: String,
    inodes: usize,
}

impl Report for Read {
    fn log(&self, log: &Log) {
        let inodes = shown::Count(self.inodes, "inode", "inodes");
        log.detail(format_args!("{}: {inodes} read", self.path));
    }
}

/// The directories that were not listed because they are on other filesystems.
struct OtherFilesystems(Vec<Vec<u8>>);

impl Report for OtherFilesystems {
    fn log(&self, log: &Log) {
        for path in &self.0 {
            log.detail(format_args!("/{}: on another filesystem", path.escape_ascii()));
        }
        if !self.0.is_empty() {
            log.exclude("entries of directories on other filesystems", self.0.len() as u64);
        }
    }
}
