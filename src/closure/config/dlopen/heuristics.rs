//! The libraries opened by objects that were built before dlopen notes existed.
//!
//! Most names are strings of the objects in Debian 12; the rest are opened by other builds of
//! systemd's sources.

use super::{Dlopen, Priority};
use image_tree::glob::NameGlob;

/// The pattern for objects, the feature, its priority, and the names of the library.
type Row = (&'static str, &'static str, Priority, &'static [&'static str]);

use Priority::{Recommended, Suggested};

/// systemd up to 255 opened these from its shared library; since 256 it declares them in notes.
const SYSTEMD: &str = "libsystemd-shared-2[0-5][0-9]*.so";

const TABLE: [Row; 15] = [
    (SYSTEMD, "cryptsetup", Suggested, &["libcryptsetup.so.12"]),
    (SYSTEMD, "tpm", Suggested, &["libtss2-esys.so.0"]),
    (SYSTEMD, "tpm", Suggested, &["libtss2-rc.so.0"]),
    (SYSTEMD, "tpm", Suggested, &["libtss2-mu.so.0"]),
    (SYSTEMD, "tpm", Suggested, &["libtss2-tcti-device.so.0"]),
    (SYSTEMD, "fido2", Suggested, &["libfido2.so.1"]),
    (SYSTEMD, "p11kit", Suggested, &["libp11-kit.so.0"]),
    (SYSTEMD, "idn", Suggested, &["libidn2.so.0", "libidn.so.12", "libidn.so.11"]),
    (SYSTEMD, "pcre2", Suggested, &["libpcre2-8.so.0"]),
    (SYSTEMD, "qrencode", Suggested, &["libqrencode.so.4", "libqrencode.so.3"]),
    (SYSTEMD, "pwquality", Suggested, &["libpwquality.so.1", "libpasswdqc.so.1"]),
    (SYSTEMD, "elfutils", Suggested, &["libdw.so.1"]),
    (SYSTEMD, "elfutils", Suggested, &["libelf.so.1"]),
    (SYSTEMD, "bpf", Suggested, &["libbpf.so.1", "libbpf.so.0"]),
    ("libmount.so.1*", "cryptsetup", Recommended, &["libcryptsetup.so.12"]),
];

/// Returns the known entries for the object with this file name; for objects without dlopen notes.
#[must_use]
pub fn heuristics(object: &[u8]) -> Vec<Dlopen> {
    let is_about = |pattern: &str| {
        // Nearly all objects are rejected by their first bytes, before a pattern is parsed.
        let literal = pattern.split(['*', '?', '[']).next().unwrap_or_default();
        object.starts_with(literal.as_bytes())
            && NameGlob::parse(pattern.as_bytes()).expect("the table has patterns").matches(object)
    };
    let rows = TABLE.iter().filter(|(pattern, ..)| is_about(pattern));
    rows.map(|(_, feature, priority, names)| Dlopen {
        soname: names.iter().map(|name| (*name).to_owned()).collect(),
        feature: (*feature).to_owned(),
        description: String::new(),
        priority: *priority,
    })
    .collect()
}
