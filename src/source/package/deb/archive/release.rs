//! The Release file of a suite: its properties, and the digests of its indices.

use std::collections::BTreeMap;

use crate::closure::packages::dpkg::deb822;
use crate::fetch::Digest;

/// A Release file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    fields: BTreeMap<String, String>,
    /// The digests and lengths of files by their paths.
    files: BTreeMap<String, (Digest, u64)>,
}

/// The compressions of indices with the end of their names, the preferred one first.
const COMPRESSIONS: [&str; 4] = [".xz", ".zst", ".gz", ""];

/// A file of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The path from the directory of the Release file.
    pub path: String,
    /// The SHA-256 digest.
    pub digest: Digest,
    /// The length in bytes.
    pub len: u64,
    /// The length of the file that it unpacks to, if it is listed.
    pub unpacked: Option<u64>,
}

impl Release {
    /// Parses the text of a Release file, which was verified.
    ///
    /// # Errors
    /// A message if it has no digests by SHA-256, or a line of them is malformed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut release = Self::default();
        let paragraph = deb822::paragraphs(text.as_bytes()).next().ok_or("is empty")?;
        let mut digests = None;
        for field in paragraph.fields() {
            let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
            match name.as_str() {
                "sha256" => digests = Some(field.value),
                "md5sum" | "sha1" | "sha512" => {}
                _ => {
                    release.fields.insert(name, String::from_utf8_lossy(field.value).into_owned());
                }
            }
        }
        for line in deb822::lines(digests.ok_or("lists no SHA256 digests")?).filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split_whitespace();
            let parsed = words
                .next()
                .and_then(|digest| digest.parse().ok())
                .zip(words.next().and_then(|len| len.parse().ok()));
            let (Some(file), Some(path)) = (parsed, words.next()) else {
                return Err(format!(
                    "lists \"{}\", which is not a digest, a size and a path",
                    line.escape_debug()
                ));
            };
            if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(format!("lists the path \"{}\", which leads out of it", path.escape_debug()));
            }
            release.files.insert(path.to_owned(), file);
        }
        Ok(release)
    }

    /// Returns the value of a field, whose name is in lower case; empty if there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Returns the value of a field, if there is one.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Returns true for a field with the value `yes`.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.field(name) == "yes"
    }

    /// The words of a field.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.field(name).split_whitespace()
    }

    /// Returns true if it is that of a suite, by one of its names. One without names is of any.
    #[must_use]
    pub fn is_of(&self, suite: &str) -> bool {
        let names = [self.field("suite"), self.field("codename")];
        let main = suite.split('/').next().unwrap_or_default();
        names.iter().all(|name| name.is_empty()) || names.contains(&suite) || names.contains(&main)
    }

    /// Returns the best compressed form of an index.
    #[must_use]
    pub fn index(&self, path: &str) -> Option<Listed> {
        COMPRESSIONS.iter().find_map(|end| {
            let name = format!("{path}{end}");
            let (digest, len) = *self.files.get(&name)?;
            let unpacked = self.files.get(path).map(|(_, len)| *len);
            Some(Listed { path: name, digest, len, unpacked })
        })
    }

    /// The priority of its packages without preferences, as apt gives it.
    #[must_use]
    pub fn priority(&self) -> i32 {
        match (self.is_set("notautomatic"), self.is_set("butautomaticupgrades")) {
            (true, true) => 100,
            (true, false) => 1,
            (false, _) => 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_form_of_an_index_is_found() {
        let digest = "0".repeat(63) + "1";
        let text = format!(
            "Origin: Debian\nSuite: stable\nCodename: trixie\nNotAutomatic: yes\nMD5Sum:\n x 1 y\nSHA256:\n \
             {digest} 57 main/Packages\n {digest} 10 main/Packages.gz\n {digest}  9 main/Packages.xz\n \
             {digest} 8 a/Packages.zst\n"
        );
        let release = Release::parse(&text).expect("a release");
        assert_eq!(release.field("origin"), "Debian");
        assert!(release.is_of("stable") && release.is_of("trixie/updates") && !release.is_of("bookworm"));
        let index = release.index("main/Packages").expect("an index");
        assert_eq!((index.path.as_str(), index.len, index.unpacked), ("main/Packages.xz", 9, Some(57)));
        assert_eq!(release.index("a/Packages").map(|found| found.len), Some(8));
        assert_eq!((release.index("b/Packages"), release.priority()), (None, 1));
    }

    #[test]
    fn malformed_lists_are_errors() {
        let digest = "0".repeat(64);
        for (text, expected) in [
            ("Suite: a\n".to_owned(), "lists no SHA256 digests"),
            (String::new(), "is empty"),
            ("SHA256:\n 12 1 a\n".to_owned(), "lists \"12 1 a\", which is not a digest, a size and a path"),
            (format!("SHA256:\n {digest} 1 ../a\n"), "lists the path \"../a\", which leads out of it"),
        ] {
            assert_eq!(Release::parse(&text).expect_err("it is malformed"), expected);
        }
    }
}
