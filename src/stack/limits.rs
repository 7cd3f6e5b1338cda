//! Limits on the links that paths may lead through.

/// The most symbolic links that one path may lead through.
pub use image_tree::resolve::MAX_SYMLINKS as MAX_LINKS;

/// The most components of link targets that the paths of one source may lead through. A legitimate
/// archive has a few for each member; one with long chains of links could keep a reader busy for
/// days.
pub(super) const MAX_LINK_STEPS: u64 = if cfg!(test) { 1 << 16 } else { 1 << 26 };
