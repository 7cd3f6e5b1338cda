//! The parser of files with entries.

use thiserror::Error;
use toml_edit::{Document, Item, Table, Value};

use super::entry::Entry;
use super::expand;
use super::pattern::{Pattern, PatternError};

/// The maximum length of a file, in bytes.
pub const MAX_LEN: usize = 1024 * 1024;

/// The error for a file that is not valid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    /// The file is too long.
    #[error("it has more than {MAX_LEN} bytes")]
    TooLong,
    /// The file is not TOML.
    #[error("{0}")]
    Toml(String),
    /// The file has something else than `[[entry]]`.
    #[error("it has \"{}\"; there is only [[entry]]", .0.escape_debug())]
    NotAnEntry(String),
    /// A key of an entry is unknown.
    #[error("an entry has a key \"{}\", which is not known", .0.escape_debug())]
    Key(String),
    /// A key of an entry is missing, or its value has the wrong type or is empty.
    #[error("\"{key}\" of an entry is not {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The type that is expected.
        expected: &'static str,
    },
    /// The name of an entry has other characters than lower-case letters, digits and `-`, or is a
    /// word of the selection.
    #[error("\"{}\" is not a name for an entry: a lower-case letter, then letters, digits and -", .0.escape_debug())]
    Name(String),
    /// A program or library is not a valid pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A file is not a valid pattern.
    #[error("\"{}\" is not a path: {why}", .path.escape_debug())]
    Path {
        /// The text.
        path: String,
        /// The reason.
        why: String,
    },
    /// An entry does not name any file.
    #[error("the entry \"{0}\" does not name any file")]
    Nothing(String),
}

/// Parses the entries of a file.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, ParseError> {
    if text.len() > MAX_LEN {
        return Err(ParseError::TooLong);
    }
    let document = Document::parse(text).map_err(|error| ParseError::Toml(error.message().to_owned()))?;
    let mut entries = Vec::new();
    for (key, item) in document.as_table() {
        let Item::ArrayOfTables(tables) = item else {
            return Err(ParseError::NotAnEntry(key.to_owned()));
        };
        if key != "entry" {
            return Err(ParseError::NotAnEntry(key.to_owned()));
        }
        for table in tables {
            entries.push(entry(table)?);
        }
    }
    Ok(entries)
}

const KEYS: [&str; 12] = [
    "name", "about", "source", "seen", "by", "requires", "files", "sites", "pam", "users", "groups", "shells",
];

fn entry(table: &Table) -> Result<Entry, ParseError> {
    if let Some((key, _)) = table.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(ParseError::Key(key.to_owned()));
    }
    let name = text(table, "name")?;
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(is_part);
    if !is_name || name == "all" || name == "none" {
        return Err(ParseError::Name(name));
    }
    let seen = texts(table, "seen")?;
    let by = texts(table, "by")?;
    for (key, values) in [("seen", &seen), ("by", &by)] {
        if values.is_empty() {
            return Err(ParseError::Value { key, expected: "a list of texts" });
        }
    }
    let patterns: Result<Vec<Pattern>, PatternError> = by.iter().map(|text| Pattern::parse(text)).collect();
    let entry = Entry {
        about: text(table, "about")?,
        source: text(table, "source")?,
        seen,
        by: patterns?,
        requires: requires(table)?,
        files: texts(table, "files")?,
        sites: texts(table, "sites")?,
        pam: texts(table, "pam")?,
        users: texts(table, "users")?,
        groups: texts(table, "groups")?,
        shells: flag(table, "shells")?,
        name,
    };
    for path in entry.requires.iter().flatten().chain(&entry.files).chain(&entry.sites) {
        expand::check(path).map_err(|why| ParseError::Path { path: path.clone(), why })?;
    }
    if let Some(service) = entry.pam.iter().find(|service| service.is_empty() || service.contains('/')) {
        let why = "it is not the name of a service".to_owned();
        return Err(ParseError::Path { path: service.clone(), why });
    }
    let has_files = !(entry.files.is_empty() && entry.requires.is_empty() && entry.sites.is_empty());
    if !has_files && entry.pam.is_empty() && !entry.shells {
        return Err(ParseError::Nothing(entry.name));
    }
    Ok(entry)
}

fn text(table: &Table, key: &'static str) -> Result<String, ParseError> {
    let value = table.get(key).and_then(Item::as_str).filter(|text| !text.is_empty());
    value.map(str::to_owned).ok_or(ParseError::Value { key, expected: "a text" })
}

fn flag(table: &Table, key: &'static str) -> Result<bool, ParseError> {
    match table.get(key) {
        None => Ok(false),
        Some(item) => item.as_bool().ok_or(ParseError::Value { key, expected: "true or false" }),
    }
}

/// Returns a list, empty if there is none.
fn texts(table: &Table, key: &'static str) -> Result<Vec<String>, ParseError> {
    match table.get(key) {
        None => Ok(Vec::new()),
        Some(item) => {
            item.as_value().and_then(list).ok_or(ParseError::Value { key, expected: "a list of texts" })
        }
    }
}

fn list(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
    texts.collect::<Option<Vec<String>>>()
}

fn requires(table: &Table) -> Result<Vec<Vec<String>>, ParseError> {
    let key = "requires";
    let Some(item) = table.get(key) else { return Ok(Vec::new()) };
    let lists = item
        .as_array()
        .and_then(|lists| lists.iter().map(|value| list(value).filter(|list| !list.is_empty())).collect());
    lists.ok_or(ParseError::Value { key, expected: "a list of lists of texts" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "[[entry]]\nname = \"a\"\nabout = \"x\"\nsource = \"y\"\nseen = [\"z\"]\nby = [\"p\"]\n";

    #[test]
    fn an_entry_has_its_fields() {
        let text = format!(
            "{GOOD}files = [\"/a/*\"]\nrequires = [[\"/b\", \"/c\"]]\npam = [\"s\"]\nusers = [\"u\"]\nshells = true\nsites = [\"/d\"]"
        );
        let found = entries(&text).expect("it is valid");
        assert_eq!((found.len(), &found[0].requires[0][1][..], found[0].shells), (1, "/c", true));
        assert_eq!(
            (&found[0].files[0][..], &found[0].pam[0][..], &found[0].sites[0][..]),
            ("/a/*", "s", "/d")
        );
    }

    #[test]
    fn errors_name_the_text() {
        let check = |text: &str, expected: &str| {
            let error = entries(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        let with = |text: &str| format!("{GOOD}{text}");
        check("x", "");
        check("x = 1", "\"x\"; there is only [[entry]]");
        check("[[other]]\nx = 1", "\"other\"");
        check(&with("file = [\"/a\"]"), "\"file\", which is not known");
        check(&with(""), "does not name any file");
        check(&with("files = [\"a\"]"), "\"a\" is not a path: it does not start with");
        check(&with("files = [\"/a/../b\"]"), "\"/a/../b\" is not a path");
        check(&with("files = [\"/**/a\"]"), "\"/**/a\" is not a path");
        check(&with("files = [\"/{X}\"]"), "\"/{X}\" is not a path");
        check(&with("files = [\"/a[\"]"), "\"/a[\" is not a path");
        check(&with("files = \"/a\""), "\"files\" of an entry is not a list of texts");
        check(&with("files = [1]"), "\"files\" of an entry is not a list of texts");
        check(&with("requires = [[]]"), "\"requires\" of an entry is not a list of lists");
        check(&with("requires = [\"/a\"]"), "\"requires\" of an entry is not a list of lists");
        check(&with("shells = 1"), "\"shells\" of an entry is not true or false");
        check(&with("pam = [\"../x\"]"), "it is not the name of a service");
        check(&GOOD.replace("\"p\"", "\"*\""), "does not start with a name");
        check(&GOOD.replace("[\"p\"]", "[]"), "\"by\" of an entry is not a list of texts");
        check(&GOOD.replace("[\"z\"]", "[]"), "\"seen\" of an entry is not a list of texts");
        check(&GOOD.replace("\"y\"", "\"\""), "\"source\" of an entry is not a text");
        for name in ["all", "none", "A", "a b", "-a", "a,b"] {
            check(&GOOD.replace("\"a\"", &format!("{name:?}")), "is not a name for an entry");
        }
        check(&" ".repeat(MAX_LEN + 1), "bytes");
    }
}
