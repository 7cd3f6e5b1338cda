//! Packages among the sources: those that follow each other are merged before they are added.

use std::path::Path;

use crate::accounts::Accounts;
use crate::blob::{Blob, SpoolMemory};
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{SourceRecipe, TreeRecipe};
use crate::source::package::deb::files::{self, Package, PackageFile, PackageTree, UnknownOwner};
use crate::source::{ReadOptions, Source};
use crate::stack::Stack;
use crate::transform::ownership::Ownership;

/// Reads packages and merges their files. Owners that the packages have no accounts for are those of
/// the sources before.
pub(super) fn merged(
    files: &[PackageFile],
    recipe: &TreeRecipe,
    stack: &Stack<Blob>,
    options: &ReadOptions<'_>,
    memory: &SpoolMemory,
) -> Result<PackageTree> {
    let ReadOptions { limits, threads, interrupt, spool, cache, .. } = *options;
    let options = files::Options {
        limits,
        threads,
        interrupt,
        spool,
        memory,
        cache,
        filter: &recipe.packages.filter,
        database: recipe.packages.database,
        diversions: &[],
        architecture: None,
        time: recipe.time_of_changes(),
    };
    let mut packages = files::read(files, &options)?;
    let unknown = packages.settle_owners(&Accounts::of(stack.tree())?)?;
    if !unknown.is_empty() && !overrides_owners(recipe) {
        return Err(unknown_owners(&packages.packages, &unknown));
    }
    Ok(packages)
}

/// Returns true if the owners of the sources have no effect.
fn overrides_owners(recipe: &TreeRecipe) -> bool {
    matches!(recipe.ownership, Some(Ownership::Root | Ownership::Ids { .. }))
}

/// Returns the error for owners by names that nobody has.
fn unknown_owners(packages: &[Package], unknown: &[UnknownOwner]) -> Error {
    /// The number of files that the error names.
    const SHOWN: usize = 10;
    let mut lines: Vec<String> = unknown
        .iter()
        .take(SHOWN)
        .map(|one| {
            let package = packages.get(one.package).map_or("", |package| &package.control.name);
            let (path, name) = (one.path.escape_ascii(), one.name.escape_ascii());
            let what = if one.is_user { "user" } else { "group" };
            format!("{path} of {package} belongs to the {what} \"{name}\"")
        })
        .collect();
    if unknown.len() > SHOWN {
        lines.push(format!("{} more", unknown.len() - SHOWN));
    }
    let message = format!(
        "owners of files of packages have no number: {}; neither base-passwd's passwd.master and group.master, nor \
         /etc/passwd and /etc/group of the packages or of a source before them have these names: add such a source, or \
         set all owners with --owner",
        lines.join(", ")
    );
    Error::new(ErrorKind::BadInput, message)
}

/// The sources of a recipe, one after the other.
pub(super) struct Sources<'r> {
    recipe: &'r TreeRecipe,
    rest: std::slice::Iter<'r, SourceRecipe>,
    /// The source behind packages, which had to be recognized.
    next: Option<(&'r SourceRecipe, Source)>,
}

impl<'r> Sources<'r> {
    pub(super) fn of(recipe: &'r TreeRecipe) -> Self {
        Self { recipe, rest: recipe.sources.iter(), next: None }
    }

    /// Returns the next source, as it was given and opened.
    pub(super) fn next(&mut self) -> Result<Option<(&'r SourceRecipe, Source)>> {
        if let Some(next) = self.next.take() {
            return Ok(Some(next));
        }
        let Some(named) = self.rest.next() else { return Ok(None) };
        Ok(Some((named, named.open(self.recipe.basedir.as_deref())?)))
    }

    /// Returns a package, and the packages that follow it.
    pub(super) fn packages(&mut self, first: &Path) -> Result<Vec<PackageFile>> {
        let mut files = vec![PackageFile::local(first)];
        loop {
            match self.next()? {
                Some((_, Source::Package(file))) => files.push(PackageFile::local(&file)),
                next => {
                    self.next = next;
                    return Ok(files);
                }
            }
        }
    }
}
