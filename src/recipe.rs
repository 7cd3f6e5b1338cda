//! The request as data: the result of parsing flags and recipe files, before any source is read.

pub mod archive;
mod build;
pub mod closure;
pub mod depmod;
pub mod dracut;
pub mod export;
pub mod file;
pub mod filesystem;
pub mod image;
pub mod initrd;
pub mod kata;
pub mod keep;
pub mod modules;
mod output;
pub mod packages;
pub mod preset;
pub mod root_hash;
pub mod shipped;
mod source;
pub mod tar;
pub mod verity;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::Timestamp;

use self::keep::KeepRecipe;
use self::modules::ModulesRecipe;
use self::packages::PackageRecipe;
use crate::architecture::Architecture;
use crate::log::Level;
use crate::source::container::Platform;
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::spec::Spec;
use crate::source::tar::Limits;
use crate::stack::Rules;
use crate::threads::Threads;
use crate::transform::configure::Generators;
use crate::transform::edit::{Action, Edit};
use crate::transform::hardlinks;
use crate::transform::image_config;
use crate::transform::kata::{GuestInit, Setup};
use crate::transform::normalize::Times;
use crate::transform::overlay;
use crate::transform::ownership::Ownership;
use crate::transform::selinux::FileContexts;
use crate::transform::unreadable;
use crate::xattr_filter::Filter;

pub use build::{Build, Make};
pub use image::ImageRecipe;
pub use output::{Output, OutputRecipe};
pub use source::SourceRecipe;

/// The tree to read and the changes to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TreeRecipe {
    /// The recipe files that some of this was read from.
    pub recipe_files: Vec<PathBuf>,
    /// The sources, each of which is added to those before it. There is at least one.
    pub sources: Vec<SourceRecipe>,
    /// The directory of a dump's payload files; `None` for the directory of the dump.
    pub basedir: Option<PathBuf>,
    /// The owners of the files; `None` keeps those of each source.
    pub ownership: Option<Ownership>,
    /// The rules by which each source is added to those before it.
    pub rules: Rules,
    /// The limits on archives.
    pub limits: Limits,
    /// The SELinux labels to set; `None` keeps those of the source.
    pub file_contexts: Option<FileContexts>,
    /// True if the entries of directories that are mount points beneath a source directory are
    /// excluded.
    pub one_file_system: bool,
    /// The handling of unreadable files.
    pub unreadable: unreadable::Policy,
    /// The policy for hard links.
    pub hardlinks: hardlinks::Policy,
    /// The demands of Kata on the tree.
    pub kata: KataRecipe,
    /// The generators that configure the tree before the edits.
    pub configure: Generators,
    /// The edits of the tree, in order.
    pub edits: Vec<Edit>,
    /// Sources that are laid over the tree after the edits. All of each is kept.
    pub overlays: Vec<SourceRecipe>,
    /// The treatment of places where an overlay meets something else.
    pub overlay_conflict: overlay::Conflict,
    /// The part of the tree that is kept after the edits; `None` keeps all.
    pub keep: Option<KeepRecipe>,
    /// The changes to the kernel modules of the tree.
    pub modules: ModulesRecipe,
    /// True if `/etc/ld.so.cache` is written even if the tree is kept whole or has none.
    pub ld_cache: bool,
    /// True if the mount points and empty files that a guest needs are added where they are absent.
    pub guest_files: bool,
    /// The packages that are selected of releases among the sources, such as `debian:trixie`.
    pub archives: PackageOptions,
    /// The options for the files of packages of distributions.
    pub packages: PackageRecipe,
    /// The place of the settings of an image of containers.
    pub image_config: image_config::Place,
    /// The xattrs of the sources that are kept or removed.
    pub xattr_filter: Filter,
    /// The lower limit of all timestamps, which is not after `source_date_epoch`.
    pub clamp_mtime_min: Option<Timestamp>,
    /// The upper limit of all timestamps.
    pub source_date_epoch: Option<Timestamp>,
    /// The platform of an image for several; `None` for that of this machine.
    pub platform: Option<Platform>,
    /// The machine architecture of the tree, if it was given.
    pub architecture: Option<Architecture>,
    /// The directory of unnamed files with unpacked layers; `None` for that of the output, or for
    /// `/tmp` if a program of the library plans before it names an output.
    pub spool: Option<PathBuf>,
    /// The directory of results for later runs.
    pub cache: Option<CacheRecipe>,
    /// The threads to work in, which are started when they are first needed.
    pub threads: Arc<Threads>,
    /// True if decisions and steps are logged.
    pub verbose: bool,
}

/// The demands of Kata on a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KataRecipe {
    /// The setup of a guest, before the edits; `None` changes nothing.
    pub setup: Option<Setup>,
    /// The check of the tree for the init of a guest, this one or any; `None` for no check.
    pub check: Option<Option<GuestInit>>,
}

/// A directory of decoded layers and compressed data for later runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecipe {
    /// Its path.
    pub directory: PathBuf,
    /// The maximum size in bytes.
    pub size: u64,
}

impl TreeRecipe {
    /// Returns the recipe that changes nothing, with the limits and policies that the command line
    /// has without flags.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = impl Into<SourceRecipe>>, threads: NonZeroUsize) -> Self {
        Self {
            recipe_files: Vec::new(),
            sources: sources.into_iter().map(Into::into).collect(),
            basedir: None,
            ownership: None,
            rules: Rules::default(),
            limits: Limits::DEFAULT,
            file_contexts: None,
            one_file_system: false,
            unreadable: unreadable::Policy::default(),
            hardlinks: hardlinks::Policy::default(),
            kata: KataRecipe::default(),
            configure: Generators::default(),
            edits: Vec::new(),
            overlays: Vec::new(),
            overlay_conflict: overlay::Conflict::default(),
            keep: None,
            modules: ModulesRecipe::default(),
            ld_cache: false,
            guest_files: false,
            archives: PackageOptions::default(),
            packages: PackageRecipe::default(),
            image_config: image_config::Place::default(),
            xattr_filter: Filter::default(),
            clamp_mtime_min: None,
            source_date_epoch: None,
            platform: None,
            architecture: None,
            spool: None,
            cache: None,
            threads: Arc::new(Threads::new(threads)),
            verbose: false,
        }
    }

    /// Checks for options that contradict each other.
    ///
    /// # Errors
    /// A message with the flags that conflict.
    pub fn check(&self) -> Result<(), String> {
        if let (Some(earliest), Some(epoch)) = (self.clamp_mtime_min, self.source_date_epoch)
            && earliest > epoch
        {
            let (earliest, epoch) = (earliest.seconds(), epoch.seconds());
            return Err(format!(
                "--clamp-mtime-min {earliest} is after --source-date-epoch (or the variable), {epoch}"
            ));
        }
        if self.sources.iter().chain(&self.overlays).filter(|source| source.path().is_none()).count() > 1 {
            return Err("standard input (-) can be one SOURCE only".to_owned());
        }
        let mut has_release = false;
        for source in self.sources.iter().chain(&self.overlays) {
            has_release |= release(source)?.is_some();
        }
        if !has_release && self.archives != PackageOptions::default() {
            let what = "the flags that select packages, such as --include and --mirror, need a SOURCE such as debian:trixie";
            return Err(what.to_owned());
        }
        Ok(())
    }

    /// The files of the host that it names and that are read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let is_file = |source: &&SourceRecipe| !matches!(release(source), Ok(Some(_)));
        let sources = self.sources.iter().chain(&self.overlays).filter(is_file);
        let sources = sources.map(|source| source.path().unwrap_or(Path::new("/dev/stdin")));
        let mut inputs: Vec<&Path> = sources.chain(self.recipe_files.iter().map(PathBuf::as_path)).collect();
        inputs.extend(self.modules.directory.as_deref());
        if let Some(Ownership::Fakeroot(path) | Ownership::Mtree(path)) = &self.ownership {
            inputs.push(path);
        }
        if let Some(FileContexts::File(path)) = &self.file_contexts {
            inputs.push(path);
        }
        inputs.extend(self.edits.iter().filter_map(|edit| match &edit.action {
            Action::Add { source, .. } => Some(source.as_path()),
            _ => None,
        }));
        inputs.extend(self.kata.setup.iter().flat_map(Setup::inputs));
        inputs
    }

    /// The timestamp of generated files.
    #[must_use]
    pub fn time_of_changes(&self) -> Timestamp {
        self.source_date_epoch.unwrap_or(Timestamp::EPOCH)
    }

    /// The times that files may have.
    #[must_use]
    pub fn times(&self) -> Times {
        Times { earliest: self.clamp_mtime_min, latest: self.source_date_epoch }
    }

    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.verbose { Level::Verbose } else { Level::Normal }
    }
}

/// Returns the release of a distribution that a source names, if it names one.
fn release(source: &SourceRecipe) -> Result<Option<Spec>, String> {
    match source {
        SourceRecipe::Named(name) => Spec::parse(name),
        _ => Ok(None),
    }
}
