//! The request as data: what flags and recipe files become before anything is read.

pub mod file;
pub mod filesystem;
pub mod initrd;
pub mod keep;

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use image_tree::Timestamp;
use mkfs_ext4::{Label, Size};
use uuid::Uuid;

use self::filesystem::FilesystemRecipe;
use self::keep::Keep;
use crate::architecture::Architecture;
use crate::disk::{DiskLayout, SectorSize};
use crate::output::{Asked, Reflink};
use crate::report::Level;
use crate::seed::Seed;
use crate::source::tar::Limits;
use crate::stack::Rules;
use crate::transform::edit::{Action, Edit};
use crate::transform::hardlinks;
use crate::transform::normalize::Times;
use crate::transform::ownership::Ownership;
use crate::transform::selinux::FileContexts;
use crate::transform::unreadable;
use crate::transform::xattrs::filter::Filter;

/// Which tree to read and what to change of it.
#[derive(Clone, Debug)]
pub struct TreeRecipe {
    /// The file that some of this was read from, if there was one.
    pub recipe_file: Option<PathBuf>,
    /// Directories, tar archives, dumps, or `-` for one of the latter two on standard input: each is added to those
    /// before it. There is at least one.
    pub sources: Vec<OsString>,
    /// Where a dump's payloads lie; none is the directory of the dump.
    pub basedir: Option<PathBuf>,
    /// Who owns the files; none leaves it to each source.
    pub ownership: Option<Ownership>,
    /// How each source is added to those before it.
    pub rules: Rules,
    /// What an archive may ask for.
    pub limits: Limits,
    /// Whose SELinux labels the files get; none leaves those that the source keeps.
    pub file_contexts: Option<FileContexts>,
    /// Whether the entries of directories that are mounted beneath a source directory are left out.
    pub one_file_system: bool,
    /// What becomes of what may not be read.
    pub unreadable: unreadable::Policy,
    /// Which names share an inode in the end.
    pub hardlinks: hardlinks::Policy,
    /// What to change then, the first one first.
    pub edits: Vec<Edit>,
    /// Which part of the tree is kept after that; none keeps all.
    pub keep: Option<Keep>,
    /// Whether the loader's cache is written even if the tree stays whole or has none.
    pub ld_cache: bool,
    /// The xattrs of the sources that stay or go.
    pub xattr_filter: Filter,
    /// Earlier times become this one, which is not after `source_date_epoch`.
    pub clamp_mtime_min: Option<Timestamp>,
    /// Later times become this one.
    pub source_date_epoch: Option<Timestamp>,
    /// How many threads work at once.
    pub threads: NonZeroUsize,
    /// Whether to tell what is decided and done on the way.
    pub verbose: bool,
}

/// Which image to make of a tree.
#[derive(Clone, Debug)]
pub struct ImageRecipe {
    /// The tree.
    pub tree: TreeRecipe,
    /// Where the image goes.
    pub output: Output,
    /// When its file is made to share bytes with the sources.
    pub reflink: Reflink,
    /// What the filesystem is to be like.
    pub filesystem: FilesystemRecipe,
    /// What surrounds the filesystem.
    pub layout: DiskLayout,
    /// The disk's logical sector size.
    pub sector_size: SectorSize,
    /// The machine the tree is for; none reads it from the tree.
    pub architecture: Option<Architecture>,
    /// How large the image is. [`Size::Total`] counts the partition table too.
    pub size: Size,
    /// The least number of inodes.
    pub inodes: Option<u32>,
    /// The filesystem's label.
    pub label: Label,
    /// The filesystem's UUID; none derives it from the seed.
    pub uuid: Option<Uuid>,
    /// What identifiers derive from; none takes a digest of the tree's metadata and of this recipe.
    pub seed: Option<Uuid>,
    /// Whether to say nothing but errors and warnings.
    pub quiet: bool,
    /// Whether to stop when everything is planned.
    pub dry_run: bool,
    /// Whether to report on standard output as JSON.
    pub json: bool,
}

/// Where an image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file, which appears when it is whole, or what else has the name.
    File {
        /// Its path.
        path: PathBuf,
        /// What was asked of it besides.
        asked: Asked,
    },
    /// Standard output, front to back.
    Stream,
    /// Nowhere: only its SHA-256 is printed.
    Digest,
    /// Nowhere: it is only planned, and nobody said where it would go.
    Nowhere,
}

impl TreeRecipe {
    /// The files of the host that are named in it and read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let path = |source| Path::new(if source == "-" { OsStr::new("/dev/stdin") } else { source });
        let sources = self.sources.iter().map(|source| path(source.as_os_str()));
        let mut inputs: Vec<&Path> = sources.chain(self.recipe_file.as_deref()).collect();
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

    /// The time of what is made and not read.
    #[must_use]
    pub fn time_of_changes(&self) -> Timestamp {
        self.source_date_epoch.unwrap_or(Timestamp::EPOCH)
    }

    /// The times that files may have.
    #[must_use]
    pub fn times(&self) -> Times {
        Times { earliest: self.clamp_mtime_min, latest: self.source_date_epoch }
    }

    /// How much is told on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.verbose { Level::Verbose } else { Level::Usual }
    }
}

impl ImageRecipe {
    /// How much is told on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.quiet { Level::Quiet } else { self.tree.level() }
    }

    /// The seed of every identifier that was not given, from the canonical text of the tree and of all that decides
    /// a byte. What does not, the number of threads and the output, is left out.
    ///
    /// # Errors
    /// When `write_tree` fails.
    pub fn seed(
        &self,
        write_tree: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> std::io::Result<Seed> {
        if let Some(uuid) = self.seed {
            return Ok(Seed::from_uuid(uuid));
        }
        let filesystem = self.filesystem.options(Uuid::nil(), Uuid::nil(), 0);
        Seed::digest(|text| {
            writeln!(text, "{BYTE_LAYOUT}")?;
            writeln!(text, "layout {}", self.layout.name())?;
            writeln!(text, "sector-size {}", self.sector_size.bytes())?;
            writeln!(text, "arch {}", self.architecture.map_or("-", Architecture::name))?;
            writeln!(text, "size {:?}", self.size)?;
            writeln!(text, "inodes {:?}", self.inodes)?;
            writeln!(text, "reserved {}", filesystem.reserved_percent)?;
            writeln!(text, "label {}", self.label.padded().escape_ascii())?;
            writeln!(text, "uuid {:?}", self.uuid)?;
            writeln!(text, "journal {:?}", filesystem.journal)?;
            self.filesystem.write(text)?;
            writeln!(text, "source-date-epoch {:?}", self.tree.source_date_epoch.map(Timestamp::seconds))?;
            write_tree(text)
        })
    }
}

/// The name of how bytes are laid out. Another layout has another name, and so other identifiers.
pub const BYTE_LAYOUT: &str = "ext4-2";
