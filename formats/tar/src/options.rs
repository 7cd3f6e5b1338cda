//! The options of an archive.

/// The options of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The use of the archive, which excludes some files.
    pub purpose: Purpose,
    /// The representation of holes.
    pub holes: Holes,
}

/// The use of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// An archive to unpack.
    Archive,
    /// A layer of a container image. Files that would hide others as whiteouts, and empty xattrs,
    /// which readers of layers drop, are errors.
    Layer,
    /// A layer over others. As a layer, but empty files named `.wh.NAME` are whiteouts, and the root
    /// directory always has an entry.
    UpperLayer,
}

/// The representation of holes, the ranges outside of
/// [`Content::data_ranges`](image_tree::Content::data_ranges).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holes {
    /// Zeros, which every program reads.
    Zeros,
    /// A map (`GNU.sparse`, version 1.0), which GNU tar, libarchive, Python and Go read.
    Map,
}

impl Options {
    /// Options for an archive to unpack, with maps of holes.
    #[must_use]
    pub fn archive() -> Self {
        Self { purpose: Purpose::Archive, holes: Holes::Map }
    }

    /// Options for a layer of a container image, with holes as zeros.
    #[must_use]
    pub fn layer() -> Self {
        Self { purpose: Purpose::Layer, holes: Holes::Zeros }
    }

    /// Options for a layer over others, with holes as zeros.
    #[must_use]
    pub fn upper_layer() -> Self {
        Self { purpose: Purpose::UpperLayer, ..Self::layer() }
    }
}
