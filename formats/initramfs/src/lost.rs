//! What an archive cannot say of a file, and a program might miss.

use std::fmt;

use image_tree::XattrName;

/// Something of a file that the archive does not hold. The file is there all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The file's path in the tree: its first, when it has several.
    pub path: Vec<u8>,
    /// What is lost.
    pub what: LostMetadata,
}

/// What is lost of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LostMetadata {
    /// `security.capability`: the program has no privilege of its own in the guest.
    Capabilities,
    /// `security.selinux`: the guest labels the file as its policy says.
    SelinuxLabel,
    /// `system.posix_acl_access` or `system.posix_acl_default`.
    Acl(XattrName),
    /// Any other extended attribute.
    Xattr(XattrName),
    /// The fraction of a second of its mtime.
    Nanoseconds(u32),
    /// That this many names are one symlink: the kernel makes one of each.
    SymlinkNames(u64),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} lost, as an initramfs has no place for it", self.path.escape_ascii(), self.what)
    }
}

impl fmt::Display for LostMetadata {
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
