//! The trees that a recipe names become the one tree that it asks for.

use std::ffi::OsStr;
use std::path::Path;

use image_tree::Tree;
use rustix::process::geteuid;

use super::closure::{self, Part, Reached};
use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::output::Reservation;
use crate::recipe::TreeRecipe;
use crate::report::Log;
use crate::report::progress::{Progress, Silent};
use crate::source::directory::{Scanned, Unreadable};
use crate::source::{self, Layer, ReadOptions, Source};
use crate::transform::ownership::{self, GivenAway, Ownership};
use crate::transform::{edit, normalize, overlay, unreadable};

/// Reads what one recipe names.
pub(super) struct Reader<'r> {
    recipe: &'r TreeRecipe,
    /// Hears of bytes of the sources' files when they are found.
    found: &'r dyn Progress,
    interrupt: &'r Interrupt,
    log: &'r Log,
}

impl<'r> Reader<'r> {
    /// A reader that tells nobody how much it found.
    pub(super) fn new(recipe: &'r TreeRecipe, interrupt: &'r Interrupt, log: &'r Log) -> Self {
        Self { recipe, found: &Silent, interrupt, log }
    }

    /// The same, which tells a reservation of what it finds.
    pub(super) fn telling(self, reservation: Option<&'r Reservation>) -> Self {
        match reservation {
            Some(found) => Self { found, ..self },
            None => self,
        }
    }

    /// Lays each tree over those before it and makes the result what the recipe says, telling what that changed beyond
    /// what was asked.
    pub(super) fn tree(&self) -> Result<Tree<Blob>> {
        Ok(self.part()?.0)
    }

    /// As [`tree`](Self::tree), with what was kept, if only a part of the tree was.
    pub(super) fn part(&self) -> Result<(Tree<Blob>, Option<Part>)> {
        let Self { recipe, log, .. } = *self;
        let reached = closure::reach(recipe, &self.options())?;
        let (layer, found) = reached.map(|Reached { layer, found }| (layer, found)).unzip();
        let Overlaid { mut tree, mut closed, given } = self.overlaid(layer)?;
        if let Some(ownership) = &recipe.ownership {
            ownership::apply_manifest(&mut tree, ownership)?;
        }
        let (time, threads) = (recipe.time_of_changes(), recipe.threads.get());
        let options = edit::Options { time, threads, interrupt: self.interrupt };
        let (mut tree, report) = edit::apply(tree, &recipe.edits, options)?;
        report.warnings.into_iter().for_each(|warning| log.warn(warning));
        closed.extend(report.unreadable);
        // What is left out or empty cannot be needed; but where it is an error, only what is kept has to be readable.
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
            given.retain_given(&tree);
            if !given.paths.is_empty() {
                log.warn(given);
            }
        }
        // What edits brought is to be no younger either.
        normalize::clamp_times(&mut tree, recipe.source_date_epoch);
        Ok((if closed.is_empty() { tree } else { tree.compact().0 }, part))
    }

    /// How each source is read.
    fn options(&self) -> ReadOptions<'r> {
        let Self { recipe, found, interrupt, .. } = *self;
        let TreeRecipe { threads, limits, one_file_system, .. } = *recipe;
        ReadOptions { threads, limits, interrupt, one_file_system, found }
    }

    /// Does with what may not be read as the recipe says. What was taken away need not be readable.
    fn settle(&self, tree: &mut Tree<Blob>, closed: &[Unreadable]) -> Result<()> {
        if let Some(left) = unreadable::settle(tree, closed, self.recipe.unreadable)? {
            self.log.exclude("unreadable files", left.count());
            self.log.warn(left);
        }
        Ok(())
    }

    /// Lays the sources one over the other. The first one may have been read before.
    fn overlaid(&self, layer: Option<Layer>) -> Result<Overlaid> {
        let Self { recipe, log, .. } = *self;
        let (first, others) = recipe
            .sources
            .split_first()
            .ok_or_else(|| Error::new(ErrorKind::Usage, "there is no source to read a tree from"))?;
        let mut basedir_used = false;
        let (lowest, away) = self.layer(first, layer, &mut basedir_used)?;
        let Scanned { mut tree, unreadable: mut closed, .. } = lowest.scanned;
        let mut given = Vec::from_iter(away);
        for path in others {
            let (Layer { scanned: upper, implied }, away) = self.layer(path, None, &mut basedir_used)?;
            for below in &mut given {
                below.paths.retain(|path| upper.tree.resolve(path).is_none());
            }
            given.extend(away);
            closed.retain(|found| !unreadable::is_covered(found, &upper.tree));
            closed.extend(upper.unreadable);
            let replaced;
            (tree, replaced) = overlay::apply(tree, &upper.tree, &implied)
                .map_err(|error| Error::at(ErrorKind::BadInput, path, error))?;
            for one in &replaced {
                let text = format!("{}: {one}", path.display());
                if one.is_link_by_directory() {
                    log.warn(text);
                } else {
                    log.detail(text);
                }
            }
        }
        if recipe.basedir.is_some() && !basedir_used {
            return Err(Error::new(ErrorKind::Usage, "--basedir is for dumps, and no source is one"));
        }
        Ok(Overlaid { tree, closed, given })
    }

    /// One source, with the owners it gives and without what means nothing outside of it.
    fn layer(
        &self,
        path: &OsStr,
        layer: Option<Layer>,
        basedir_used: &mut bool,
    ) -> Result<(Layer, Option<GivenAway>)> {
        let Self { recipe, log, .. } = *self;
        self.interrupt.check()?;
        let source = Source::at(path, recipe.basedir.as_deref())?;
        *basedir_used |= matches!(source, Source::Dump { .. });
        let usual = default_ownership(&source);
        let ownership = recipe.ownership.as_ref().unwrap_or(&usual);
        let is_directory = matches!(source, Source::Directory(_));
        let options = self.options();
        let Layer { mut scanned, implied } = match layer {
            Some(layer) => layer,
            None => source::read(source, &options)?,
        };
        tell_elsewhere(&scanned.elsewhere, log);
        log.detail(format_args!("{}: {} inodes read", Path::new(path).display(), scanned.tree.inode_count()));
        let given = ownership::apply(&mut scanned, ownership, &usual)?;
        // Labels in a dump or an archive were written there for the guest. What the host left goes before edits can set
        // any.
        let options =
            normalize::Options { source_date_epoch: recipe.source_date_epoch, keep_selinux: !is_directory };
        let report = normalize::apply(&mut scanned.tree, options);
        for (name, count) in &report.dropped {
            log.exclude(format_args!("xattr {name}"), *count);
        }
        if report.clamped > 0 {
            log.detail(format_args!("{} times were set back", report.clamped));
        }
        if !report.dropped.is_empty() {
            log.warn(report);
        }
        Ok((Layer { scanned, implied }, given))
    }
}

/// Says which directories were not looked into as they are on other filesystems.
fn tell_elsewhere(paths: &[Vec<u8>], log: &Log) {
    for path in paths {
        log.detail(format_args!("/{}: on another filesystem", path.escape_ascii()));
    }
    if !paths.is_empty() {
        log.exclude("entries of directories on other filesystems", paths.len() as u64);
    }
}

/// All sources as one tree.
struct Overlaid {
    tree: Tree<Blob>,
    /// What of it may not be read.
    closed: Vec<Unreadable>,
    /// For each source, what runs as somebody else now.
    given: Vec<GivenAway>,
}

/// A directory that an ordinary user reads belongs to whoever could write it, which says nothing about the guest. Root
/// can make a directory as it should be, and a dump or an archive says itself whose its files are.
fn default_ownership(source: &Source) -> Ownership {
    match source {
        Source::Directory(_) if !geteuid().is_root() => Ownership::Root,
        Source::Directory(_) | Source::Dump { .. } | Source::Tar { .. } | Source::TarStream { .. } => {
            Ownership::Keep
        }
    }
}
