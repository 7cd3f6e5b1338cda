//! Reads the sources that a recipe names, and combines them into the tree that it requests.

mod owner;
mod packages;
mod steps;

pub(super) use self::steps::{SourceStep, host_metadata, own_files, owners};

use std::path::Path;

use image_tree::Tree;
use rustix::process::geteuid;

use self::owner::{FileRecords, MemberOwners, SetIdFiles};
use self::packages::Sources;
use self::steps::{Loaded, SourceOptions, normalization};
use crate::blob::{Blob, SpoolMemory};
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report as _};
use crate::progress::Progress;
use crate::recipe::TreeRecipe;
use crate::report::{ContainerReport, PackageReport};
use crate::run::packages::Means;
use crate::shown;
use crate::source::container::{Container, Message};
use crate::source::directory::{Scanned, Unreadable};
use crate::source::package::deb::spec::Spec;
use crate::source::{self, Contents, ReadOptions, Source, foreign, tar};
use crate::stack::{self, Stack};
use crate::transform::own_files::OwnFiles;
use crate::transform::ownership::{Owners, Ownership, SetIdChange};
use crate::watch::Watch;

/// Reads the sources of one recipe.
pub(super) struct Reader<'r> {
    pub(super) recipe: &'r TreeRecipe,
    /// The directory for unpacked layers; `None` for that of temporary files.
    pub(super) spool: Option<&'r Path>,
    /// The memory for what archives unpack to, before files are used.
    pub(super) memory: &'r SpoolMemory,
    /// The cache of decoded layers.
    pub(super) cache: Option<&'r Cache>,
    /// The directory for temporary files; `None` for that of the environment.
    pub(super) temporary: Option<&'r Path>,
    /// The steps that each source takes as a tree of its own, in order.
    pub(super) steps: &'r [SourceStep],
    /// The files that the run writes, and therefore leaves out of directories.
    pub(super) own: OwnFiles,
    /// Receives the number of bytes in the sources' files as they are found.
    pub(super) progress: &'r dyn Progress,
    /// False if xattrs are not read.
    pub(super) xattrs: bool,
    /// True if the tree after each source is kept.
    pub(super) states: bool,
    pub(super) interrupt: &'r Interrupt,
    pub(super) log: &'r Log,
}

/// All sources as one tree.
pub(super) struct Stacked {
    pub(super) tree: Tree<Blob>,
    /// The unreadable files in it.
    pub(super) unreadable: Vec<Unreadable>,
    /// For each source, the programs that run as another user or group now.
    pub(super) set_id: Vec<SetIdChange>,
    /// The images of containers among the sources.
    pub(super) containers: Vec<ContainerReport>,
    /// The packages of distributions among the sources.
    pub(super) packages: Vec<PackageReport>,
    /// The tree after each source, if they are kept.
    pub(super) states: Vec<Tree<Blob>>,
}

impl<'r> Reader<'r> {
    /// Returns the options for reading a source.
    pub(super) fn options(&self) -> ReadOptions<'r> {
        let Self { recipe, progress: found, xattrs, interrupt, spool, temporary, memory, cache, .. } = *self;
        let TreeRecipe { limits, one_file_system, rules, .. } = *recipe;
        ReadOptions {
            threads: &recipe.threads,
            limits,
            interrupt,
            one_file_system,
            filter: &recipe.xattr_filter,
            xattrs,
            platform: recipe.platform.as_ref(),
            spool,
            temporary,
            memory: Some(memory),
            cache,
            keep_directory_symlink: rules.keep_directory_symlink,
            found,
        }
    }

    /// Adds the sources one over another. The first one may have been read before.
    ///
    /// # Errors
    /// If a source cannot be read, or cannot be added to those before it.
    pub(super) fn stacked(&self, first: Option<Scanned>) -> Result<Stacked> {
        let Self { recipe, interrupt, .. } = *self;
        if recipe.sources.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "no source is given"));
        }
        let (mut stack, mut records) = (Stack::new(recipe.rules), FileRecords::default());
        let (mut first, mut basedir_used, mut containers) = (first, false, Vec::new());
        let (mut packages, mut states) = (Vec::new(), Vec::new());
        let mut sources = Sources::of(recipe);
        while let Some((named, source)) = sources.next()? {
            interrupt.check()?;
            basedir_used |= matches!(source, Source::Dump { .. });
            let usual = default_ownership(&source);
            let is_directory = matches!(source, Source::Directory(_));
            let contents = match (first.take(), source) {
                (Some(scanned), _) => Contents::Tree(scanned),
                (None, Source::Release(spec)) => self.packages(self.release(&spec)?, &mut sources, &stack)?,
                (None, Source::Package(file)) => {
                    self.packages(packages::Set::of_file(&file), &mut sources, &stack)?
                }
                (None, source) => source::open(source, &self.options())?,
            };
            let path = named.name();
            let report = match contents {
                Contents::Tree(scanned) => {
                    let default = usual;
                    let loaded = Loaded { path, scanned, default, is_directory, set_id: None };
                    self.add_tree(loaded, &mut stack, &mut records)?
                }
                Contents::Container(container) => {
                    let Container { tree, facts, messages } = *container;
                    self.log_container(&messages);
                    containers.push(ContainerReport::new(path, &facts));
                    let (scanned, default) = (Scanned::from(tree), usual);
                    let loaded = Loaded { path, scanned, default, is_directory, set_id: None };
                    self.add_tree(loaded, &mut stack, &mut records)?
                }
                Contents::Packages(merged) => {
                    self.log_container(&merged.messages);
                    packages.extend(merged.packages.iter().map(PackageReport::new));
                    let (scanned, default) = (Scanned::from(merged.tree), usual);
                    let loaded = Loaded { path, scanned, default, is_directory, set_id: None };
                    stack.keep_directory_symlink(true);
                    let report = self.add_tree(loaded, &mut stack, &mut records)?;
                    stack.keep_directory_symlink(recipe.rules.keep_directory_symlink);
                    report
                }
                Contents::Members(reader) => {
                    self.add_members(path, *reader, &usual, &mut stack, &mut records)?
                }
            };
            self.log_stacked(path, &report);
            states.extend(self.states.then(|| stack.tree().clone()));
        }
        if recipe.basedir.is_some() && !basedir_used {
            return Err(Error::new(ErrorKind::Usage, "--basedir is for dumps, and no source is a dump"));
        }
        let (unreadable, set_id) = records.by_path(stack.tree());
        let tree = stack.finish();
        if let Some(packed) = foreign::container_hint(&tree) {
            let names =
                recipe.sources.iter().map(|source| shown::name(source.name().as_os_str()).to_string());
            let names: Vec<String> = names.collect();
            self.log.warn(format_args!("{}: {packed}", names.join(", ")));
        }
        Ok(Stacked { tree, unreadable, set_id, containers, packages, states })
    }

    /// Selects and fetches the packages of a release.
    fn release(&self, spec: &Spec) -> Result<packages::Set> {
        let Self { recipe, cache, interrupt, log, .. } = *self;
        let watch = Watch { cancel: interrupt.clone(), ..Watch::default() };
        let means = Means { cache, threads: &recipe.threads, watch: &watch, log };
        packages::Set::of_release(spec, recipe, &means)
    }

    /// Merges packages, with the package files that follow.
    fn packages(
        &self,
        mut set: packages::Set,
        sources: &mut Sources<'_>,
        stack: &Stack<Blob>,
    ) -> Result<Contents<'static>> {
        sources.add_packages(&mut set)?;
        let merged = packages::merged(&set, self.recipe, stack, &self.options(), self.memory)?;
        Ok(Contents::Packages(Box::new(merged)))
    }

    /// Adds a tree, after the steps.
    fn add_tree(
        &self,
        mut loaded: Loaded<'_>,
        stack: &mut Stack<Blob>,
        records: &mut FileRecords,
    ) -> Result<stack::Report> {
        let Self { recipe, own, interrupt, log, .. } = *self;
        let options = SourceOptions { recipe, own };
        for step in self.steps {
            step(&mut loaded, &options)?.log(log);
            interrupt.check()?;
        }
        let Loaded { path, scanned: Scanned { tree, unreadable, .. }, set_id: given, .. } = loaded;
        let find = |path: &[u8]| tree.resolve_no_symlinks(path);
        let unreadable: Vec<_> =
            unreadable.into_iter().filter_map(|one| Some((find(&one.path())?, one))).collect();
        let given_ids: Vec<_> =
            given.iter().flat_map(|given| &given.paths).filter_map(|path| find(path)).collect();
        let grafted = stack.add_tree(tree).map_err(|error| Error::at(ErrorKind::BadInput, path, error))?;
        records
            .unreadable
            .extend(unreadable.into_iter().filter_map(|(id, one)| Some((grafted.id(id)?, one))));
        if let Some(SetIdChange { uid, gid, .. }) = given {
            let ids = given_ids.into_iter().filter_map(|id| grafted.id(id)).collect();
            records.set_id.push(SetIdFiles { uid, gid, ids });
        }
        Ok(grafted.report)
    }

    /// Adds the members of an archive. Each gets its owner and loses metadata of the host as it is
    /// added, since the tree of an archive exists in the stack only.
    fn add_members(
        &self,
        path: &Path,
        reader: tar::Reader<'_>,
        usual: &Ownership,
        stack: &mut Stack<Blob>,
        records: &mut FileRecords,
    ) -> Result<stack::Report> {
        let Self { recipe, log, .. } = *self;
        let owners = Owners::new(recipe.ownership.as_ref().unwrap_or(usual), usual)?;
        let mut owners = MemberOwners::new(owners, normalization(recipe, false));
        let tar::Added { report, warnings } = reader.add_to(stack, &mut owners)?;
        for warning in warnings {
            log.warn(format_args!("{}: {warning}", shown::path(path)));
        }
        let inodes = shown::Count(owners.count(), "inode", "inodes");
        log.detail(format_args!("{}: {inodes} read", shown::path(path)));
        let dropped = owners.finish(stack.tree(), records)?;
        dropped.log(log);
        Ok(report)
    }

    /// Reports the choice of an image, and what its layers do to each other.
    fn log_container(&self, messages: &[Message]) {
        for message in messages {
            match message {
                Message::Warning(text) => self.log.warn(text),
                Message::Detail(text) => self.log.detail(text),
            }
        }
    }

    /// Reports the effect of adding a source on those before it.
    fn log_stacked(&self, path: &Path, report: &stack::Report) {
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
            let names = shown::Count(report.hidden, "name", "names");
            log.detail(format_args!("{path}: {names} of earlier sources removed by whiteouts"));
        }
        if !report.markers.is_empty() {
            log.warn(format_args!("{path}: {}", report.markers));
        }
    }
}

/// Returns the default ownership for a source. The owners in a directory that an ordinary user
/// reads say nothing about the guest. Root can create a directory with the right owners, and a dump
/// or an archive states them.
fn default_ownership(source: &Source) -> Ownership {
    match source {
        Source::Directory(_) if !geteuid().is_root() => Ownership::Root,
        Source::Directory(_)
        | Source::Container(_)
        | Source::Package(_)
        | Source::Release(_)
        | Source::Dump { .. }
        | Source::Tar { .. }
        | Source::TarStream { .. } => Ownership::Keep,
    }
}
