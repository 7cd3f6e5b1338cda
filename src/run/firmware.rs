//! Microcode in the firmware of a tree, found before the tree is reduced.

use image_tree::Directories;
use initramfs::Compression;
use initramfs::microcode;

use crate::blob::Blob;

/// A file of microcode.
#[derive(Clone, Debug)]
pub(super) struct Firmware {
    /// The path in the tree.
    pub(super) path: String,
    /// The compression of the bytes.
    pub(super) compression: Option<Compression>,
    pub(super) blob: Blob,
}

/// Returns the microcode of a tree.
pub(super) fn microcode<T: Directories<Content = Blob>>(tree: &T) -> Vec<Firmware> {
    let firmware = |found: microcode::Microcode<'_, Blob>| Firmware {
        path: format!("{}/{}", found.directory, found.name.base.escape_ascii()),
        compression: found.name.compression,
        blob: found.content.clone(),
    };
    microcode::find(tree).into_iter().map(firmware).collect()
}
