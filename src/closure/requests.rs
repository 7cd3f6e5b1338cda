//! The requests that a closure starts from.

use image_tree::glob::Glob;

use super::config::dlopen::Policy;
use super::config::systemd::{DefaultTarget, Generators};
use super::config::unit::Follow;
use super::dependency::Dependency;
use super::known::Known;
use super::ld_so::hwcaps::Hwcaps;
use super::library_path::LibraryPath;
use image_tree::glob::NameGlob;

/// A request of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// A path, which must resolve: a program or library with everything it needs, any other file
    /// unchanged, or a directory with its whole content. Links on the path, including the last, are
    /// kept.
    Path(Vec<u8>),
    /// Every name that matches, each as if its path were given, or as a part of a directory if the
    /// pattern has `**`. At least one must match.
    Glob {
        /// The pattern as it was written.
        text: Vec<u8>,
        /// The pattern.
        glob: Glob,
    },
    /// A path or pattern that need not be in the tree.
    Optional(Box<Self>),
    /// The first of these paths that resolves, as if its path were given. At least one must.
    First(Vec<Vec<u8>>),
    /// A dependency stated by some configuration.
    Dependency(Dependency),
    /// A file that belongs to something that is kept, such as a package: a directory without its
    /// content, a link with its target, any other file with everything it needs.
    Member {
        /// The path, whose last component is not followed.
        path: Vec<u8>,
        /// The thing that it belongs to: completes the sentence "it is requested by ...".
        origin: Vec<u8>,
    },
}

impl Request {
    /// Parses a glob pattern, or else a plain path. In a pattern, a backslash before `*`, `?`, `[`
    /// or another backslash makes that character literal.
    ///
    /// # Errors
    /// Returns an error if a pattern is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if Glob::is_pattern(text) {
            return Ok(Self::Glob { text: text.to_vec(), glob: Glob::parse(text)? });
        }
        Ok(Self::Path(text.to_vec()))
    }
}

/// The requested files, and the limits for following their dependencies. The rest of the tree is
/// dropped.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Paths, and patterns of paths.
    pub requests: Vec<Request>,
    /// systemd units.
    pub units: Vec<NamePattern>,
    /// The relations that are followed from a unit to others.
    pub follow: Follow,
    /// True if everything that systemd needs to start is kept, provided that it or a unit is.
    pub systemd: bool,
    /// The generators that are kept with systemd.
    pub generators: Generators,
    /// The unit that systemd starts at boot.
    pub default_target: DefaultTarget,
    /// Files of udev rules.
    pub rules: Vec<NamePattern>,
    /// Packages of the tree's package database.
    pub packages: Vec<NamePattern>,
    /// True if the packages are kept on which these depend.
    pub depends: bool,
    /// True if the packages that own kept files are looked up.
    pub owners: bool,
    /// Kernel modules.
    pub modules: KernelModules,
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
    /// The entries of the table of files that programs are known to use.
    pub known: Known,
    /// The policy for libraries that programs load with dlopen(3); `None` keeps none of them.
    pub dlopen: Option<Policy>,
    /// The values of `LD_LIBRARY_PATH` of programs.
    pub library_paths: Vec<LibraryPath>,
}

impl Keep {
    /// Returns the requests of paths alone, with the defaults for everything else.
    #[must_use]
    pub fn paths(requests: Vec<Request>) -> Self {
        Self {
            requests,
            units: Vec::new(),
            follow: Follow::All,
            systemd: true,
            generators: Generators::default(),
            default_target: DefaultTarget::default(),
            rules: Vec::new(),
            packages: Vec::new(),
            depends: false,
            owners: false,
            modules: KernelModules::default(),
            pam: Vec::new(),
            gconv: None,
            openssl: false,
            nss: true,
            known: Known::default(),
            hwcaps: Hwcaps::default(),
            dlopen: Some(Policy::default()),
            library_paths: Vec::new(),
        }
    }
}

/// Kernel modules of one version.
#[derive(Clone, Debug, Default)]
pub struct KernelModules {
    /// Their names, aliases, and patterns of names.
    pub names: Vec<NamePattern>,
    /// Those that are kept if the tree has them.
    pub optional: Vec<NamePattern>,
    /// The version; the only one of the tree by default.
    pub version: Option<Vec<u8>>,
    /// True if modules that they may load are kept too.
    pub weak: bool,
}

impl KernelModules {
    /// Returns true if nothing is requested.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.optional.is_empty()
    }
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
