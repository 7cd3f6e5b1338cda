//! The request as data: the result of parsing flags and recipe files, before any source is read.

pub mod closure;
pub mod dracut;
pub mod export;
pub mod file;
pub mod filesystem;
pub mod initrd;
pub mod kata;
pub mod keep;
pub mod preset;
pub mod root_hash;
pub mod shipped;
pub mod tar;
pub mod verity;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_tree::Timestamp;
use uuid::Uuid;

use self::filesystem::FilesystemRecipe;
use self::keep::KeepRecipe;
use self::preset::DiskPreset;
use self::verity::VerityRecipe;
use crate::architecture::Architecture;
use crate::disk::{DAX_UNIT, DISK_UNIT, DiskLayout, SectorSize};
use crate::filesystem::Size;
use crate::log::Level;
use crate::output::{DestinationOptions, Reflink};
use crate::seed::Seed;
use crate::source::container::{Platform, Reference};
use crate::source::tar::Limits;
use crate::stack::Rules;
use crate::threads::Threads;
use crate::transform::edit::{Action, Edit};
use crate::transform::hardlinks;
use crate::transform::image_config;
use crate::transform::normalize::Times;
use crate::transform::overlay;
use crate::transform::ownership::Ownership;
use crate::transform::selinux::FileContexts;
use crate::transform::unreadable;
use crate::xattr_filter::Filter;

/// The tree to read and the changes to it.
#[derive(Clone, Debug)]
pub struct TreeRecipe {
    /// The recipe files that some of this was read from.
    pub recipe_files: Vec<PathBuf>,
    /// Directories, tar archives and dumps, or `-` for an archive or a dump on standard input: each
    /// is added to those before it. There is at least one.
    pub sources: Vec<OsString>,
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
    /// The edits of the tree, in order.
    pub edits: Vec<Edit>,
    /// Sources that are laid over the tree after the edits. All of each is kept.
    pub overlays: Vec<OsString>,
    /// The treatment of places where an overlay meets something else.
    pub overlay_conflict: overlay::Conflict,
    /// The part of the tree that is kept after the edits; `None` keeps all.
    pub keep: Option<KeepRecipe>,
    /// True if `/etc/ld.so.cache` is written even if the tree is kept whole or has none.
    pub ld_cache: bool,
    /// True if the mount points and empty files that a guest needs are added where they are absent.
    pub guest_files: bool,
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
    /// The directory of unnamed files with unpacked layers; `None` for that of the output.
    pub spool: Option<PathBuf>,
    /// The threads to work in, which are started when they are first needed.
    pub threads: Arc<Threads>,
    /// True if decisions and steps are logged.
    pub verbose: bool,
}

/// An image to make of a tree.
#[derive(Clone, Debug)]
pub struct ImageRecipe {
    /// The tree.
    pub tree: TreeRecipe,
    /// The destination of the image.
    pub output: Output,
    /// The policy for sharing extents between the image and the sources.
    pub reflink: Reflink,
    /// The filesystem.
    pub filesystem: FilesystemRecipe,
    /// The partition table around the filesystem.
    pub layout: DiskLayout,
    /// True if the layout of a Kata guest has the header with which it can be mounted with DAX.
    pub dax: bool,
    /// The purpose that preset options, if there is one.
    pub preset: Option<DiskPreset>,
    /// The logical sector size of the disk.
    pub sector_size: SectorSize,
    /// The machine architecture of the tree; `None` reads it from the tree.
    pub architecture: Option<Architecture>,
    /// The size of the image. [`Size::Total`] includes the partition table and the hash tree.
    pub size: Size,
    /// The multiple of the image's size in bytes; `None` for that of the layout.
    pub size_multiple: Option<u64>,
    /// The hash tree of the filesystem, if it is measured.
    pub verity: Option<VerityRecipe>,
    /// The file for the root hash; `None` for `root_hash.txt` beside a file as output.
    pub root_hash_file: Option<PathBuf>,
    /// The name of a guest extension of Kata, if it is one with a name.
    pub extension: Option<String>,
    /// True if the configuration of Kata's runtimes is printed.
    pub print_kata_config: bool,
    /// The seed that identifiers derive from; `None` takes a digest of the tree's metadata and of
    /// this recipe.
    pub seed: Option<Uuid>,
    /// True if only errors and warnings are printed.
    pub quiet: bool,
    /// True to stop after planning.
    pub dry_run: bool,
    /// True if the report on standard output is JSON.
    pub json: bool,
}

/// The destination of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file, which appears once it is complete, or the special file at the path.
    File {
        /// Its path.
        path: PathBuf,
        /// The further requirements on it.
        options: DestinationOptions,
    },
    /// Standard output, front to back.
    Stream,
    /// Not written: only its SHA-256 is printed.
    Digest,
    /// Not written and without a named destination: it is only planned.
    Nowhere,
}

impl TreeRecipe {
    /// Returns the recipe that changes nothing, with the limits and policies that the command line
    /// has without flags.
    #[must_use]
    pub fn new(sources: Vec<OsString>, threads: NonZeroUsize) -> Self {
        Self {
            recipe_files: Vec::new(),
            sources,
            basedir: None,
            ownership: None,
            rules: Rules::default(),
            limits: Limits::DEFAULT,
            file_contexts: None,
            one_file_system: false,
            unreadable: unreadable::Policy::default(),
            hardlinks: hardlinks::Policy::default(),
            edits: Vec::new(),
            overlays: Vec::new(),
            overlay_conflict: overlay::Conflict::default(),
            keep: None,
            ld_cache: false,
            guest_files: false,
            image_config: image_config::Place::default(),
            xattr_filter: Filter::default(),
            clamp_mtime_min: None,
            source_date_epoch: None,
            platform: None,
            architecture: None,
            spool: None,
            threads: Arc::new(Threads::new(threads)),
            verbose: false,
        }
    }

    /// The files of the host that it names and that are read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let sources = self.sources.iter().chain(&self.overlays).map(|source| match source.as_os_str() {
            source if source == "-" => Path::new("/dev/stdin"),
            source => Reference::path_of(source).unwrap_or(Path::new(source)),
        });
        let mut inputs: Vec<&Path> = sources.chain(self.recipe_files.iter().map(PathBuf::as_path)).collect();
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

impl ImageRecipe {
    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.quiet { Level::Quiet } else { self.tree.level() }
    }

    /// The multiple of the image's size in bytes.
    #[must_use]
    pub fn size_multiple(&self) -> u64 {
        self.size_multiple.unwrap_or(self.layout_multiple())
    }

    /// The least multiple that an image of the layout has, in bytes.
    fn layout_multiple(&self) -> u64 {
        match self.layout {
            DiskLayout::Bare => 1,
            DiskLayout::Kata if self.dax => DAX_UNIT,
            DiskLayout::Gpt | DiskLayout::Mbr | DiskLayout::Kata => DISK_UNIT,
        }
    }

    /// True if Kata's runtimes and guests are to use the disk.
    #[must_use]
    pub fn is_for_kata(&self) -> bool {
        self.layout == DiskLayout::Kata || self.preset.is_some()
    }

    /// Returns the seed of every identifier that was not given, from the canonical text of the tree
    /// and of all options that affect the bytes. The number of threads and the output do not, and
    /// are left out.
    ///
    /// # Errors
    /// The errors of `write_tree`.
    pub fn seed(
        &self,
        write_tree: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> std::io::Result<Seed> {
        if let Some(uuid) = self.seed {
            return Ok(Seed::from_uuid(uuid));
        }
        let byte_layout = self.filesystem.filesystem().properties().byte_layout;
        Seed::digest(|text| {
            writeln!(text, "{byte_layout}")?;
            writeln!(text, "layout {}", self.layout)?;
            if self.layout == DiskLayout::Kata && !self.dax {
                writeln!(text, "dax false")?;
            }
            writeln!(text, "sector-size {}", self.sector_size.bytes())?;
            writeln!(text, "arch {}", self.architecture.map_or("-", Architecture::name))?;
            writeln!(text, "size {:?}", self.size)?;
            if self.size_multiple() != self.layout_multiple() {
                writeln!(text, "size-multiple {}", self.size_multiple())?;
            }
            if let Some(verity) = &self.verity {
                verity.write(text)?;
            }
            self.filesystem.write(text)?;
            writeln!(text, "source-date-epoch {:?}", self.tree.source_date_epoch.map(Timestamp::seconds))?;
            write_tree(text)
        })
    }
}
