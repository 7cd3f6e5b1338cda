//! Reads the sources that a recipe names, and combines them into the tree that it requests.

mod owner;

use std::path::Path;

use image_tree::Tree;
use rustix::process::geteuid;

use self::owner::{Given, Giver, Noted};
use super::closure::{self, Part, Reached};
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report as _};
use crate::output::Reservation;
use crate::progress::{Progress, Silent};
use crate::recipe::TreeRecipe;
use crate::shown;
use crate::source::directory::{Scanned, Unreadable};
use crate::source::{self, Contents, ReadOptions, Source, foreign, tar};
use crate::stack::{self, Stack};
use crate::transform::own_files::OwnFiles;
use crate::transform::ownership::{self, Owners, Ownership, SetIdChange};
use crate::transform::{edit, normalize, unreadable};

/// Reads the sources of one recipe.
pub(super) struct Reader<'r> {
    recipe: &'r TreeRecipe,
    /// Receives the number of bytes in the sources' files as they are found.
    found: &'r dyn Progress,
    interrupt: &'r Interrupt,
    log: &'r Log,
    /// The files that the run writes and therefore leaves out of directories.
    own: OwnFiles,
}

impl<'r> Reader<'r> {
    /// Creates a reader that does not report the bytes it finds.
    pub(super) fn new(recipe: &'r TreeRecipe, interrupt: &'r Interrupt, log: &'r Log) -> Self {
        Self { recipe, found: &Silent, interrupt, log, own: OwnFiles::default() }
    }

    /// Returns the same, reporting the bytes it finds to a reservation.
    pub(super) fn telling(self, reservation: Option<&'r Reservation>) -> Self {
        match reservation {
            Some(found) => Self { found, ..self },
            None => self,
        }
    }

    /// Returns the same, leaving out the files that the run writes.
    pub(super) fn without(self, own: OwnFiles) -> Self {
        Self { own, ..self }
    }

    /// Adds each source to those before it and transforms the result as the recipe requests,
    /// reporting changes beyond the request.
    pub(super) fn tree(&self) -> Result<Tree<Blob>> {
        Ok(self.part()?.0)
    }

    /// Returns the tree as [`tree`](Self::tree) does, with the kept part if the recipe reduces the
    /// tree.
    pub(super) fn part(&self) -> Result<(Tree<Blob>, Option<Part>)> {
        let Self { recipe, log, .. } = *self;
        let reached = closure::reach(recipe, &self.options())?;
        let (scanned, found) = reached.map(|Reached { scanned, found }| (scanned, found)).unzip();
        let Stacked { mut tree, mut closed, given } = self.stacked(scanned)?;
        if let Some(packed) = foreign::packed(&tree) {
            let names: Vec<String> =
                recipe.sources.iter().map(|name| shown::name(name).to_string()).collect();
            log.warn(format_args!("{}: {packed}", names.join(", ")));
        }
        if let Some(ownership) = &recipe.ownership {
            ownership::apply_manifest(&mut tree, ownership)?;
        }
        let options = edit::Options {
            edits: &recipe.edits,
            time: recipe.time_of_changes(),
            threads: recipe.threads.get(),
            filter: &recipe.xattr_filter,
            interrupt: self.interrupt,
            own: self.own,
        };
        let report = edit::apply(&mut tree, &options)?;
        report.log(log);
        closed.extend(report.unreadable);
        // An unreadable file that is left out or empty cannot be needed; if it is an error, only
        // kept files must be readable.
        let fails = recipe.unreadable == unreadable::Policy::Fail;
        if !fails || recipe.keep.is_none() {
            self.settle(&mut tree, &closed)?;
        }
        self.interrupt.check()?;
        let (mut tree, part) = closure::reduce(tree, recipe, found, log)?;
        if fails && part.is_some() {
            self.settle(&mut tree, &closed)?;
        }
        for mut given in given {
            given.retain_in_effect(&tree);
            if !given.paths.is_empty() {
                given.log(log);
            }
        }
        // Times of files that edits added are clamped as well.
        normalize::clamp_times(&mut tree, &recipe.times()).log(log);
        ownership::undefined::refuse(&tree)?;
        Ok((if closed.is_empty() { tree } else { tree.compact().0 }, part))
    }

    /// Returns the options for reading a source.
    fn options(&self) -> ReadOptions<'r> {
        let Self { recipe, found, interrupt, .. } = *self;
        let TreeRecipe { threads, limits, one_file_system, .. } = *recipe;
        ReadOptions { threads, limits, interrupt, one_file_system, filter: &recipe.xattr_filter, found }
    }

    /// Applies the recipe's policy to unreadable files. Files that were removed need not be
    /// readable.
    fn settle(&self, tree: &mut Tree<Blob>, closed: &[Unreadable]) -> Result<()> {
        let policy = self.recipe.unreadable;
        unreadable::apply(tree, &unreadable::Options { policy, unreadable: closed })?.log(self.log);
        Ok(())
    }

    /// Adds the sources one over another. The first one may have been read before.
    fn stacked(&self, first: Option<Scanned>) -> Result<Stacked> {
        let Self { recipe, interrupt, .. } = *self;
        if recipe.sources.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "there is no source to read a tree from"));
        }
        let (mut stack, mut noted) = (Stack::new(recipe.rules), Noted::default());
        let (mut first, mut basedir_used) = (first, false);
        for path in &recipe.sources {
            interrupt.check()?;
            let source = Source::at(path, recipe.basedir.as_deref())?;
            basedir_used |= matches!(source, Source::Dump { .. });
            let usual = default_ownership(&source);
            let is_directory = matches!(source, Source::Directory(_));
            let contents = match first.take() {
                Some(scanned) => Contents::Tree(scanned),
                None => source::open(source, &self.options())?,
            };
            let path = Path::new(path);
            let report = match contents {
                Contents::Tree(scanned) => {
                    self.add_tree(path, scanned, (&usual, is_directory), &mut stack, &mut noted)?
                }
                Contents::Members(reader) => {
                    self.add_members(path, *reader, &usual, &mut stack, &mut noted)?
                }
            };
            self.tell(path, &report);
        }
        if recipe.basedir.is_some() && !basedir_used {
            return Err(Error::new(ErrorKind::Usage, "--basedir is for dumps, and no source is one"));
        }
        let (closed, given) = noted.by_path(stack.tree())?;
        Ok(Stacked { tree: stack.finish(), closed, given })
    }

    /// Adds a tree, with the owners that the recipe sets and without metadata that is meaningless
    /// outside of the host.
    fn add_tree(
        &self,
        path: &Path,
        mut scanned: Scanned,
        (usual, is_directory): (&Ownership, bool),
        stack: &mut Stack<Blob>,
        noted: &mut Noted,
    ) -> Result<stack::Report> {
        let Self { recipe, log, .. } = *self;
        self.own.leave_out(&mut scanned, path)?.log(log);
        tell_elsewhere(&scanned.other_filesystem, log);
        log.detail(format_args!("{}: {} inodes read", shown::path(path), scanned.tree.inode_count()));
        let ownership = recipe.ownership.as_ref().unwrap_or(usual);
        let given = ownership::apply(&mut scanned, ownership, usual)?;
        let report = normalize::apply(&mut scanned.tree, self.normal(is_directory));
        report.log(log);
        let Scanned { tree, unreadable, .. } = scanned;
        let find = |path: &[u8]| tree.resolve(path);
        let closed: Vec<_> =
            unreadable.into_iter().filter_map(|one| Some((find(&one.path())?, one))).collect();
        let given_ids: Vec<_> =
            given.iter().flat_map(|given| &given.paths).filter_map(|path| find(path)).collect();
        let grafted = stack.add_tree(tree).map_err(|error| Error::at(ErrorKind::BadInput, path, error))?;
        noted.closed.extend(closed.into_iter().filter_map(|(id, one)| Some((grafted.id(id)?, one))));
        if let Some(SetIdChange { uid, gid, .. }) = given {
            let ids = given_ids.into_iter().filter_map(|id| grafted.id(id)).collect();
            noted.given.push(Given { uid, gid, ids });
        }
        Ok(grafted.report)
    }

    /// Adds the members of an archive, in the same way.
    fn add_members(
        &self,
        path: &Path,
        reader: tar::Reader<'_>,
        usual: &Ownership,
        stack: &mut Stack<Blob>,
        noted: &mut Noted,
    ) -> Result<stack::Report> {
        let Self { recipe, log, .. } = *self;
        let owners = Owners::new(recipe.ownership.as_ref().unwrap_or(usual), usual)?;
        let mut giver = Giver::new(owners, self.normal(false));
        let tar::Added { report, warnings } = reader.add_to(stack, &mut giver)?;
        for warning in warnings {
            log.warn(format_args!("{}: {warning}", shown::path(path)));
        }
        log.detail(format_args!("{}: {} inodes read", shown::path(path), giver.count()));
        let dropped = giver.finish(stack.tree(), noted)?;
        dropped.log(log);
        Ok(report)
    }

    /// Returns the options for normalizing a source's metadata. Labels in a dump or an archive were
    /// written there for the guest. Those of the host are dropped before edits can set any.
    fn normal(&self, is_directory: bool) -> normalize::Options<'r> {
        let Self { recipe, .. } = *self;
        let (times, filter) = (recipe.times(), &recipe.xattr_filter);
        normalize::Options { times, keep_selinux: !is_directory, filter }
    }

    /// Reports the effect of adding a source on those before it.
    fn tell(&self, path: &Path, report: &stack::Report) {
        let Self { log, .. } = *self;
        let path = shown::path(path);
        for one in &report.replaced {
            if one.is_link_by_directory() {
                log.warn(format_args!("{path}: {one}; --keep-directory-symlink keeps the link"));
            } else {
                log.detail(format_args!("{path}: {one}"));
            }
        }
        if report.hidden > 0 {
            log.detail(format_args!(
                "{path}: {} names of earlier sources taken away by whiteouts",
                report.hidden
            ));
        }
        if !report.markers.is_empty() {
            log.warn(format_args!("{path}: {}", report.markers));
        }
    }
}

/// Reports the directories that were not listed because they are on other filesystems.
fn tell_elsewhere(paths: &[Vec<u8>], log: &Log) {
    for path in paths {
        log.detail(format_args!("/{}: on another filesystem", path.escape_ascii()));
    }
    if !paths.is_empty() {
        log.exclude("entries of directories on other filesystems", paths.len() as u64);
    }
}

/// All sources as one tree.
struct Stacked {
    tree: Tree<Blob>,
    /// The unreadable files in it.
    closed: Vec<Unreadable>,
    /// For each source, the programs that run as another user or group now.
    given: Vec<SetIdChange>,
}

/// Returns the default ownership for a source. The owners in a directory that an ordinary user
/// reads say nothing about the guest. Root can create a directory with the right owners, and a dump
/// or an archive states them.
fn default_ownership(source: &Source) -> Ownership {
    match source {
        Source::Directory(_) if !geteuid().is_root() => Ownership::Root,
        Source::Directory(_) | Source::Dump { .. } | Source::Tar { .. } | Source::TarStream { .. } => {
            Ownership::Keep
        }
    }
}
