//! The specification of a distribution's release as a source: `debian:trixie`, `deb:SUITE`.

use std::ffi::OsStr;
use std::fmt;

/// The release of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The distribution.
    pub distribution: Distribution,
    /// The suite or code name, or with a slash at the end a directory of a flat repository.
    pub suite: String,
}

/// A distribution whose keys are known by their file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// `debian:`
    Debian,
    /// `ubuntu:`
    Ubuntu,
    /// `deb:`, of which mirrors and keys are named.
    Other,
}

impl Distribution {
    const ALL: [Self; 3] = [Self::Debian, Self::Ubuntu, Self::Other];

    /// The word before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
            Self::Other => "deb",
        }
    }

    /// The files with its keys, of which the first one that exists counts.
    #[must_use]
    pub fn keyrings(self) -> &'static [&'static str] {
        match self {
            Self::Debian => &[
                "/usr/share/keyrings/debian-archive-keyring.gpg",
                "/usr/share/keyrings/debian-archive-keyring.pgp",
            ],
            Self::Ubuntu => &[
                "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
                "/usr/share/keyrings/ubuntu-archive-keyring.pgp",
            ],
            Self::Other => &[],
        }
    }

    /// The package that has the keys.
    #[must_use]
    pub fn keyring_package(self) -> Option<&'static str> {
        match self {
            Self::Debian => Some("debian-archive-keyring"),
            Self::Ubuntu => Some("ubuntu-keyring"),
            Self::Other => None,
        }
    }
}

impl Spec {
    /// Parses a specification; `None` if the text is not one. A path of such a form begins with `./`.
    ///
    /// # Errors
    /// A message if the suite is not one.
    pub fn parse(text: &OsStr) -> Result<Option<Self>, String> {
        let Some(text) = text.to_str() else { return Ok(None) };
        let Some((word, suite)) = text.split_once(':') else { return Ok(None) };
        let Some(distribution) = Distribution::ALL.into_iter().find(|one| one.name() == word) else {
            return Ok(None);
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        let is_safe = suite.bytes().all(allowed) && !suite.split('/').any(|part| part == "..");
        if suite.is_empty() || !is_safe || suite.starts_with('/') {
            let suite = suite.escape_debug();
            return Err(format!("\"{suite}\" is not a suite: {word}:SUITE is as in debian:trixie"));
        }
        Ok(Some(Self { distribution, suite: suite.to_owned() }))
    }

    /// Returns true for a flat repository, whose indices are beside its packages.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.suite.ends_with('/')
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.distribution.name(), self.suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_name_a_distribution_and_a_suite() {
        let parse = |text: &str| Spec::parse(OsStr::new(text));
        let spec = parse("debian:trixie").expect("it is valid").expect("a specification");
        assert_eq!((spec.distribution, spec.suite.as_str()), (Distribution::Debian, "trixie"));
        assert_eq!(spec.to_string(), "debian:trixie");
        assert!(parse("deb:./").expect("it is valid").expect("a specification").is_flat());
        for other in ["./debian:trixie", "oci:dir", "debian", "Debian:trixie"] {
            assert_eq!(parse(other), Ok(None), "{other}");
        }
        for invalid in ["debian:", "deb:../x", "ubuntu:a b", "deb:/x", "deb:a/../b"] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }
}
