//! Metadata that an archive cannot represent, and programs may need.

use std::fmt;

use image_tree::XattrName;

/// Metadata of a file that the archive does not contain. The file itself is in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedMetadata {
    /// The path of the file in the tree: the first, if it has several.
    pub path: Vec<u8>,
    /// The kind of metadata.
    pub kind: MetadataKind,
}

/// A kind of metadata that an archive cannot represent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataKind {
    /// `security.capability`: the program does not get its capabilities in the guest.
    Capabilities,
    /// `security.selinux`: the guest labels the file according to its policy.
    SelinuxLabel,
    /// `system.posix_acl_access` or `system.posix_acl_default`.
    Acl(XattrName),
    /// Any other extended attribute.
    Xattr(XattrName),
    /// The fractional seconds of the mtime, in nanoseconds.
    Nanoseconds(u32),
    /// The hard links of a symlink with this many names: the kernel creates a separate symlink for
    /// each.
    SymlinkNames(u64),
}

impl fmt::Display for UnsupportedMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} lost, since an initramfs cannot store it", self.path.escape_ascii(), self.kind)
    }
}

impl fmt::Display for MetadataKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capabilities => f.write_str("its capabilities are"),
            Self::SelinuxLabel => f.write_str("its SELinux label is"),
            Self::Acl(name) | Self::Xattr(name) => write!(f, "its xattr {name} is"),
            Self::Nanoseconds(nanoseconds) => write!(f, "{nanoseconds} ns of its mtime are"),
            Self::SymlinkNames(count) => write!(f, "the identity of its {count} names is"),
        }
    }
}
