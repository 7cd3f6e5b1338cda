//! dpkg's database: `/var/lib/dpkg/status` with a list of files for each package, and the
//! `status.d` of images that have no dpkg.

mod control;
pub mod deb822;
mod diversions;

pub use control::{Stanza, packages};
pub use diversions::Diversions;

use super::model::Listed;
use super::read::lines;

/// The status of all packages, in paragraphs.
pub(super) const STATUS: &[u8] = b"/var/lib/dpkg/status";
/// The directory of lists of files.
pub(super) const INFO: &[u8] = b"/var/lib/dpkg/info";
/// The directory of images without dpkg: a control file for each package, and its checksums.
pub(super) const STATUS_D: &[u8] = b"/var/lib/dpkg/status.d";
/// The files that packages have renamed in others.
pub(super) const DIVERSIONS: &[u8] = b"/var/lib/dpkg/diversions";
/// The files that state the architecture of the tree in their first line.
pub(super) const ARCHITECTURES: [&[u8]; 2] = [b"/var/lib/dpkg/arch-native", b"/var/lib/dpkg/arch"];

/// Returns the paths of a list of files, one a line; the root, `/.`, is left out.
#[must_use]
pub fn list(text: &[u8]) -> Vec<Listed> {
    let paths = lines(text).filter(|line| line.starts_with(b"/") && !matches!(*line, b"/" | b"/."));
    paths.map(|path| Listed::new(path.to_vec())).collect()
}

/// Returns the paths of a list of checksums: 32 hexadecimal digits, two spaces and a path without a
/// leading `/`. A backslash before the digits says that the path has escapes, which no package of a
/// distribution has: such a line is skipped.
#[must_use]
pub fn checksums(text: &[u8]) -> Vec<Listed> {
    let path = |line: &[u8]| {
        let (digest, rest) = line.split_at_checked(32)?;
        let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
        let path = path.strip_prefix(b"./").unwrap_or(path);
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let is_valid = digest.iter().all(u8::is_ascii_hexdigit) && !path.is_empty();
        is_valid.then(|| Listed::new([b"/", path].concat()))
    };
    lines(text).filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(listed: Vec<Listed>) -> Vec<String> {
        listed.into_iter().map(|one| one.path.escape_ascii().to_string()).collect()
    }

    #[test]
    fn lists_have_one_path_a_line() {
        let text = b"/.\n/usr\n/usr/bin\n/usr/bin/with space\n\nrelative\n/usr/bin/last";
        assert_eq!(paths(list(text)), ["/usr", "/usr/bin", "/usr/bin/with space", "/usr/bin/last"]);
    }

    #[test]
    fn checksums_name_files_without_a_leading_slash() {
        let text = b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/a\n\
            d41d8cd98f00b204e9800998ecf8427e  ./etc/b c\n\
            D41D8CD98F00B204E9800998ECF8427E */lib/d\n\
            \\41d8cd98f00b204e9800998ecf8427e  x\nshort  y\nd41d8cd98f00b204e9800998ecf8427e  \n\
            d41d8cd98f00b204e9800998ecf8427e  /\nd41d8cd98f00b204e9800998ecf8427e  ./\n";
        assert_eq!(paths(checksums(text)), ["/usr/bin/a", "/etc/b c", "/lib/d"]);
    }
}
