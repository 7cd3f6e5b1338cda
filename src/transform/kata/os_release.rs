//! The distribution of the tree, by its `os-release`, os-release(5).

use super::guest::Guest;
use crate::error::Result;

/// The fields that the setup needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OsRelease {
    pub(super) id: String,
    like: Vec<String>,
    version_id: String,
    codename: String,
}

impl OsRelease {
    pub(super) fn of(guest: &Guest<'_>) -> Result<Self> {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            if let Some(text) = guest.text(path)? {
                return Ok(Self::parse(&String::from_utf8_lossy(&text)));
            }
        }
        Ok(Self::default())
    }

    fn parse(text: &str) -> Self {
        let mut release = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.trim().split_once('=')) {
            let value = unquoted(value);
            match key {
                "ID" => release.id = value,
                "ID_LIKE" => release.like = value.split_whitespace().map(str::to_owned).collect(),
                "VERSION_ID" => release.version_id = value,
                "VERSION_CODENAME" => release.codename = value,
                _ => {}
            }
        }
        release
    }

    /// The name of the release that its users say: `trixie`, or `9` where releases have no name.
    pub(super) fn version(&self) -> &str {
        if self.codename.is_empty() { &self.version_id } else { &self.codename }
    }

    /// Returns true for Debian and what derives from it.
    pub(super) fn is_debian(&self) -> bool {
        let is = |id: &str| matches!(id, "debian" | "ubuntu");
        is(&self.id) || self.like.iter().any(|id| is(id))
    }
}

/// Removes quotes as a shell does; a backslash makes the next character literal.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let text = inner('"').or(inner('\'')).unwrap_or(value);
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields_as_a_shell_does() {
        let release =
            OsRelease::parse("# x\nID=\"ubuntu\"\nID_LIKE='debian foo'\nVERSION_ID=\"2\\\"6\"\nX=y\n");
        assert_eq!((release.id.as_str(), release.version()), ("ubuntu", "2\"6"));
        assert!(release.is_debian());
        let other = OsRelease::parse("ID=alpine\nVERSION_CODENAME=edge\nVERSION_ID=3\n");
        assert_eq!((other.version(), other.is_debian()), ("edge", false));
        assert!(OsRelease::parse("ID=x\nID_LIKE=\"a debian\"").is_debian());
    }
}
