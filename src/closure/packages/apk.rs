//! apk's database: one text with a paragraph for each package, whose lines are a letter, a colon
//! and a value.
//!
//! ```text
//! P:busybox                          name
//! A:x86_64                           architecture
//! D:so:libc.musl-x86_64.so.1 a>=1    dependencies
//! p:/bin/sh cmd:sh=1.36.1-r5         provided capabilities
//! F:bin                              directory
//! R:busybox                          file in the directory before it
//! ```
//!
//! The letters are those of the package `apk-tools` (`src/database.c`, `apk_db_write_fdb`, and
//! `src/package.c`).

use std::ops::Range;

use super::model::{Capability, Listed, Package, Requirement};

/// The places of the database, which moved with apk 3.
pub(super) const PATHS: [&[u8]; 2] = [b"/lib/apk/db/installed", b"/usr/lib/apk/db/installed"];

/// Returns the packages, each with the range of its paragraph in the text.
#[must_use]
pub fn packages(text: &[u8]) -> Vec<(Package, Range<usize>)> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line.trim_ascii().is_empty() {
            found.extend(package(&text[start..at]).map(|package| (package, start..at)));
            start = at;
        }
    }
    found.extend(package(&text[start..]).map(|package| (package, start..text.len())));
    found
}

fn package(paragraph: &[u8]) -> Option<Package> {
    let mut package = Package::default();
    for (letter, value) in fields(paragraph) {
        let words = || value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        match letter {
            b'P' => package.name = value.to_vec(),
            b'A' => package.architecture = value.to_vec(),
            // A dependency with a ! is a conflict.
            b'D' => package.requires.extend(
                words().filter(|word| !word.starts_with(b"!")).map(|word| Requirement::Package(name(word))),
            ),
            b'p' => package.provides.extend(words().map(name)),
            _ => {}
        }
    }
    (!package.name.is_empty()).then_some(package)
}

/// Returns the files and directories of a package's paragraph.
#[must_use]
pub fn files(paragraph: &[u8]) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut directory: &[u8] = b"";
    for (letter, value) in fields(paragraph) {
        match letter {
            b'F' => {
                directory = value;
                if !value.is_empty() {
                    found.push(Listed::new([b"/", value].concat()));
                }
            }
            // A name is not empty: it would be the directory again.
            b'R' if value.is_empty() => {}
            b'R' if directory.is_empty() => found.push(Listed::new([b"/", value].concat())),
            b'R' => found.push(Listed::new([b"/", directory, b"/", value].concat())),
            _ => {}
        }
    }
    found
}

fn fields(paragraph: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    paragraph.split(|byte| *byte == b'\n').filter_map(|line| match line {
        [letter, b':', value @ ..] => Some((*letter, value)),
        _ => None,
    })
}

/// Parses `name`, `name>=1`, `name~1` or `name@repository`. The version only matters if it is
/// exact.
fn name(word: &[u8]) -> Capability {
    let end = word.iter().position(|byte| b"<>=~@".contains(byte)).unwrap_or(word.len());
    let version = word[end..].strip_prefix(b"=").map(<[u8]>::to_vec);
    Capability { version, ..Capability::new(&word[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"C:Q1abc=\nP:busybox\nV:1.36.1-r5\nA:x86_64\nD:so:libc.musl-x86_64.so.1 a>=1 !b c~2 d@edge\n\
        p:/bin/sh cmd:sh=1.36.1-r5\nF:bin\nM:0:0:1777\nR:busybox\na:0:0:755\nZ:Q1xyz=\nF:etc/x\nR:y:z\nR:\nF:\nR:\nR:init\n\n\
        P:musl\nA:x86_64\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1";

    #[test]
    fn paragraphs_are_packages() {
        let found = packages(TEXT);
        let names: Vec<_> = found.iter().map(|(package, _)| package.name.as_slice()).collect();
        assert_eq!(names, [&b"busybox"[..], b"musl"]);
        let requires: Vec<_> = found[0].0.requires.iter().collect();
        let expected = [&b"so:libc.musl-x86_64.so.1"[..], b"a", b"c", b"d"];
        assert_eq!(requires.len(), expected.len());
        for (requirement, name) in requires.into_iter().zip(expected) {
            assert_eq!(*requirement, Requirement::Package(Capability::new(name)));
        }
        assert_eq!(found[0].0.provides[0], Capability::new(b"/bin/sh"));
        let sh = Capability { version: Some(b"1.36.1-r5".to_vec()), ..Capability::new(b"cmd:sh") };
        assert_eq!(found[0].0.provides[1], sh);
    }

    #[test]
    fn files_lie_in_the_directory_before_them() {
        let found = packages(TEXT);
        let paths = |range: &Range<usize>| -> Vec<String> {
            let listed = files(&TEXT[range.clone()]);
            listed.iter().map(|one| one.path.escape_ascii().to_string()).collect()
        };
        assert_eq!(paths(&found[0].1), ["/bin", "/bin/busybox", "/etc/x", "/etc/x/y:z", "/init"]);
        assert_eq!(paths(&found[1].1), ["/lib", "/lib/ld-musl-x86_64.so.1"]);
    }
}
