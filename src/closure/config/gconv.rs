//! The modules that iconv(3) of glibc uses to convert between character sets.
//!
//! ```text
//! alias   ISO-IR-4//        ISO646-GB//
//! module  ISO646-GB//       INTERNAL      ISO646      2
//! ```
//!
//! They are named by `gconv-modules` and the files of `gconv-modules.d` beside it.
//! `gconv-modules.cache` is the binary form that is read at run time, and lists every module of the
//! text.

use std::collections::BTreeSet;

use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, Target};

/// Returns the modules that a `gconv-modules` file in `directory` names: all, or those for one of
/// `charsets` and the ones needed to reach it. A character set may be given by any of its names, in
/// either case.
#[must_use]
pub fn dependencies(directory: &[u8], gconv_modules: &[u8], charsets: Option<&[Vec<u8>]>) -> Dependencies {
    let mut dependencies = Dependencies::default();
    let lines: Vec<Line<'_>> = gconv_modules.split(|byte| *byte == b'\n').filter_map(Line::parse).collect();
    let wanted: Option<BTreeSet<Vec<u8>>> = charsets.map(|charsets| {
        let wanted: BTreeSet<_> = charsets.iter().map(|charset| normalized(charset)).collect();
        let real = lines.iter().filter_map(|line| match line {
            Line::Alias { from, to } if wanted.contains(from) => Some(to.clone()),
            _ => None,
        });
        wanted.iter().cloned().chain(real).collect()
    });
    let mut seen = BTreeSet::new();
    for line in &lines {
        let Line::Module { from, to, file } = line else { continue };
        let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.contains(from) || wanted.contains(to));
        if is_wanted && seen.insert(*file) {
            let suffix = if file.ends_with(b".so") { &b""[..] } else { b".so" };
            let path = match file.starts_with(b"/") {
                true => [file, suffix].concat(),
                false => [directory, b"/", file, suffix].concat(),
            };
            let reason = format!("converts {} to {}", from.escape_ascii(), to.escape_ascii());
            dependencies.add(Target::File(vec![path]), Kind::Dlopen, false, reason);
        }
    }
    dependencies
}

enum Line<'a> {
    Alias { from: Vec<u8>, to: Vec<u8> },
    Module { from: Vec<u8>, to: Vec<u8>, file: &'a [u8] },
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let line = line.split(|byte| *byte == b'#').next()?;
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (kind, from, to) = (words.next()?, normalized(words.next()?), normalized(words.next()?));
        match kind {
            b"alias" => Some(Self::Alias { from, to }),
            b"module" => Some(Self::Module { from, to, file: words.next()? }),
            _ => None,
        }
    }
}

/// Converts to upper case, without trailing slashes.
fn normalized(charset: &[u8]) -> Vec<u8> {
    let end = charset.iter().position(|byte| *byte == b'/').unwrap_or(charset.len());
    charset[..end].to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"# GNU libc iconv configuration.\nalias\tISO-IR-4//\t\tISO646-GB//\n\
        module\tISO646-GB//\t\tINTERNAL\t\tISO646\t\t2\nmodule\tINTERNAL\t\tISO646-GB//\t\tISO646\t\t2\n\
        module UTF-16// INTERNAL UTF-16 1\nmodule X// INTERNAL /opt/x.so 1\nmodule BROKEN//\n";

    fn check(charsets: Option<&[&str]>, expected: &[&str]) {
        let charsets: Option<Vec<Vec<u8>>> =
            charsets.map(|charsets| charsets.iter().map(|charset| charset.as_bytes().to_vec()).collect());
        let dependencies = dependencies(b"/usr/lib/gconv", TEXT, charsets.as_deref());
        let path = |dependency: &crate::closure::dependency::Dependency| match &dependency.target {
            Target::File(paths) => paths[0].escape_ascii().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(dependencies.known.iter().map(path).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn modules_are_selected_by_character_set() {
        check(None, &["/usr/lib/gconv/ISO646.so", "/usr/lib/gconv/UTF-16.so", "/opt/x.so"]);
        check(Some(&["utf-16"]), &["/usr/lib/gconv/UTF-16.so"]);
        check(Some(&["iso-ir-4"]), &["/usr/lib/gconv/ISO646.so"]);
        check(Some(&[]), &[]);
    }
}
