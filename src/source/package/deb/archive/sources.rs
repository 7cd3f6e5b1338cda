//! apt's sources: `.list` files of lines, and `.sources` files of paragraphs (sources.list(5)).

use std::path::PathBuf;

use crate::closure::packages::dpkg::deb822;

/// An archive that apt's sources name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The roots of the archive, which are mirrors of each other.
    pub uris: Vec<String>,
    /// The suites.
    pub suites: Vec<String>,
    /// The keys that have to sign it.
    pub signed_by: SignedBy,
}

/// The keys that have to sign an archive: those that apt trusts, unless some are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedBy {
    /// The files with the keys.
    pub files: Vec<PathBuf>,
    /// The keys that are part of the sources, in the text form.
    pub inline: Option<String>,
    /// The fingerprints of those of the keys that count, in upper-case hexadecimal digits, with a `!`
    /// after those that exclude subkeys; none for all keys.
    pub fingerprints: Vec<String>,
}

/// Parses a file of lines such as `deb [signed-by=/key.gpg] http://host/debian trixie main`. Sources
/// of programs are skipped.
///
/// # Errors
/// A message with the number of a line that is incomplete.
pub fn parse_list(text: &[u8]) -> Result<Vec<Entry>, String> {
    let text = String::from_utf8_lossy(text);
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some((kind, rest)) = line.split_once([' ', '\t']) else {
            if line.is_empty() {
                continue;
            }
            return Err(format!("line {number}: \"{}\" is not a source", line.escape_debug()));
        };
        match kind {
            "deb" => entries.push(entry_of_line(rest).map_err(|what| format!("line {number}: {what}"))?),
            "deb-src" => {}
            _ => {
                return Err(format!(
                    "line {number}: the type \"{}\" is not deb or deb-src",
                    kind.escape_debug()
                ));
            }
        }
    }
    Ok(entries)
}

fn entry_of_line(rest: &str) -> Result<Entry, String> {
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']').ok_or("the bracket of its options is not closed")?,
        None => ("", rest),
    };
    let mut signed_by = SignedBy::default();
    for option in options.split_whitespace() {
        if let Some(("signed-by", value)) = option.split_once('=') {
            signed_by = SignedBy::parse(value.split(','))?;
        }
    }
    let mut words = rest.split_whitespace();
    let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
        return Err("a source has a URI and a suite".to_owned());
    };
    Ok(Entry { uris: vec![uri.to_owned()], suites: vec![suite.to_owned()], signed_by })
}

/// Parses a file of paragraphs with `Types`, `URIs`, `Suites` and `Signed-By`, which may be a key
/// itself. Those that are not enabled are skipped.
///
/// # Errors
/// A message with the line of a paragraph that is incomplete.
pub fn parse_sources(text: &[u8]) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for paragraph in deb822::paragraphs(text) {
        let at_line = |what: &str| {
            let line = 1 + text[..paragraph.offset()].iter().filter(|byte| **byte == b'\n').count();
            format!("line {line}: {what}")
        };
        let words = |name: &str| -> Vec<String> {
            let value = paragraph.get(name.as_bytes()).unwrap_or_default();
            deb822::words(value).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        };
        let is_off = ["no", "false", "0", "off", "without", "disable"];
        let is_enabled = !words("Enabled").first().is_some_and(|word| is_off.contains(&word.as_str()));
        let types = words("Types");
        if !is_enabled || !types.iter().any(|word| word == "deb") && !types.is_empty() {
            continue;
        }
        let (uris, suites) = (words("URIs"), words("Suites"));
        if types.is_empty() || uris.is_empty() || suites.is_empty() {
            return Err(at_line("a source has Types, URIs and Suites"));
        }
        let value = paragraph.get(b"Signed-By").unwrap_or_default();
        let lines: Vec<&[u8]> = deb822::lines(value).collect();
        let signed_by = if lines.iter().any(|line| line.starts_with(b"-----BEGIN")) {
            let start = lines.iter().position(|line| line.starts_with(b"-----BEGIN")).unwrap_or_default();
            let text = lines[start..].iter().map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
            SignedBy { inline: Some(text.collect()), ..SignedBy::default() }
        } else {
            let words = words("Signed-By");
            let words = words.iter().flat_map(|word| word.split(','));
            SignedBy::parse(words).map_err(|what| at_line(&what))?
        };
        entries.push(Entry { uris, suites, signed_by });
    }
    Ok(entries)
}

impl SignedBy {
    /// Reads paths and fingerprints, of which there may be both.
    fn parse<'t>(words: impl Iterator<Item = &'t str>) -> Result<Self, String> {
        let mut signed_by = Self::default();
        for word in words.filter(|word| !word.is_empty()) {
            let digits = word.strip_suffix('!').unwrap_or(word);
            // Keys of version 4 have 40 digits, those of version 6 have 64.
            let is_fingerprint = matches!(digits.len(), 40 | 64);
            if word.starts_with('/') {
                signed_by.files.push(PathBuf::from(word));
            } else if is_fingerprint && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                signed_by.fingerprints.push(word.to_uppercase());
            } else {
                let word = word.escape_debug();
                return Err(format!(
                    "Signed-By \"{word}\" is not an absolute path or a fingerprint of 40 digits"
                ));
            }
        }
        Ok(signed_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> SignedBy {
        SignedBy { files: paths.iter().map(PathBuf::from).collect(), ..SignedBy::default() }
    }

    #[test]
    fn lines_are_sources() {
        let text = b"# deb http://a b c\n\ndeb http://host/debian bookworm main contrib # note\n\
            deb-src http://host/debian bookworm main\n\
            deb\t[arch=amd64,arm64 signed-by=/a.gpg,/b.asc trusted=yes] file:/srv ./\n";
        let found = parse_list(text).expect("sources");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].uris, ["http://host/debian"]);
        assert_eq!(
            (&found[0].suites[..], &found[0].signed_by),
            (&["bookworm".to_owned()][..], &SignedBy::default())
        );
        assert_eq!((found[1].suites[0].as_str(), &found[1].signed_by), ("./", &files(&["/a.gpg", "/b.asc"])));
        for (text, expected) in [
            ("deb http://host", "line 1: a source has a URI and a suite"),
            ("\nrpm http://host x", "line 2: the type \"rpm\" is not deb or deb-src"),
            ("deb [a http://host x", "line 1: the bracket of its options is not closed"),
            ("deb", "line 1: \"deb\" is not a source"),
        ] {
            assert_eq!(parse_list(text.as_bytes()).expect_err(text), expected);
        }
    }

    #[test]
    fn paragraphs_are_sources() {
        let text = b"Types: deb deb-src\n# a comment\nURIs: http://a/debian\n  http://b/debian\n\
            Suites: trixie trixie-updates\nComponents: main\n# inside\nSigned-By: /a.gpg\n\n\
            Types: deb\nURIs: http://c\nSuites: x/\nEnabled: no\n\nTypes: deb-src\nURIs: http://d\nSuites: s\n\n\
            Types: deb\nURIs: http://e\nSuites: s\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n\
            # in a key\n -----END PGP PUBLIC KEY BLOCK-----\n\n\
            Types: deb\nURIs: http://f\nSuites: s\nSigned-By: /a.gpg 0123456789ABCDEF0123456789ABCDEF01234567\n";
        let found = parse_sources(text).expect("sources");
        let uris: Vec<_> = found.iter().map(|entry| entry.uris.join(" ")).collect();
        assert_eq!(uris, ["http://a/debian http://b/debian", "http://e", "http://f"]);
        assert_eq!(found[0].suites, ["trixie", "trixie-updates"]);
        assert_eq!(found[0].signed_by, files(&["/a.gpg"]));
        let key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(found[1].signed_by.inline.as_deref(), Some(key));
        let fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567";
        let both = SignedBy { fingerprints: vec![fingerprint.to_owned()], ..files(&["/a.gpg"]) };
        assert_eq!(found[2].signed_by, both);
        let exact = format!("deb [signed-by={}!] http://a b", fingerprint.to_lowercase());
        let exact = parse_list(exact.as_bytes()).expect("a source");
        assert_eq!(exact[0].signed_by.fingerprints, [format!("{fingerprint}!")]);
        for keys in ["a.gpg", "01234567", "0123456789ABCDEF0123456789ABCDEF0123456G"] {
            let text = format!("\nTypes: deb\nURIs: http://a\nSuites: b\nSigned-By: {keys}\n");
            let error = parse_sources(text.as_bytes()).expect_err(keys);
            let expected = "is not an absolute path or a fingerprint of 40 digits";
            assert_eq!(error, format!("line 2: Signed-By \"{keys}\" {expected}"));
        }
        let error = parse_sources(b"\n\nTypes: deb\nURIs: http://a\n").expect_err("it has no suite");
        assert_eq!(error, "line 3: a source has Types, URIs and Suites");
    }
}
