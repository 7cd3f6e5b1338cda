//! The generators by name, and what each reports.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::log::{Log, Report};
use crate::named::{self, Named as _, named};

/// A generator, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generator {
    /// Users and groups: base-passwd's masters, shadow files, and sysusers.d.
    Accounts,
    /// Files that packages copy when they are installed first, and base-files' skeleton.
    Templates,
    /// dpkg's alternatives.
    Alternatives,
    /// Units that presets enable and disable.
    Presets,
    /// tmpfiles.d, and dpkg's statoverride.
    Tmpfiles,
    /// The bundle of certificates, and the links to them.
    CaCertificates,
    /// PAM's common services.
    Pam,
    /// `/etc/shells`.
    Shells,
    /// The nodes of `/dev`.
    Devices,
    /// `/etc/ld.so.cache`.
    LdCache,
}

named!(
    Generator,
    "a generator",
    [
        Accounts => "accounts",
        Templates => "templates",
        Alternatives => "alternatives",
        Presets => "presets",
        Tmpfiles => "tmpfiles",
        CaCertificates => "ca-certificates",
        Pam => "pam",
        Shells => "shells",
        Devices => "devices",
        LdCache => "ld-cache",
    ]
);

impl Serialize for Generator {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A set of generators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generators(BTreeSet<Generator>);

impl Generators {
    /// Parses `none`, `all`, or names with commas between them.
    ///
    /// # Errors
    /// Returns a message with the names that exist.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::default()),
            "all" => Ok(Self(Generator::ALL.iter().copied().collect())),
            _ => text
                .split(',')
                .map(named::parse::<Generator>)
                .collect::<Result<_, _>>()
                .map(Self)
                .map_err(|unknown| format!("{unknown}; none and all stand alone")),
        }
    }

    /// Returns true for a set of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The generators, in the order in which they run.
    pub fn iter(&self) -> impl Iterator<Item = Generator> {
        self.0.iter().copied()
    }

    /// Returns true if the set has a generator.
    #[must_use]
    pub fn has(&self, generator: Generator) -> bool {
        self.0.contains(&generator)
    }
}

/// The result of a generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Made {
    /// The generator.
    pub generator: Generator,
    /// The paths that were made or changed, sorted, with control characters escaped.
    pub paths: BTreeSet<String>,
    /// Sentences about what the data of the tree asks for and was not done.
    pub problems: Vec<String>,
}

impl Report for Made {
    fn log(&self, log: &Log) {
        let name = self.generator.name();
        for problem in &self.problems {
            log.warn(format_args!("--configure {name}: {problem}"));
        }
        let paths: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        if !paths.is_empty() {
            log.detail(format_args!("--configure {name} made {}: {}", paths.len(), paths.join(", ")));
        }
    }
}
