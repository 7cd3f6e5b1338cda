//! The archive that the kernel searches for microcode before it unpacks anything.

use image_tree::{Content, Tree};

use crate::microcode::{self, Vendor};

/// The files of a separate archive that comes first and is never compressed (`lib/earlycpio.c`).
/// The kernel of the guest also unpacks it, like every archive.
///
/// A virtual machine does not need it: the microcode is loaded by the host.
#[derive(Debug)]
pub struct EarlyCpio<'t, C> {
    /// The files in the order of the archive.
    pub(crate) files: Vec<EarlyFile<'t, C>>,
}

/// One file of the early archive.
#[derive(Debug)]
pub(crate) struct EarlyFile<'t, C> {
    pub(crate) path: &'static str,
    /// The contents whose concatenated bytes form the file.
    pub(crate) parts: Vec<&'t C>,
}

impl<C> EarlyCpio<'_, C> {
    /// Creates an empty set of files: there is no early archive.
    #[must_use]
    pub fn none() -> Self {
        Self { files: Vec::new() }
    }

    /// Returns true if there is no early archive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl<'t, C: Content> EarlyCpio<'t, C> {
    /// Creates an archive of microcode from contents of the caller. The contents for each vendor
    /// are concatenated, as expected by the loaders of both vendors. If there are none for a
    /// vendor, its file is omitted.
    #[must_use]
    pub fn microcode(intel: Vec<&'t C>, amd: Vec<&'t C>) -> Self {
        let files = [
            EarlyFile { path: "kernel/x86/microcode/AuthenticAMD.bin", parts: amd },
            EarlyFile { path: "kernel/x86/microcode/GenuineIntel.bin", parts: intel },
        ];
        Self { files: files.into_iter().filter(|file| !file.parts.is_empty()).collect() }
    }

    /// Creates an archive of microcode from the tree's firmware, as [`microcode::find`] finds it.
    ///
    /// Compressed files are skipped: [`microcode::decompress`] decompresses them.
    #[must_use]
    pub fn microcode_from_tree(tree: &'t Tree<C>) -> Self {
        let (mut intel, mut amd) = (Vec::new(), Vec::new());
        for file in microcode::find(tree).into_iter().filter(|file| file.name.compression.is_none()) {
            match file.vendor {
                Vendor::Intel => intel.push(file.content),
                Vendor::Amd => amd.push(file.content),
            }
        }
        Self::microcode(intel, amd)
    }
}
