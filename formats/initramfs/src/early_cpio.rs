//! The archive that the kernel searches for microcode before it unpacks anything.

use image_tree::{Content, Kind, Tree};

use crate::error::{Error, Unrepresentable};
use crate::newc::{Header, S_IFDIR, S_IFREG};
use crate::plan::emit::{Body, Emit};

/// The files of a separate archive that comes first and is never compressed (`lib/earlycpio.c`).
/// The kernel of the guest also unpacks it, like every archive.
///
/// A virtual machine does not need it: the microcode is loaded by the host.
#[derive(Debug)]
pub struct EarlyCpio<'t, C> {
    /// The files in the order of the archive.
    files: Vec<EarlyFile<'t, C>>,
}

/// One file of the early archive.
#[derive(Debug)]
struct EarlyFile<'t, C> {
    path: &'static str,
    /// The contents whose concatenated bytes form the file.
    parts: Vec<&'t C>,
}

/// The directory in which the kernel looks for microcode.
const MICROCODE: &str = "kernel/x86/microcode";

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

    /// Creates an archive of microcode from the tree's firmware: `intel-ucode/*` except names that
    /// end in `.initramfs`, and `amd-ucode/microcode_amd*.bin`, of `lib/firmware` or
    /// `usr/lib/firmware`, in the order of their names.
    ///
    /// Compressed files and symbolic links are skipped.
    #[must_use]
    pub fn microcode_from_tree(tree: &'t Tree<C>) -> Self {
        let intel = |name: &[u8]| {
            !name.ends_with(b".initramfs") && !name.ends_with(b".xz") && !name.ends_with(b".zst")
        };
        let amd = |name: &[u8]| name.starts_with(b"microcode_amd") && name.ends_with(b".bin");
        Self::microcode(firmware(tree, "intel-ucode", intel), firmware(tree, "amd-ucode", amd))
    }

    /// Adds the files with their directories.
    pub(crate) fn emit(&self, emit: &mut Emit<'t, '_, C>) -> Result<(), Error> {
        /// Older loaders of the kernel passed the bytes to the processor in place, which requires
        /// this alignment.
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
        u32::try_from(len).map_err(|_| Error::Unrepresentable {
            path: self.path.into(),
            reason: Unrepresentable::FileTooLarge { len, limit: u64::from(u32::MAX) },
        })
    }
}

fn firmware<'t, C>(tree: &'t Tree<C>, directory: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<&'t C> {
    let found = ["lib", "usr/lib"]
        .iter()
        .find_map(|lib| tree.resolve_no_symlinks(format!("{lib}/firmware/{directory}").as_bytes()));
    let entries = found.and_then(|id| tree.entries(id)).into_iter().flatten();
    let files = entries.filter(|(name, _)| wanted(name.as_bytes()));
    files
        .filter_map(|(_, id)| match &tree.get(*id).kind {
            Kind::Regular(content) => Some(content),
            _ => None,
        })
        .collect()
}
