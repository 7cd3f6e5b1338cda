//! Owners by name: the numbers of a tree's own accounts, once all of its files are there.
//!
//! A package states the owners of its files by name, and the numbers are those of the machine that
//! built it. The names that count are those of `base-passwd`'s masters, which its scripts copy to
//! `/etc`, of `/etc/passwd` and `/etc/group`, and of the sources before the packages.

use std::collections::BTreeMap;

use image_tree::resolve::resolve_in_root;
use image_tree::{InodeId, Kind, Tree};

use crate::accounts::Accounts;
use crate::blob::Blob;
use crate::bounded;
use crate::error::Result;
use crate::source::tar::OwnerNames;

/// The files from which base-passwd makes `/etc/passwd` and `/etc/group`.
const MASTERS: (&str, &str) = ("/usr/share/base-passwd/passwd.master", "/usr/share/base-passwd/group.master");

/// The longest of these files that is read, in bytes.
const MAX_LEN: u64 = 16 << 20;

/// The owner of a file by a name that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOwner {
    /// The file.
    pub inode: InodeId,
    /// The package that brought it, by its number.
    pub package: usize,
    /// The path of the file in the package.
    pub path: Vec<u8>,
    /// True for a user, false for a group.
    pub is_user: bool,
    /// The name.
    pub name: Vec<u8>,
}

/// The names of the owners of one file.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) package: usize,
    pub(super) path: Vec<u8>,
    pub(super) names: Box<OwnerNames>,
}

/// Sets the numbers of all owners that a tree has accounts for, and returns the others. `lower` are
/// the accounts of the sources before.
pub(super) fn settle(
    tree: &mut Tree<Blob>,
    named: &BTreeMap<InodeId, Named>,
    lower: &Accounts,
) -> Result<Vec<UnknownOwner>> {
    let masters = Accounts::parse(&text(tree, MASTERS.0)?, &text(tree, MASTERS.1)?);
    let own = Accounts::of(tree)?;
    let sources = [&own, &masters, lower];
    let find = |is_user: bool, name: &[u8]| {
        // Packages call it so in trees that have no accounts at all.
        if name == b"root" {
            return Some(0);
        }
        sources.iter().find_map(|accounts| match is_user {
            true => accounts.uid_of(name),
            false => accounts.gid_of(name),
        })
    };
    let mut unknown = Vec::new();
    for (inode, Named { package, path, names }) in named {
        for (is_user, name) in [(true, &names.user), (false, &names.group)] {
            if name.is_empty() {
                continue;
            }
            let metadata = tree.metadata_mut(*inode);
            let number = if is_user { &mut metadata.uid } else { &mut metadata.gid };
            match find(is_user, name) {
                Some(found) => *number = found,
                None => unknown.push(UnknownOwner {
                    inode: *inode,
                    package: *package,
                    path: path.clone(),
                    is_user,
                    name: name.clone(),
                }),
            }
        }
    }
    Ok(unknown)
}

fn text(tree: &Tree<Blob>, path: &str) -> Result<Vec<u8>> {
    match resolve_in_root(tree, path.as_bytes()).map(|id| &tree.get(id).kind) {
        Some(Kind::Regular(content)) => {
            bounded::read_content(content, MAX_LEN, format_args!("the packages' {path}"))
        }
        _ => Ok(Vec::new()),
    }
}
