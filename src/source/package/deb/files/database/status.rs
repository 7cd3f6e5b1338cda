//! The paragraph of a package in dpkg's status.

use super::checksums::Checksums;
use crate::source::package::deb::files::package::Package;

/// The fields in the order of dpkg; others follow in the order of the package.
const ORDER: [&str; 31] = [
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Revision",
    "Config-Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Filename",
    "Size",
    "MD5sum",
    "Description",
    "Triggers-Pending",
];

/// Fields that dpkg writes itself, whatever a package states for them.
const OWN: [&str; 5] = ["Status", "Config-Version", "Conffiles", "Triggers-Pending", "Triggers-Awaited"];

/// Appends the paragraph of a package, with the empty line behind it.
pub(super) fn write(text: &mut Vec<u8>, package: &Package, checksums: &Checksums) {
    let stanza = &package.control.stanza;
    let is_own = |name: &str| OWN.iter().any(|own| own.eq_ignore_ascii_case(name));
    for name in ORDER {
        match name {
            "Status" => field(text, name, b"install ok installed"),
            "Conffiles" if !checksums.conffiles.is_empty() => {
                let lines = checksums.conffiles.iter();
                let lines =
                    lines.flat_map(|(path, sum)| [b"\n ", path.as_slice(), b" ", sum.as_bytes()].concat());
                field(text, name, &lines.collect::<Vec<u8>>());
            }
            _ if is_own(name) => {}
            _ => {
                if let Some(value) = stanza.get(name) {
                    field(text, name, value);
                }
            }
        }
    }
    for (name, value) in stanza.fields() {
        if !is_own(name) && !ORDER.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            field(text, name, value);
        }
    }
    text.push(b'\n');
}

fn field(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.push(b':');
    if !value.is_empty() && !value.starts_with(b"\n") {
        text.push(b' ');
    }
    text.extend_from_slice(value);
    text.push(b'\n');
}
