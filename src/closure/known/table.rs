//! The table of entries, and the index by which those of a file are found.

use std::collections::HashMap;
use std::sync::LazyLock;

use image_tree::path::base_name;

use super::entry::Entry;
use super::parse::{self, ParseError};
use super::pattern;

/// The files of the built-in table.
const BUILT_IN: [(&str, &str); 6] = [
    ("languages.toml", include_str!("languages.toml")),
    ("login.toml", include_str!("login.toml")),
    ("network.toml", include_str!("network.toml")),
    ("pam.toml", include_str!("pam.toml")),
    ("services.toml", include_str!("services.toml")),
    ("storage.toml", include_str!("storage.toml")),
];

/// Entries, found by the names of the files that use theirs.
#[derive(Clone, Debug, Default)]
pub struct Table {
    entries: Vec<Entry>,
    /// The entries and their patterns by the stem of the patterns.
    by_stem: HashMap<Vec<u8>, Vec<(usize, usize)>>,
}

/// An entry that applies to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched<'t, 'p> {
    /// The entry.
    pub entry: &'t Entry,
    /// The version in the name of the file; empty if the entry does not ask for one.
    pub version: &'p [u8],
}

impl Table {
    /// Returns the table that is part of the program.
    ///
    /// # Panics
    /// Panics if it is not valid, which a test rules out.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            let parsed = BUILT_IN
                .iter()
                .map(|(name, text)| parse::entries(text).unwrap_or_else(|error| panic!("{name}: {error}")));
            Table::new(parsed.flatten().collect())
        });
        &TABLE
    }

    /// Parses a file of entries.
    ///
    /// # Errors
    /// Returns an error if it is not valid.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self::new(parse::entries(text)?))
    }

    fn new(entries: Vec<Entry>) -> Self {
        let mut by_stem: HashMap<Vec<u8>, Vec<(usize, usize)>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            for (number, pattern) in entry.by.iter().enumerate() {
                by_stem.entry(pattern.stem().to_vec()).or_default().push((index, number));
            }
        }
        Self { entries, by_stem }
    }

    /// The entries, in the order of the files.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The names of the entries, sorted and without duplicates.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.iter().map(|entry| &entry.name[..]).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns the entries whose programs or libraries a path matches, in the order of the files.
    /// Nearly all paths are rejected by one look-up.
    pub fn matching<'t, 'p>(&'t self, path: &'p [u8]) -> impl Iterator<Item = Matched<'t, 'p>> {
        let found = self.by_stem.get(pattern::stem(base_name(path))).map_or(&[][..], Vec::as_slice);
        found.iter().filter_map(move |(index, number)| {
            let entry = &self.entries[*index];
            let version = entry.by[*number].matches(path)?;
            Some(Matched { entry, version })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_valid_and_complete() {
        let table = Table::built_in();
        let names = table.names();
        // The programs of which it is documented that they are known.
        let expected = "ca-certificates cron cryptsetup dbus fsck fuse git gpg icu ifupdown iptables kmod login logrotate \
            lvm mdadm mkfs mount nfs nft nginx node openssl pam perl polkit python rpc rsyslog ssh sshd sudo tpm2 udev";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
        let text = include_str!("../../../docs/closure.md");
        for name in names {
            assert!(text.contains(&format!("\n| `{name}` |")), "docs/closure.md does not have {name}");
        }
    }

    #[test]
    fn files_match_by_the_names_of_their_programs() {
        let names = |path: &str| -> Vec<&str> {
            Table::built_in().matching(path.as_bytes()).map(|matched| &matched.entry.name[..]).collect()
        };
        assert_eq!(names("/usr/sbin/sshd"), ["sshd"]);
        assert_eq!(names("/usr/bin/python3.11"), ["python"]);
        assert_eq!(names("/usr/lib/x86_64-linux-gnu/libpython3.13.so.1.0"), ["python"]);
        assert_eq!(names("/usr/lib/x86_64-linux-gnu/libtss2-esys.so.0.0.0"), ["tpm2"]);
        assert_eq!(names("/usr/lib/x86_64-linux-gnu/security/pam_limits.so"), ["pam"]);
        assert_eq!(names("/usr/bin/ls"), [""; 0]);
        assert_eq!(names("/usr/sbin/sshd-session"), [""; 0]);
    }
}
