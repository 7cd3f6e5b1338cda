//! Which part of a tree is kept.

use crate::closure::dlopen::Policy;
use crate::closure::glob::NameGlob;
use crate::closure::unit::Follow;
use crate::closure::{Hwcaps, Start};
use crate::recipe::TreeRecipe;

/// What is asked for, and how far what it needs is followed. Everything else of the tree is dropped.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Paths, and patterns of paths.
    pub starts: Vec<Start>,
    /// systemd units.
    pub units: Vec<NamePattern>,
    /// What of a unit is followed to others.
    pub follow: Follow,
    /// Files of udev's rules.
    pub rules: Vec<NamePattern>,
    /// PAM services, whose modules come along.
    pub pam: Vec<Vec<u8>>,
    /// Modules that convert character sets; none by default.
    pub gconv: Option<Charsets>,
    /// Whether OpenSSL's providers and engines come along.
    pub openssl: bool,
    /// Whether the name services of `/etc/nsswitch.conf` come along, if glibc does.
    pub nss: bool,
    /// Which builds for better processors are kept.
    pub hwcaps: Hwcaps,
    /// Which libraries that programs open when they run are kept; none without a policy.
    pub dlopen: Option<Policy>,
    /// What becomes of what is needed and not there.
    pub missing: MissingPolicy,
}

/// A name, or names by a pattern of the shell.
#[derive(Clone, Debug)]
pub struct NamePattern {
    /// As it was written.
    pub text: Vec<u8>,
    /// What names match, if it is a pattern.
    pub glob: Option<NameGlob>,
}

/// Which character sets can be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charsets {
    /// All that the tree has.
    All,
    /// These, by any of their names.
    Only(Vec<Vec<u8>>),
}

/// What becomes of what is needed and not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingPolicy {
    /// It is an error, which names all of it.
    #[default]
    Error,
    /// Each is a warning.
    Warn,
}

/// A closure to print.
#[derive(Clone, Debug)]
pub struct ClosureRecipe {
    /// The tree, and what is kept of it.
    pub tree: TreeRecipe,
    /// The paths that are to be explained; the whole set is printed if there is none.
    pub why: Vec<Vec<u8>>,
    /// Whether to print JSON.
    pub json: bool,
    /// Ends each path with a NUL byte instead of a line end, and escapes nothing.
    pub null: bool,
}
