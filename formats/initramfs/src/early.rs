//! The archive that the kernel searches before it unpacks anything, for microcode.

use image_tree::{Content, Kind, Tree};

use crate::error::{Error, Inexpressible};
use crate::newc::{Header, S_IFDIR, S_IFREG};
use crate::plan::emit::{Body, Emit};

/// Files of an archive of its own that comes first, never compressed (`lib/earlycpio.c`). The kernel of the guest also
/// unpacks them, as it does every archive.
///
/// A virtual machine needs none of it: its microcode is the host's.
#[derive(Debug)]
pub struct Early<'t, C> {
    /// The files in the order of the archive.
    files: Vec<EarlyFile<'t, C>>,
}

/// One file of the early archive.
#[derive(Debug)]
struct EarlyFile<'t, C> {
    path: &'static str,
    /// Its bytes are those of these, one after the other.
    parts: Vec<&'t C>,
}

/// Where the kernel looks for microcode.
const MICROCODE: &str = "kernel/x86/microcode";

impl<C> Early<'_, C> {
    /// No early archive.
    #[must_use]
    pub fn none() -> Self {
        Self { files: Vec::new() }
    }

    /// Whether there is no early archive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl<'t, C: Content> Early<'t, C> {
    /// Microcode from files of the caller's: for each maker the files whose bytes are put one after the other, as the
    /// loaders of both makers take them. No file is no microcode.
    #[must_use]
    pub fn microcode(intel: Vec<&'t C>, amd: Vec<&'t C>) -> Self {
        let files = [
            EarlyFile { path: "kernel/x86/microcode/AuthenticAMD.bin", parts: amd },
            EarlyFile { path: "kernel/x86/microcode/GenuineIntel.bin", parts: intel },
        ];
        Self { files: files.into_iter().filter(|file| !file.parts.is_empty()).collect() }
    }

    /// Microcode from the tree's firmware: `intel-ucode/*` but for what ends in `.initramfs`, and
    /// `amd-ucode/microcode_amd*.bin`, of `lib/firmware` or `usr/lib/firmware`, in the order of their names.
    ///
    /// Files that are compressed, or links, are passed over.
    #[must_use]
    pub fn microcode_of(tree: &'t Tree<C>) -> Self {
        let intel = |name: &[u8]| {
            !name.ends_with(b".initramfs") && !name.ends_with(b".xz") && !name.ends_with(b".zst")
        };
        let amd = |name: &[u8]| name.starts_with(b"microcode_amd") && name.ends_with(b".bin");
        Self::microcode(firmware(tree, "intel-ucode", intel), firmware(tree, "amd-ucode", amd))
    }

    /// Adds the files with their directories.
    pub(crate) fn emit(&self, emit: &mut Emit<'t, '_, C>) -> Result<(), Error> {
        /// The kernel's loaders once handed the bytes to the processor where they were, which wants this much.
        const ALIGN: u64 = 16;
        let mut c_ino = 0;
        for (end, _) in MICROCODE.match_indices('/').chain([(MICROCODE.len(), "")]) {
            c_ino += 1;
            let header = Header { c_ino, c_mode: S_IFDIR | 0o755, c_nlink: 2, ..Header::default() };
            emit.raw_entry(header, &MICROCODE.as_bytes()[..end], &Body::Empty, 1)?;
        }
        for file in &self.files {
            c_ino += 1;
            let header = Header {
                c_ino,
                c_mode: S_IFREG | 0o644,
                c_nlink: 1,
                c_filesize: file.len()?,
                ..Header::default()
            };
            emit.raw_entry(header, file.path.as_bytes(), &Body::Contents(&file.parts), ALIGN)?;
        }
        Ok(())
    }
}

impl<C: Content> EarlyFile<'_, C> {
    fn len(&self) -> Result<u32, Error> {
        let sum = self.parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.len()));
        let len = sum.unwrap_or(u64::MAX);
        u32::try_from(len).map_err(|_| Error::Inexpressible {
            path: self.path.into(),
            reason: Inexpressible::FileTooLarge { len, limit: u64::from(u32::MAX) },
        })
    }
}

fn firmware<'t, C>(tree: &'t Tree<C>, directory: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<&'t C> {
    let found = ["lib", "usr/lib"]
        .iter()
        .find_map(|lib| tree.resolve(format!("{lib}/firmware/{directory}").as_bytes()));
    let entries = found.and_then(|id| tree.entries(id)).into_iter().flatten();
    let files = entries.filter(|(name, _)| wanted(name.as_bytes()));
    files
        .filter_map(|(_, id)| match &tree.get(*id).kind {
            Kind::Regular(content) => Some(content),
            _ => None,
        })
        .collect()
}
