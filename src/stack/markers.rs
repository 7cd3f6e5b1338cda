//! Markers that hide files of earlier sources: those of OCI and aufs, which are names, and those of
//! overlayfs, which are devices and xattrs.

use std::fmt;

use image_tree::{Device, Kind, Metadata};

use super::error::AddError;
use crate::shown::Count;

/// The prefix of the name of a whiteout; the name it hides follows.
const PREFIX: &[u8] = b".wh.";
/// The prefix of names of other markers.
pub(super) const RESERVED: &[u8] = b".wh..wh.";
/// The name of a file that makes its directory opaque: it hides all earlier entries of the
/// directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// The prefixes of xattrs of overlayfs; the second one is used with the mount option `userxattr`.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
/// The xattr of fuse-overlayfs for an opaque directory, with the value `y`.
const FUSE_OPAQUE: &[u8] = b"user.fuseoverlayfs.opaque";
/// The xattr of fuse-overlayfs for the inode number of the file that was copied from an earlier
/// layer. `override_stat` of the same prefix records an owner, and hides nothing.
const FUSE_ORIGIN: &[u8] = b"user.fuseoverlayfs.origin";

/// The files that a marker hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hides {
    /// The entry of this name in the same directory.
    Name(Vec<u8>),
    /// Every entry of the directory.
    Directory,
}

/// Returns the files that a marker hides; none for any other file. `kind` is none for a hard link.
pub(super) fn hides<C>(
    name: &[u8],
    metadata: &Metadata,
    kind: Option<&Kind<C>>,
) -> Result<Option<Hides>, AddError> {
    if name == OPAQUE {
        return Ok(Some(Hides::Directory));
    }
    if let Some(hidden) = name.strip_prefix(PREFIX).filter(|_| !name.starts_with(RESERVED)) {
        return match hidden {
            b"" | b"." | b".." => Err(AddError::Whiteout(hidden.to_vec())),
            hidden => Ok(Some(Hides::Name(hidden.to_vec()))),
        };
    }
    let is_whiteout = match kind {
        Some(Kind::CharacterDevice(device)) => is_zero(device),
        // Since Linux 6.7, for a whiteout that must itself be visible through an overlay.
        Some(Kind::Regular(_)) => overlay(metadata, b"whiteout").is_some(),
        _ => false,
    };
    Ok(is_whiteout.then(|| Hides::Name(name.to_vec())))
}

/// Returns true for a directory that hides all of its entries in earlier sources.
pub(super) fn is_opaque(metadata: &Metadata) -> bool {
    // The value x means only that files in it may be whiteouts.
    let of_fuse = || metadata.xattrs.get(FUSE_OPAQUE).map(|value| &value[..]);
    overlay(metadata, b"opaque").or_else(of_fuse).is_some_and(|value| value == b"y")
}

/// Returns the name of an xattr that marks a file as incomplete: its contents or its entries are
/// elsewhere.
pub(super) fn needs_overlay(metadata: &Metadata) -> Option<String> {
    let names = metadata.xattrs.keys().map(image_tree::XattrName::as_bytes);
    let found = names.into_iter().find(|name| {
        let own = OVERLAY.iter().find_map(|prefix| name.strip_prefix(*prefix));
        matches!(own, Some(b"redirect" | b"metacopy"))
    });
    found.map(|name| name.escape_ascii().to_string())
}

/// Drops the xattrs of overlayfs and fuse-overlayfs.
pub(super) fn drop_xattrs(metadata: &mut Metadata) {
    metadata.xattrs.retain(|name, _| !is_overlay(name.as_bytes()));
}

fn is_overlay(name: &[u8]) -> bool {
    name == FUSE_OPAQUE || name == FUSE_ORIGIN || OVERLAY.iter().any(|prefix| name.starts_with(prefix))
}

fn is_zero(device: &Device) -> bool {
    (device.major, device.minor) == (0, 0)
}

fn overlay<'m>(metadata: &'m Metadata, name: &[u8]) -> Option<&'m [u8]> {
    let value = |prefix: &&[u8]| metadata.xattrs.get([*prefix, name].concat().as_slice());
    if metadata.xattrs.is_empty() {
        return None;
    }
    OVERLAY.iter().find_map(value).map(|value| &value[..])
}

/// Markers that are kept as files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markers {
    /// Files named `.wh.NAME`.
    pub whiteouts: u64,
    /// Files named `.wh..wh..opq`.
    pub opaque: u64,
    /// Character devices 0:0.
    pub devices: u64,
    /// Files with xattrs of overlayfs.
    pub xattrs: u64,
    /// The path of the first one.
    pub first: Vec<u8>,
}

impl Markers {
    /// Returns true if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whiteouts == 0 && self.opaque == 0 && self.devices == 0 && self.xattrs == 0
    }

    pub(super) fn count<C>(
        &mut self,
        name: &[u8],
        metadata: &Metadata,
        kind: Option<&Kind<C>>,
        path: impl FnOnce() -> Vec<u8>,
    ) {
        let was_empty = self.is_empty();
        if name == OPAQUE {
            self.opaque += 1;
        } else if name.starts_with(PREFIX) {
            self.whiteouts += 1;
        } else if matches!(kind, Some(Kind::CharacterDevice(device)) if is_zero(device)) {
            self.devices += 1;
        } else if metadata.xattrs.keys().any(|name| is_overlay(name.as_bytes())) {
            self.xattrs += 1;
        }
        if was_empty && !self.is_empty() {
            self.first = path();
        }
    }
}

impl fmt::Display for Markers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whiteouts, opaque, devices, xattrs, first } = self;
        let counts = [
            Count(*whiteouts, "whiteout .wh.NAME", "whiteouts .wh.NAME"),
            Count(
                *opaque,
                "marker .wh..wh..opq of opaque directories",
                "markers .wh..wh..opq of opaque directories",
            ),
            Count(*devices, "character device 0:0", "character devices 0:0"),
            Count(*xattrs, "file with xattrs of overlayfs", "files with xattrs of overlayfs"),
        ];
        let total: u64 = counts.iter().map(|count| count.0).sum();
        let counts: Vec<String> =
            counts.iter().filter(|count| count.0 > 0).map(ToString::to_string).collect();
        let are_kept = if total == 1 { "is kept as a file" } else { "are kept as files" };
        write!(
            f,
            "{} {are_kept}, the first one {}; --whiteouts apply removes what they hide, --whiteouts keep \
             keeps them without this warning",
            counts.join(", "),
            first.escape_ascii()
        )
    }
}
