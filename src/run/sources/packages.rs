//! Packages among the sources: those that follow each other are merged before they are added.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::accounts::Accounts;
use crate::blob::{Blob, SpoolMemory};
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{SourceRecipe, TreeRecipe};
use crate::run::packages::{self, Means};
use crate::source::package::deb::files::{self, Expected, Package, PackageFile, PackageTree, UnknownOwner};
use crate::source::package::deb::selected::{Location, SelectedPackage, Selection};
use crate::source::package::deb::spec::Spec;
use crate::source::package::deb::vendor;
use crate::source::{ReadOptions, Source};
use crate::stack::Stack;
use crate::transform::ownership::Ownership;

/// The packages that become one tree.
#[derive(Default)]
pub(super) struct Set {
    files: Vec<PackageFile>,
    /// The architecture of the tree and further ones, as Debian names them.
    architectures: Vec<String>,
    /// True for a release from before the links of a merged `/usr`.
    is_split_usr: bool,
}

impl Set {
    /// Returns a set of one package file.
    pub(super) fn of_file(path: &Path) -> Self {
        Self { files: vec![PackageFile::local(path)], ..Self::default() }
    }

    /// Selects the packages of a release and fetches them.
    pub(super) fn of_release(spec: &Spec, recipe: &TreeRecipe, means: &Means<'_>) -> Result<Self> {
        packages::select(spec, &recipe.archives, recipe.architecture, means, |selected, context| {
            let Selection { architecture, foreign_architectures, suite, packages } = selected.selection;
            let requests: Vec<_> = packages.iter().filter_map(vendor::request).collect();
            let fetched = context.fetcher.fetch_all(&requests, context.threads, context.watch)?;
            let mut fetched = fetched.into_iter().map(|file| Arc::new(file.into_file()));
            let vendor = suite.origin.to_lowercase();
            let files = packages.iter().map(|package| {
                let (path, fetched) = match &package.location {
                    Location::Archive { path, .. } => (PathBuf::from(path), fetched.next()),
                    Location::File(path) => (path.clone(), None),
                };
                let SelectedPackage { name, version, architecture, size, sha256, .. } = package.clone();
                PackageFile {
                    path,
                    fetched,
                    name: format!("{name} {version} {architecture}").into(),
                    reason: package.reason.to_string(),
                    vendor: vendor.clone(),
                    expected: Some(Expected { name, version, architecture, size, sha256 }),
                }
            });
            let files = files.collect();
            let architectures = std::iter::once(architecture).chain(foreign_architectures).collect();
            Ok(Self { files, architectures, is_split_usr: !suite.is_usr_merged })
        })
    }
}

/// Reads packages and merges their files. Owners that the packages have no accounts for are those of
/// the sources before.
pub(super) fn merged(
    set: &Set,
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
        architectures: &set.architectures,
        merged_usr: !set.is_split_usr,
        time: recipe.time_of_changes(),
    };
    let mut packages = files::read(&set.files, &options)?;
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

    /// Adds the package files that follow to a set of packages.
    pub(super) fn add_packages(&mut self, set: &mut Set) -> Result<()> {
        loop {
            match self.next()? {
                Some((_, Source::Package(file))) => set.files.push(PackageFile::local(&file)),
                next => {
                    self.next = next;
                    return Ok(());
                }
            }
        }
    }
}
