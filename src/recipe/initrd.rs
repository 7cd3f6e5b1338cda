//! The initramfs to make of a tree, or to check.

use std::path::{Path, PathBuf};

use initramfs::codec::Codec;

use crate::named::named;
use crate::output::Reflink;
use crate::transform::init::Init;

/// An initramfs to make of a tree, without the tree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InitrdRecipe {
    /// The compression; `None` takes the first of the usual codecs that the kernel supports.
    pub codec: Option<Codec>,
    /// The preset of the guests it is for.
    pub preset: Option<Preset>,
    /// The source of the guest kernel's configuration.
    pub kernel: Option<KernelFile>,
    /// The target of `/init`; `None` for an initramfs that needs none, since another part has it.
    pub init: Option<Init>,
    /// True if an `/init` that a dynamic linker loads is refused.
    pub static_init: bool,
    /// The microcode at the start.
    pub microcode: Microcode,
    /// Further initramfs files to append.
    pub append: Vec<PathBuf>,
    /// The alignment in bytes of the data of long files, a power of two from 4 to 4096. More than 4
    /// has an effect only without compression.
    pub align: u32,
    /// True if headers contain the checksums of the files' bytes.
    pub checksums: bool,
    /// The policy for sharing extents between the initramfs and the sources.
    pub reflink: Reflink,
}

impl Default for InitrdRecipe {
    /// The options that the command line has without flags: the tree has its own `/init`.
    fn default() -> Self {
        Self {
            codec: None,
            preset: None,
            kernel: None,
            init: Some(Init::Own),
            static_init: false,
            microcode: Microcode::None,
            append: Vec::new(),
            align: MIN_ALIGN,
            checksums: false,
            reflink: Reflink::Auto,
        }
    }
}

/// The alignment of data that every archive has, in bytes.
const MIN_ALIGN: u32 = 4;

/// The largest alignment of data, in bytes.
const MAX_ALIGN: u32 = 4096;

/// The preset for the guests of an initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Kata Containers, whose own kernels support only gzip.
    Kata,
}

named!(Preset, "a preset", [Kata => "kata"]);

/// The source of a kernel's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelFile {
    /// A configuration file, as at `/boot/config-*`.
    Config(PathBuf),
    /// A kernel with its configuration embedded.
    Kernel(PathBuf),
}

/// The source of microcode.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Microcode {
    /// No microcode.
    None,
    /// The firmware of the tree.
    OfTree,
    /// These files, and the firmware in these directories, in order.
    From(Vec<PathBuf>),
}

impl InitrdRecipe {
    /// The files of the host that it names and that are read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs: Vec<&Path> = self.append.iter().map(PathBuf::as_path).collect();
        if let Some(KernelFile::Config(path) | KernelFile::Kernel(path)) = &self.kernel {
            inputs.push(path);
        }
        if let Microcode::From(paths) = &self.microcode {
            inputs.extend(paths.iter().map(PathBuf::as_path));
        }
        inputs
    }

    /// Checks for options that contradict each other.
    ///
    /// # Errors
    /// A message with the flags that conflict, and those that help.
    pub fn check(&self) -> Result<(), String> {
        let message = if !self.align.is_power_of_two() || !(MIN_ALIGN..=MAX_ALIGN).contains(&self.align) {
            return Err(format!("--align {} is not a power of two from 4 to 4096", self.align));
        } else if self.align > MIN_ALIGN && self.codec != Some(Codec::NONE) {
            "--align places what is not compressed: add --compress none, or leave it out"
        } else if self.reflink == Reflink::Always {
            "an initramfs shares no blocks of short files, so --reflink has to be auto or never"
        } else {
            return Ok(());
        };
        Err(message.to_owned())
    }
}

/// An initramfs to check, and the kernel to check it for.
#[derive(Clone, Debug)]
pub struct CheckRecipe {
    /// The file, or `-` for standard input.
    pub file: PathBuf,
    /// The source of the kernel's configuration.
    pub kernel: Option<KernelFile>,
    /// True if the report is JSON.
    pub json: bool,
}

/// The name of the byte layout of an initramfs: the same name means the same bytes for the same
/// input.
pub const INITRAMFS_LAYOUT: &str = "initramfs-1";
