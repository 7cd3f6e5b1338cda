//! apt's preferences: priorities of versions by package, release, version and host
//! (`apt_preferences(5)`).

use image_tree::glob::FlatGlob;

use crate::closure::packages::dpkg::deb822;

/// The properties of a release that preferences match.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReleaseFacts<'i> {
    /// `Suite`, such as `stable-updates`.
    pub suite: &'i str,
    /// `Codename`
    pub codename: &'i str,
    /// `Version`
    pub version: &'i str,
    /// `Origin`
    pub origin: &'i str,
    /// `Label`
    pub label: &'i str,
    /// The component.
    pub component: &'i str,
    /// The host of its URL.
    pub site: &'i str,
}

/// The preferences, in order.
#[derive(Clone, Debug, Default)]
pub struct Preferences {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    /// The names; none for `*`, which is for all packages.
    packages: Vec<FlatGlob>,
    pin: Pin,
    priority: i32,
}

#[derive(Clone, Debug)]
enum Pin {
    Version(FlatGlob),
    /// The host of the URL.
    Origin(FlatGlob),
    /// Properties of the release by their letters, all of which must match.
    Release(Vec<(u8, FlatGlob)>),
}

impl Preferences {
    /// Parses a file and adds its rules to those before it.
    ///
    /// # Errors
    /// A message if a rule is incomplete, or of a form that is not supported.
    pub fn add(&mut self, text: &[u8]) -> Result<(), String> {
        for paragraph in deb822::paragraphs(text) {
            let field = |name: &str| {
                let value = paragraph.get(name.as_bytes()).unwrap_or_default();
                let text = deb822::words(value).map(|word| String::from_utf8_lossy(word).into_owned());
                Some(text.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
            };
            // A paragraph of nothing else is an explanation.
            let (packages, pin, priority) = (field("Package"), field("Pin"), field("Pin-Priority"));
            let (Some(packages), Some(pin), Some(priority)) = (&packages, &pin, &priority) else {
                if packages.is_none() && pin.is_none() && priority.is_none() {
                    continue;
                }
                let line = 1 + text[..paragraph.offset()].iter().filter(|byte| **byte == b'\n').count();
                return Err(format!("line {line}: a rule has Package, Pin and Pin-Priority"));
            };
            self.rules.push(Rule::parse(packages, pin, priority)?);
        }
        Ok(())
    }

    /// Returns the priority of a version; `default` is that of its archive.
    #[must_use]
    pub fn priority(&self, name: &[u8], version: &[u8], release: &ReleaseFacts<'_>, default: i32) -> i32 {
        let is_of_name = |rule: &&Rule| rule.packages.iter().any(|glob| glob.matches(name));
        let specific = self.rules.iter().filter(is_of_name).find(|rule| rule.pin.matches(version, release));
        let general = || {
            let mut general = self.rules.iter().filter(|rule| rule.packages.is_empty());
            general.find(|rule| rule.pin.matches(version, release))
        };
        specific.or_else(general).map_or(default, |rule| rule.priority)
    }
}

impl Rule {
    fn parse(packages: &str, pin: &str, priority: &str) -> Result<Self, String> {
        let text = priority;
        let priority = text.parse();
        let priority = priority.map_err(|_| format!("\"{}\" is not a Pin-Priority", text.escape_debug()))?;
        let names = packages.split(' ').filter(|name| *name != "*").map(|name| {
            if name.starts_with('/') || name.starts_with("src:") {
                return Err(format!("\"{}\" is not a name or a pattern with * and ?", name.escape_debug()));
            }
            glob(name)
        });
        Ok(Self { packages: names.collect::<Result<_, _>>()?, pin: Pin::parse(pin)?, priority })
    }
}

impl Pin {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, value) = text.split_once(' ').unwrap_or((text, ""));
        let value = value.trim().trim_matches('"');
        match kind {
            "version" => glob(value).map(Self::Version),
            "origin" => glob(value).map(Self::Origin),
            "release" => {
                let mut properties = Vec::new();
                for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                    // A lone value is a version if it begins with a digit, and else an archive.
                    let (letter, value) = match part.split_once('=') {
                        Some((letter @ ("a" | "n" | "v" | "o" | "l" | "c" | "b"), value)) => (letter, value),
                        None if part.starts_with(|first: char| first.is_ascii_digit()) => ("v", part),
                        None => ("*", part),
                        Some(_) => {
                            return Err(format!(
                                "\"{}\" is not a property of a release",
                                part.escape_debug()
                            ));
                        }
                    };
                    properties.push((letter.as_bytes()[0], glob(value.trim_matches('"'))?));
                }
                Ok(Self::Release(properties))
            }
            _ => Err(format!("\"{}\" is not a Pin: version, origin or release", text.escape_debug())),
        }
    }

    fn matches(&self, version: &[u8], release: &ReleaseFacts<'_>) -> bool {
        match self {
            Self::Version(pattern) => pattern.matches(version),
            Self::Origin(pattern) => pattern.matches(release.site.as_bytes()),
            Self::Release(properties) => properties.iter().all(|(letter, pattern)| {
                let found = match letter {
                    b'a' => release.suite,
                    b'n' => release.codename,
                    b'v' => release.version,
                    b'o' => release.origin,
                    b'l' => release.label,
                    b'c' => release.component,
                    b'*' => {
                        let names = [release.suite, release.codename];
                        return names.iter().any(|name| pattern.matches(name.as_bytes()));
                    }
                    // Packages are only selected of architectures that are asked for.
                    _ => return true,
                };
                pattern.matches(found.as_bytes())
            }),
        }
    }
}

fn glob(pattern: &str) -> Result<FlatGlob, String> {
    if pattern.starts_with('/') {
        // A regular expression in apt. As a pattern it would match nothing.
        return Err(format!("\"{}\" is not a text or a pattern with * and ?", pattern.escape_debug()));
    }
    FlatGlob::parse(pattern.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_for_a_package_comes_before_those_for_all() {
        let text =
            b"Explanation: backports\nPackage: *\nPin: release n=trixie-backports\nPin-Priority: 200\n\n\
            Package: linux-* systemd\nPin: release a=stable-backports, o=Debian\nPin-Priority: 900\n\n\
            Package: *\nPin: origin \"example.org\"\nPin-Priority: -1\n\n\
            Package: bash\nPin: version 5.*\n# note\nPin-Priority: 1001\n";
        let mut preferences = Preferences::default();
        preferences.add(text).expect("preferences");
        let backports = ReleaseFacts {
            suite: "stable-backports",
            codename: "trixie-backports",
            origin: "Debian",
            ..ReleaseFacts::default()
        };
        let other = ReleaseFacts { site: "example.org", ..ReleaseFacts::default() };
        let priority = |name: &str, version: &str, release| {
            preferences.priority(name.as_bytes(), version.as_bytes(), release, 500)
        };
        assert_eq!(priority("linux-image", "1", &backports), 900);
        assert_eq!(priority("dash", "1", &backports), 200);
        assert_eq!(priority("linux-image", "1", &other), -1);
        assert_eq!(priority("bash", "5.2", &other), 1001);
        assert_eq!(priority("dash", "1", &ReleaseFacts::default()), 500);
    }

    #[test]
    fn properties_of_releases_are_matched_each_by_its_own() {
        let facts = ReleaseFacts {
            suite: "suite",
            codename: "codename",
            version: "13.1",
            origin: "origin",
            label: "label",
            component: "main",
            site: "host",
        };
        for (value, matches) in [
            ("a=suite, n=codename, v=13.*, o=origin, l=label, c=main", true),
            ("suite", true),
            ("codename", true),
            ("13.1", true),
            ("a=codename", false),
            ("n=suite", false),
            ("v=codename", false),
            ("o=label", false),
            ("l=origin", false),
            ("c=label", false),
            ("12.1", false),
            ("a=suite, l=other", false),
        ] {
            let mut preferences = Preferences::default();
            let text = format!("Package: *\nPin: release {value}\nPin-Priority: 7\n");
            preferences.add(text.as_bytes()).expect("preferences");
            assert_eq!(preferences.priority(b"a", b"1", &facts, 500) == 7, matches, "{value}");
        }
    }

    #[test]
    fn rules_that_cannot_be_followed_are_errors() {
        for (rule, expected) in [
            ("Package: a\nPin: version 1", "line 2: a rule has Package, Pin and Pin-Priority"),
            ("Package: a\nPin: version 1\nPin-Priority: high", "is not a Pin-Priority"),
            ("Package: /a/\nPin: version 1\nPin-Priority: 1", "is not a name or a pattern"),
            ("Package: a\nPin: release x=1\nPin-Priority: 1", "is not a property of a release"),
            ("Package: a\nPin: version /^1/\nPin-Priority: 1", "is not a text or a pattern"),
            ("Package: a\nPin: release n=/^x/\nPin-Priority: 1", "is not a text or a pattern"),
            ("Package: a\nPin: sort 1\nPin-Priority: 1", "is not a Pin: version, origin or release"),
        ] {
            let error = Preferences::default().add(format!("\n{rule}\n").as_bytes()).expect_err(rule);
            assert!(error.contains(expected), "{error}");
        }
    }
}
