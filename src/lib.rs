//! rootcast converts a root file tree into what a virtual machine boots from.
//!
//! A [`Build`] says what to make of which sources: directories, archives and images of containers.
//! [`Build::plan`] reads them and gives every byte its place, without writing any. The [`Plan`]
//! writes the product, digests it, or serves it block by block.
//!
//! ```
//! use rootcast::{Build, Edit, ImageRecipe, Size, Watch};
//!
//! # let sources = [concat!(env!("CARGO_MANIFEST_DIR"), "/docs")];
//! # let disk = std::env::temp_dir().join(format!("rootcast-doc-{}.img", std::process::id()));
//! let mut image = ImageRecipe::default();
//! image.size = Size::Free { bytes: 16 << 20 };
//! let mut build = Build::new(sources).making(image);
//! build.tree.guest_files = true;
//! build.tree.edits.push(Edit::write("/sbin/init", "#!/bin/sh\nexec sh\n", 0o755)?);
//!
//! let plan = build.plan(&Watch::default())?;
//! let report = plan.write_file(&disk)?;
//! assert_eq!(std::fs::metadata(&disk)?.len(), report.size().unwrap());
//!
//! let mut sector = [0; 512];
//! plan.image()?.read_at(&mut sector, 512)?;
//! assert!(sector.starts_with(b"EFI PART"));
//! # std::fs::remove_file(&disk)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * Sources are data, see [`SourceRecipe`]: paths, images as [`ContainerImage`], or their names as the
//!   command line takes them.
//! * Products are an [`ImageRecipe`], an [`InitrdRecipe`] or a [`TarRecipe`]; their defaults are
//!   those of the command line, and `rootcast image --help` explains the options.
//! * [`Watch`] has a receiver of [`Progress`] and a [`Cancel`], which any thread may set.
//! * An [`Error`] has a [kind](ErrorKind), the path of a file and a message. The [`Report`]
//!   serializes to the JSON that `--json` prints, and has the warnings.
//! * The same build of the same files gives the same bytes. Threads may plan several at once.
//!
//! The library installs no signal handler, prints nothing, reads no environment variable and does
//! not end the process. It reads standard input only for the source `-`. The umask applies to new
//! files, `ulimit -f` to all: a process that has such a limit should ignore SIGXFSZ. Whoever needs
//! only the library takes it without the feature `cli`, which has the command line, progress bars
//! and signals:
//!
//! ```toml
//! rootcast = { version = "0.1", default-features = false }
//! ```
//!
//! The items of this page are the public interface. The modules are public for the tests, fuzz
//! targets and benchmarks of the project, are not in this documentation, and may change in any
//! release. `examples/` has programs of a few lines.
//!
//! # Inside
//!
//! Everything before planning is a [`Tree`](image_tree::Tree); everything after planning is an
//! [`Image`](image_runs::Image).
//!
//! ```text
//!  directory ─┐ source, stack     transform              plan (pure)         place              write
//!  tar ───────┼───────▶ Tree<Blob> ───────▶ Tree<Blob> ─┬───────────▶ Image ───────▶ Image ──────────▶ sparse file
//!  dump ──────┘           ownership, edits, closure,    │ filesystem        disk: gpt, mbr,    ▲       stream
//!                         labels, times                 │                   bare               │       digest only
//!                                                       └───────────▶ Layout ────▶ segments ───┘
//!                                                         initramfs         compressed
//! ```
//!
//! * A source lists the files and the locations of their bytes ([`blob::Blob`]); it stores no
//!   bytes.
//! * The [`stack`] merges sources one over another, by rules for conflicts.
//! * Transforms apply the [`recipe`] to the tree. It holds all that the command line can express.
//! * Planning is a pure function of the tree and the options. It decides every offset before a byte
//!   is written. A [`filesystem`] maps the recipe to a format crate, a [`disk`] adds a partition
//!   table.
//! * Writers ([`output`]) read the bytes in parallel, and write, stream or hash them. A measured disk
//!   is written in two stages: its hash tree follows once the bytes before it were observed.
//!
//! The modules form layers, each of which uses only those below it; `CONTRIBUTING.md` has their
//! picture, and `docs/glossary.md` the words.
//!
//! ## Invariants
//!
//! 1. Format crates use no command line, source, host path, clock, randomness or environment
//!    (`formats/.clippy.toml`).
//! 2. Format crates depend on no crate of the workspace but `image-tree` and `image-runs`; modules
//!    use lower layers only; no files and no folders use each other in a circle
//!    (`tests/invariants.rs`).
//! 3. `unsafe` is forbidden in every crate of the workspace but `sha256-lanes`, where one file calls
//!    functions that are compiled for vector instructions (`tests/invariants/manifests.rs`).
//! 4. The same tree and options give the same runs: no thread count, listing order, time zone,
//!    umask, user or filesystem of the host affects the bytes (`tests/images/reproducible.rs`).
//! 5. Runs cover the image exactly once, in order and without overlap: planning checks its pieces,
//!    writers count.
//! 6. A file that changed since it was scanned is an error that names it; a failed or killed run
//!    leaves no file behind (`tests/output/failures.rs`). Only a block device is written in place
//!    (`tests/output/devices.rs`).
//! 7. Identifiers derive from one seed ([`seed`]), never from randomness.
//! 8. The byte layout has a name ([`filesystem::ext4::BYTE_LAYOUT`],
//!    [`filesystem::erofs::BYTE_LAYOUT`], [`recipe::initrd::INITRAMFS_LAYOUT`]) and is pinned by digests
//!    (`tests/images/reproducible.rs`); different bytes need a different name.

#![cfg_attr(
    not(test),
    deny(clippy::print_stdout, clippy::print_stderr, reason = "the macros panic where the reader went away")
)]

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod recipe;
#[doc(hidden)]
pub mod run;

#[doc(hidden)]
pub mod blob;
#[doc(hidden)]
pub mod closure;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod stack;
#[doc(hidden)]
pub mod transform;

#[doc(hidden)]
pub mod architecture;
#[doc(hidden)]
pub mod seed;

#[doc(hidden)]
pub mod disk;
#[doc(hidden)]
pub mod filesystem;
#[doc(hidden)]
pub mod output;

#[doc(hidden)]
pub mod report;

#[doc(hidden)]
pub mod accounts;
#[doc(hidden)]
pub mod cache;
#[doc(hidden)]
pub mod fetch;
#[doc(hidden)]
pub mod xattr_filter;

#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod interrupt;
#[doc(hidden)]
pub mod log;
#[doc(hidden)]
pub mod named;
#[doc(hidden)]
pub mod progress;
#[doc(hidden)]
pub mod shown;
#[doc(hidden)]
pub mod threads;
#[doc(hidden)]
pub mod watch;

mod bounded;
mod calendar;
mod quantity;
mod zeros;

#[doc(inline)]
pub use {
    architecture::Architecture,
    closure::{Keep, Request},
    disk::{DiskLayout, SectorSize},
    error::{Error, ErrorKind, Result},
    filesystem::{Label, Size},
    image_tree::Timestamp,
    initramfs::codec::Codec,
    interrupt::Interrupt as Cancel,
    output::{DestinationOptions, Reflink},
    progress::{Phase, Progress},
    recipe::CacheRecipe,
    recipe::filesystem::erofs::{ErofsRecipe, InlineData},
    recipe::filesystem::ext4::{Ext4Recipe, Profile},
    recipe::filesystem::{CommonOptions, FilesystemRecipe, FormatRecipe},
    recipe::initrd::{InitrdRecipe, KernelFile, Microcode},
    recipe::keep::KeepRecipe,
    recipe::packages::PackageRecipe,
    recipe::tar::TarRecipe,
    recipe::verity::{HashTreeRecipe, VerityRecipe},
    recipe::{Build, ImageRecipe, Make, SourceRecipe, TreeRecipe},
    report::{ImageReport, InitrdReport, Report, TarReport, VerityReport},
    run::{OwnedImage, Plan, PlannedImage},
    source::container::{Platform, Reference as ContainerImage},
    source::package::deb::files::{PackageDatabase, PathFilter, PathRule},
    source::tar::Limits,
    stack::{Rules, Whiteouts},
    threads::Threads,
    transform::edit::Edit,
    transform::hardlinks::Policy as HardLinks,
    transform::init::Init,
    transform::ownership::Ownership,
    transform::selinux::FileContexts,
    transform::sparse::Policy as Holes,
    transform::unreadable::Policy as UnreadableFiles,
    uuid::Uuid,
    watch::Watch,
    xattr_filter::Filter,
};
