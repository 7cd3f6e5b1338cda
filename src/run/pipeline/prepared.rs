//! The tree between the steps of the pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use image_tree::{InodeId, Metadata, Tree};

use crate::blob::Blob;
use crate::cache::Cache;
use crate::error::Result;
use crate::log::Report;
use crate::report::{BuildInfo, ContainerReport, Counts, PackageReport};
use crate::run::firmware::Firmware;
use crate::run::reduction::{Found, Reduction};
use crate::source::directory::Unreadable;
use crate::transform::configure;
use crate::transform::hardlinks::Linked;
use crate::transform::kernel_modules::{changed, signatures};
use crate::transform::overlay;
use crate::transform::ownership::SetIdChange;

/// The tree, and the results of the steps so far.
pub(in crate::run) struct Prepared {
    pub(in crate::run) tree: Tree<Blob>,
    /// The kept part, if the tree was reduced.
    pub(in crate::run) reduction: Option<Reduction>,
    /// The hard links that were made or broken.
    pub(in crate::run) hard_links: Linked,
    /// True if `/init` was created.
    pub(in crate::run) init_created: bool,
    /// The files that share the blocks of another one, which is the value.
    pub(in crate::run) duplicates: BTreeMap<InodeId, InodeId>,
    /// The microcode of the whole tree, if the run asks for it.
    pub(in crate::run) microcode: Vec<Firmware>,
    /// The files that generators made.
    pub(in crate::run) configured: Vec<configure::Made>,
    /// The images of containers among the sources.
    pub(in crate::run) containers: Vec<ContainerReport>,
    /// The packages of distributions among the sources.
    pub(in crate::run) packages: Vec<PackageReport>,
    /// The files of the overlays, and the places where they meet others.
    pub(super) overlay: overlay::Laid,
    /// The cache of the recipe, if it can be used.
    pub(in crate::run) cache: Option<Cache>,
    /// The directory for temporary files; `None` for that of the environment.
    pub(in crate::run) temporary: Option<PathBuf>,
    /// The trees after each source, if they are kept.
    pub(in crate::run) states: Vec<Tree<Blob>>,
    /// The kept part, if it was found while the sources were read.
    pub(super) found: Option<Found>,
    /// The unreadable files of the sources and edits.
    pub(super) unreadable: Vec<Unreadable>,
    /// For each source, the programs that run as another user or group now.
    pub(super) set_id: Vec<SetIdChange>,
    /// The kernel modules of the whole tree, and the changes to them.
    pub(super) modules: Modules,
}

impl Prepared {
    /// Returns an empty tree, before any step.
    pub(super) fn new() -> Self {
        Self {
            tree: Tree::new(Metadata::new(0)),
            reduction: None,
            hard_links: Linked::default(),
            init_created: false,
            duplicates: BTreeMap::new(),
            microcode: Vec::new(),
            configured: Vec::new(),
            containers: Vec::new(),
            packages: Vec::new(),
            cache: None,
            temporary: None,
            states: Vec::new(),
            overlay: overlay::Laid::default(),
            found: None,
            unreadable: Vec::new(),
            set_id: Vec::new(),
            modules: Modules::default(),
        }
    }

    /// Returns the part of a report that is about the tree.
    pub(in crate::run) fn build_info(&self) -> BuildInfo {
        let (configured, containers) = (self.configured.clone(), self.containers.clone());
        let packages = self.packages.clone();
        BuildInfo::new(Counts::of(&self.tree), self.hard_links, configured, containers, packages)
    }
}

/// The kernel modules of the whole tree, and the changes to them.
#[derive(Default)]
pub(super) struct Modules {
    /// The modules of the sources, if edits or overlays may change them.
    pub(super) before: Option<changed::Modules>,
    /// The version that was added from the host.
    pub(super) added: Option<Vec<u8>>,
    /// The directories of versions whose indices are to be written anew.
    pub(super) changed: BTreeSet<Vec<u8>>,
    /// The versions whose kernel loads signed modules only.
    pub(super) enforced: signatures::Enforced,
}

/// Returns the report of a step.
pub(super) fn done(report: impl Report + 'static) -> Result<Box<dyn Report>> {
    Ok(Box::new(report))
}
