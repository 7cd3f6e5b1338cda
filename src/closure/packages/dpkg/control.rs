//! Paragraphs of control files (deb822) and the relations in them.

use std::collections::BTreeMap;

use super::deb822;
use crate::closure::packages::model::{Capability, MultiArch, Package, Requirement};

/// The fields of a paragraph that are read; the others are skipped.
const FIELDS: [&[u8]; 7] =
    [b"package", b"status", b"architecture", b"multi-arch", b"depends", b"pre-depends", b"provides"];

/// An installed package of dpkg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// The package.
    pub package: Package,
    /// True for `Multi-Arch: same`: the names of its files below `info` have the architecture.
    pub is_qualified: bool,
}

/// Returns the packages of a status or control file. A package without a status is installed; one
/// of which only configuration files remain is not.
#[must_use]
pub fn packages(text: &[u8]) -> Vec<Stanza> {
    deb822::paragraphs(text).filter_map(|paragraph| stanza(&fields(&paragraph))).collect()
}

/// Returns the fields that are read, each as one line. Of a field that is repeated, the last counts.
fn fields(paragraph: &deb822::Paragraph<'_>) -> BTreeMap<&'static [u8], Vec<u8>> {
    let known = paragraph.fields().filter_map(|found| {
        let name = FIELDS.into_iter().find(|field| found.name.eq_ignore_ascii_case(field))?;
        Some((name, deb822::lines(found.value).collect::<Vec<_>>().join(&b' ')))
    });
    known.collect()
}

fn stanza(fields: &BTreeMap<&[u8], Vec<u8>>) -> Option<Stanza> {
    let field = |name: &[u8]| fields.get(name).map_or(&b""[..], Vec::as_slice);
    let name = field(b"package");
    let state = field(b"status").split(|byte| *byte == b' ').nth(2);
    let is_installed = state.is_none_or(|state| !matches!(state, b"not-installed" | b"config-files"));
    // A name is part of paths below `info`.
    if name.is_empty() || name.contains(&b'/') || !is_installed {
        return None;
    }
    let requires = [&b"pre-depends"[..], b"depends"].into_iter().flat_map(|name| relations(field(name)));
    let package = Package {
        name: name.to_vec(),
        architecture: field(b"architecture").to_vec(),
        multi_arch: match field(b"multi-arch") {
            b"foreign" => MultiArch::Foreign,
            b"allowed" => MultiArch::Allowed,
            _ => MultiArch::Same,
        },
        requires: requires.collect(),
        provides: field(b"provides").split(|byte| *byte == b',').filter_map(capability).collect(),
    };
    Some(Stanza { package, is_qualified: field(b"multi-arch") == b"same" })
}

/// Parses `a (>= 1) | b:any, c`: each of these is required, as the first alternative that is
/// installed.
fn relations(text: &[u8]) -> impl Iterator<Item = Requirement> {
    text.split(|byte| *byte == b',').filter_map(|one| {
        let alternatives = one.split(|byte| *byte == b'|').filter_map(capability);
        let mut alternatives: Vec<Requirement> = alternatives.map(Requirement::Package).collect();
        match alternatives.len() {
            0 => None,
            1 => alternatives.pop(),
            _ => Some(Requirement::Any(alternatives)),
        }
    })
}

/// Parses a name with the architecture after its colon. The version is not needed.
fn capability(text: &[u8]) -> Option<Capability> {
    let text = text.trim_ascii();
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b'[' | b'<');
    let end = text.iter().position(is_end).unwrap_or(text.len());
    let mut parts = text[..end].splitn(2, |byte| *byte == b':');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let architecture = parts.next().map(<[u8]>::to_vec);
    Some(Capability { architecture, ..Capability::new(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(requirement: &Requirement) -> String {
        match requirement {
            Requirement::Package(Capability { name, architecture, .. }) => {
                let architecture = architecture.as_ref().map(|one| format!(":{}", one.escape_ascii()));
                format!("{}{}", name.escape_ascii(), architecture.unwrap_or_default())
            }
            Requirement::Any(all) => all.iter().map(shown).collect::<Vec<_>>().join("|"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn installed_packages_are_read_with_their_relations() {
        let text = b"Package: a\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\n\
            Depends: libc6 (>= 2.34), x | y (<< 3),\n z:any\nPre-Depends: p\nRecommends: r\n\
            Provides: mail-agent, v (= 1)\nDescription: text\n Depends: not\n\n\n\
            package: b\nstatus: deinstall ok config-files\n\n\
            Package: c\nStatus: install ok unpacked\nMulti-Arch: foreign\n\nPackage: ../d\n\nPackage: e";
        let found = packages(text);
        let names: Vec<_> = found.iter().map(|one| one.package.name.as_slice()).collect();
        assert_eq!(names, [b"a", b"c", b"e"]);
        let a = &found[0];
        assert!(a.is_qualified && !found[1].is_qualified);
        assert_eq!(a.package.architecture, b"amd64");
        assert_eq!(found[1].package.multi_arch, MultiArch::Foreign);
        let requires: Vec<_> = a.package.requires.iter().map(shown).collect();
        assert_eq!(requires, ["p", "libc6", "x|y", "z:any"]);
        let provides: Vec<_> = a.package.provides.iter().map(|one| one.name.as_slice()).collect();
        assert_eq!(provides, [&b"mail-agent"[..], b"v"]);
    }

    #[test]
    fn a_name_ends_at_what_restricts_it() {
        let requires: Vec<_> = relations(b"a(>= 1), b[amd64], c<!nocheck>, d\t(= 2), , :any").collect();
        let requires: Vec<_> = requires.iter().map(shown).collect();
        assert_eq!(requires, ["a", "b", "c", "d"]);
    }
}
