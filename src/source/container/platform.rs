//! Platforms of images, and the choice among them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::architecture::Architecture;

/// The platform of an image: an operating system, an architecture and a variant of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// An error for a text that is not a platform.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("\"{}\" is not OS/ARCH or OS/ARCH/VARIANT, as linux/arm64", .0.escape_debug())]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        match &parts[..] {
            [os, architecture, variant @ ..] if variant.len() <= 1 && parts.iter().all(is_word) => {
                Ok(Self::new(os, architecture, variant.first().copied()))
            }
            _ => Err(PlatformError(text.to_owned())),
        }
    }
}

impl Platform {
    /// Returns the platform of these names.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty()).map(str::to_owned);
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant }
    }

    /// Returns Linux on an architecture.
    #[must_use]
    pub fn linux(architecture: Architecture) -> Self {
        Self::new("linux", architecture.name(), None)
    }

    /// Returns Linux on the machine's own architecture.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::new("linux", std::env::consts::ARCH, None)
    }

    /// Returns the same with the architecture by the name that images use, as `amd64`.
    #[must_use]
    pub fn normal(&self) -> Self {
        let known = self.architecture.parse().map(Architecture::name);
        let architecture = match known.unwrap_or(&self.architecture) {
            "x86-64" => "amd64",
            "x86" => "386",
            "loongarch64" => "loong64",
            "mips-le" => "mipsle",
            "mips64-le" => "mips64le",
            "ppc64-le" => "ppc64le",
            other => other,
        };
        Self { architecture: architecture.to_owned(), ..self.clone() }
    }

    /// The operating system.
    #[must_use]
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The architecture.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The variant of the architecture, if it is stated.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// Returns true if an image states its operating system and architecture.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.os != "unknown" && self.architecture != "unknown"
    }

    /// Returns true for the entries of an index that are not images, such as attestations.
    pub(super) fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// Returns the suitability of an image for a machine of this platform, higher for a better one;
    /// none if it does not run there.
    pub(super) fn suitability(&self, image: &Self) -> Option<u32> {
        if self.os != image.os || !is_same_architecture(&self.architecture, &image.architecture) {
            return None;
        }
        let (asked, found) = (self.level(), image.level());
        match (asked, found) {
            (Some(asked), Some(found)) => (found <= asked).then_some(found),
            _ => (self.variant == image.variant).then_some(u32::MAX),
        }
    }

    /// Returns true unless the configuration of an image states another platform. Many state no
    /// variant.
    pub(super) fn permits(&self, image: &Self) -> bool {
        let is_same = self.os == image.os && is_same_architecture(&self.architecture, &image.architecture);
        is_same && (image.variant.is_none() || self.suitability(image).is_some())
    }

    /// Returns the level of the instruction set, `N` of the variant `vN`; none if the variant has
    /// another form.
    fn level(&self) -> Option<u32> {
        let Some(variant) = &self.variant else {
            // The variant of images that do not state one.
            return Some(match self.architecture.parse() {
                Ok(Architecture::Arm64) => 8,
                Ok(Architecture::Arm) => 7,
                _ => 1,
            });
        };
        variant.strip_prefix('v')?.parse().ok()
    }
}

/// Returns true for two names of one architecture, as `amd64` and `x86_64`.
fn is_same_architecture(one: &str, other: &str) -> bool {
    let known = |name: &str| name.parse::<Architecture>().ok();
    one == other || known(one).is_some_and(|architecture| known(other) == Some(architecture))
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { os, architecture, variant } = self;
        write!(f, "{os}/{architecture}")?;
        variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parsed() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(text.parse::<Platform>().expect(text).to_string(), text);
        }
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/a b", "linux/arm/"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn architectures_have_the_names_that_images_use() {
        let normal = |text: &str| text.parse::<Platform>().expect("a platform").normal().to_string();
        assert_eq!(normal("linux/x86_64"), "linux/amd64");
        assert_eq!(normal("linux/aarch64/v8"), "linux/arm64/v8");
        assert_eq!(normal("linux/i686"), "linux/386");
        assert_eq!(normal("linux/wasm"), "linux/wasm");
    }

    #[test]
    fn the_best_variant_that_runs_is_chosen() {
        let suits = |asked: &str, image: &str| {
            let parse = |text: &str| text.parse::<Platform>().expect("a platform");
            parse(asked).suitability(&parse(image))
        };
        assert!(suits("linux/x86_64", "linux/amd64").is_some());
        assert!(suits("linux/aarch64", "linux/arm64/v8").is_some());
        assert!(suits("linux/amd64", "linux/386").is_none());
        assert!(suits("linux/arm64", "linux/arm/v7").is_none());
        assert!(suits("linux/amd64", "windows/amd64").is_none());
        assert!(suits("linux/amd64", "linux/amd64/v3").is_none());
        assert!(suits("linux/amd64/v3", "linux/amd64/v2") > suits("linux/amd64/v3", "linux/amd64"));
        assert!(suits("linux/arm", "linux/arm/v7") > suits("linux/arm", "linux/arm/v6"));
        assert!(suits("linux/arm/v6", "linux/arm/v7").is_none());
        assert!(suits("linux/riscv64/rva23", "linux/riscv64/rva23").is_some());
        assert!(suits("linux/riscv64/rva23", "linux/riscv64/rva22").is_none());
    }
}
