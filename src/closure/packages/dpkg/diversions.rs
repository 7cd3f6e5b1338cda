//! dpkg-divert's database: files of packages that lie under another name.

use std::collections::BTreeMap;

use crate::closure::packages::read::lines;

/// The diversions of a tree, by the path in the lists of packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diversions {
    diverted: BTreeMap<Vec<u8>, Diversion>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Diversion {
    /// The path at which the files of others lie.
    to: Vec<u8>,
    /// The package that has the original path; `None` if the administrator diverts the files of all
    /// packages.
    by: Option<Vec<u8>>,
}

impl Diversions {
    /// Parses the database: three lines for each diversion, which are the path, the path at which
    /// the file lies, and the package, or `:` for a diversion of the administrator.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let all: Vec<&[u8]> = lines(text).collect();
        let diversions = all.as_chunks::<3>().0.iter();
        let diversions = diversions.filter(|[from, to, _]| from.starts_with(b"/") && to.starts_with(b"/"));
        let diverted = diversions.map(|[from, to, package]| {
            let by = (*package != b":").then(|| package.to_vec());
            (from.to_vec(), Diversion { to: to.to_vec(), by })
        });
        Self { diverted: diverted.collect() }
    }

    /// Returns the path at which the file of a package lies.
    #[must_use]
    pub fn place<'p>(&'p self, package: &[u8], path: &'p [u8]) -> &'p [u8] {
        match self.diverted.get(path) {
            Some(Diversion { to, by }) if by.as_deref() != Some(package) => to,
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_packages_are_diverted() {
        let text = b"/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\nbad\n/y\nz\n/y\nbad\nz\n/odd\n/odd2";
        let diversions = Diversions::parse(text);
        assert_eq!(diversions.place(b"bash", b"/bin/sh"), b"/bin/sh.distrib");
        assert_eq!(diversions.place(b"dash", b"/bin/sh"), b"/bin/sh");
        assert_eq!(diversions.place(b":", b"/usr/bin/x"), b"/usr/bin/x.real");
        assert_eq!(diversions.place(b"any", b"/odd"), b"/odd");
        assert_eq!(diversions.diverted.len(), 2);
    }
}
