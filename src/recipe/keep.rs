//! The part of a tree that is kept.

use crate::closure::dlopen::Policy;
use crate::closure::glob::NameGlob;
use crate::closure::unit::Follow;
use crate::closure::{Hwcaps, Start};
use crate::recipe::TreeRecipe;

/// The requested files, and the limits for following their dependencies. The rest of the tree is
/// dropped.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Paths, and patterns of paths.
    pub starts: Vec<Start>,
    /// systemd units.
    pub units: Vec<NamePattern>,
    /// The relations that are followed from a unit to others.
    pub follow: Follow,
    /// Files of udev rules.
    pub rules: Vec<NamePattern>,
    /// PAM services, which are kept with their modules.
    pub pam: Vec<Vec<u8>>,
    /// The character sets whose gconv modules are kept; none by default.
    pub gconv: Option<Charsets>,
    /// True if OpenSSL's providers and engines are kept.
    pub openssl: bool,
    /// True if the name services of `/etc/nsswitch.conf` are kept, provided that glibc is.
    pub nss: bool,
    /// The glibc-hwcaps variants that are kept.
    pub hwcaps: Hwcaps,
    /// The policy for libraries that programs load with dlopen(3); `None` keeps none of them.
    pub dlopen: Option<Policy>,
    /// The handling of missing dependencies.
    pub missing: MissingPolicy,
}

/// A name, or a shell pattern of names.
#[derive(Clone, Debug)]
pub struct NamePattern {
    /// The name or pattern as it was written.
    pub text: Vec<u8>,
    /// The matcher of names, if it is a pattern.
    pub glob: Option<NameGlob>,
}

/// The character sets that can be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charsets {
    /// All that the tree contains.
    All,
    /// These, by any of their names.
    Only(Vec<Vec<u8>>),
}

/// The handling of missing dependencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingPolicy {
    /// An error that lists all of them.
    #[default]
    Error,
    /// A warning for each.
    Warn,
}

/// A closure to print.
#[derive(Clone, Debug)]
pub struct ClosureRecipe {
    /// The tree, and what is kept of it.
    pub tree: TreeRecipe,
    /// The paths to explain; if empty, the whole closure is printed.
    pub why: Vec<Vec<u8>>,
    /// True to print JSON.
    pub json: bool,
    /// Ends each path with a NUL byte instead of a line end, and escapes nothing.
    pub null: bool,
}
