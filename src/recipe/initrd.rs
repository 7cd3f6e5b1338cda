//! Which initramfs to make of a tree, and which to check.

use std::path::{Path, PathBuf};

use initramfs::codec::Codec;

use super::{Output, TreeRecipe};
use crate::output::Reflink;
use crate::report::Level;
use crate::transform::init::Init;

/// Which initramfs to make of a tree.
#[derive(Clone, Debug)]
pub struct InitrdRecipe {
    /// The tree.
    pub tree: TreeRecipe,
    /// Where the initramfs goes.
    pub output: Output,
    /// How it is compressed; none takes the first of the usual ones that the kernel unpacks.
    pub codec: Option<Codec>,
    /// Whose guests it is for.
    pub preset: Option<Preset>,
    /// What is known of the guest's kernel.
    pub kernel: Option<KernelFile>,
    /// What `/init` is; none for an initramfs that need not have one, as another part of it has it.
    pub init: Option<Init>,
    /// The microcode that comes first.
    pub microcode: Microcode,
    /// Files that come after it, each an initramfs.
    pub append: Vec<PathBuf>,
    /// The data of long files begins at multiples of this many bytes, a power of two from 4 to 4096. More than 4 means
    /// something only where nothing is compressed.
    pub align: u32,
    /// Whether headers have the sums of the files' bytes.
    pub checksums: bool,
    /// Where compressed pieces are kept between runs.
    pub cache: Option<CacheRecipe>,
    /// When its file is made to share bytes with the sources.
    pub reflink: Reflink,
    /// Whether to say nothing but errors and warnings.
    pub quiet: bool,
    /// Whether to stop when everything is planned.
    pub dry_run: bool,
    /// Whether to report on standard output as JSON.
    pub json: bool,
}

/// Whose guests an initramfs is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Kata Containers, whose own kernels unpack gzip and nothing else.
    Kata,
}

/// Where to read what a kernel was built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelFile {
    /// Its configuration, as at `/boot/config-*`.
    Config(PathBuf),
    /// The kernel itself, with its configuration in it.
    Kernel(PathBuf),
}

/// Where microcode comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Microcode {
    /// There is none.
    None,
    /// From the firmware of the tree.
    OfTree,
    /// From these files, and the firmware in these directories, in their order.
    From(Vec<PathBuf>),
}

/// Where compressed pieces are kept between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecipe {
    /// The directory.
    pub directory: PathBuf,
    /// How many bytes it may take.
    pub size: u64,
}

impl InitrdRecipe {
    /// The files of the host that are named in it and read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs = self.tree.inputs();
        inputs.extend(self.append.iter().map(PathBuf::as_path));
        if let Some(KernelFile::Config(path) | KernelFile::Kernel(path)) = &self.kernel {
            inputs.push(path);
        }
        if let Microcode::From(paths) = &self.microcode {
            inputs.extend(paths.iter().map(PathBuf::as_path));
        }
        inputs
    }

    /// How much is told on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.quiet { Level::Quiet } else { self.tree.level() }
    }
}

/// Which initramfs to check, and for which kernel.
#[derive(Clone, Debug)]
pub struct CheckRecipe {
    /// The file, or `-` for standard input.
    pub file: PathBuf,
    /// What is known of the kernel.
    pub kernel: Option<KernelFile>,
    /// Whether to report as JSON.
    pub json: bool,
}

/// The name of how the bytes of an initramfs are laid out: the same name, the same bytes for the same input.
pub const INITRAMFS_LAYOUT: &str = "initramfs-1";
