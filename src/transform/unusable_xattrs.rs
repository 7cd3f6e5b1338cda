//! Extended attributes that a source can carry, and that Linux never uses or a filesystem cannot
//! hold.
//!
//! | xattr | Linux | here |
//! | --- | --- | --- |
//! | `user.*` of symbolic links, devices, FIFOs and sockets | `xattr_permission` hides it | kept |
//! | `security.capability` of files that are not regular | `execve(2)` never reads it | kept |
//! | malformed `security.capability` | `execve(2)` fails | kept |
//! | a default ACL of a non-directory, an ACL of a symbolic link | never read | kept |
//! | a malformed POSIX ACL | cannot be set | dropped if the filesystem converts ACLs, as ext4 does |
//! | `system.*` that is not a POSIX ACL | without a handler, never visible | kept |

use std::collections::BTreeMap;
use std::fmt;

use image_tree::acl::{self, Acl};
use image_tree::{InodeId, Kind, Tree, XattrName};

use crate::error::Result;
use crate::log::{self, Log};
use crate::shown::Count;
use crate::xattr_filter::pattern_of;

const CAPABILITY: &[u8] = b"security.capability";

/// The xattrs that a format of filesystems can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// The name of the format in messages.
    pub format: &'static str,
    /// True if it stores ACLs in a form of its own, which malformed ones cannot be converted to.
    pub converts_acls: bool,
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The xattrs that the filesystem can hold.
    pub support: Support,
}

/// The reason that Linux does not use an xattr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    UserOfSpecial,
    CapabilityOfOther,
    Capability,
    AclOfLink,
    DefaultAclOfFile,
    Acl,
    System,
}

/// Xattrs that Linux does not use for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    support: Support,
    reason: Reason,
    /// The number of files that have one.
    count: u64,
    /// The path of the first of them.
    path: Vec<u8>,
    /// Its xattr.
    name: XattrName,
}

impl Unusable {
    /// The number of files whose xattr was dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        if self.reason == Reason::Acl && self.support.converts_acls { self.count } else { 0 }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { support, reason, count, path, name } = self;
        let system = format!("a system.* xattr that {} does not know", support.format);
        let files = Count(*count, "file has", "files have");
        let (what, outcome) = match reason {
            Reason::UserOfSpecial => (
                "a user.* xattr, which Linux gives to regular files and directories only",
                "kept, though nothing in the guest can read it",
            ),
            Reason::CapabilityOfOther => {
                ("capabilities and is not a regular file", "kept, though Linux ignores it")
            }
            Reason::Capability => (
                "a security.capability that is malformed",
                "kept, though Linux refuses to run such a program",
            ),
            Reason::AclOfLink => ("an ACL and is a symbolic link", "kept, though Linux ignores it"),
            Reason::DefaultAclOfFile => {
                ("a default ACL and is not a directory", "kept, though Linux ignores it")
            }
            Reason::Acl if support.converts_acls => {
                ("an ACL that is malformed", "dropped, so that the mode alone decides")
            }
            Reason::Acl => ("an ACL that is malformed", "kept, though Linux cannot interpret it"),
            Reason::System => (system.as_str(), "kept, though Linux does not show it"),
        };
        write!(
            f,
            "{files} {what}: {outcome}; the first is {name} of {}; --xattr-filter 'drop={}' leaves it out",
            path.escape_ascii(),
            pattern_of(name.as_bytes())
        )
    }
}

impl log::Report for Unusable {
    fn log(&self, log: &Log) {
        if self.dropped() > 0 {
            log.exclude("malformed ACLs", self.dropped());
        }
        log.warn(self);
    }
}

/// Finds the xattrs that Linux does not use, and drops those that the filesystem cannot
/// hold.
///
/// # Errors
/// Never; every transform has this signature.
pub fn apply<C>(tree: &mut Tree<C>, options: &Options) -> Result<Vec<Unusable>> {
    let Options { support } = *options;
    let mut found: BTreeMap<Reason, Unusable> = BTreeMap::new();
    let mut dropped: Vec<(InodeId, XattrName)> = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        if !step.first || inode.metadata.xattrs.is_empty() {
            continue;
        }
        let mut seen = Vec::new();
        for (name, value) in &inode.metadata.xattrs {
            let Some(reason) = reason(&inode.kind, name.as_bytes(), value) else { continue };
            if reason == Reason::Acl && support.converts_acls {
                dropped.push((step.id, name.clone()));
            }
            if seen.contains(&reason) {
                continue;
            }
            seen.push(reason);
            let known = found.entry(reason).or_insert_with(|| {
                let mut path = Vec::new();
                walk.write_path(&mut path);
                Unusable { support, reason, count: 0, path, name: name.clone() }
            });
            known.count += 1;
        }
    }
    for (id, name) in dropped {
        tree.metadata_mut(id).xattrs.remove(&name);
    }
    Ok(found.into_values().collect())
}

fn reason<C>(kind: &Kind<C>, name: &[u8], value: &[u8]) -> Option<Reason> {
    let is_regular = matches!(kind, Kind::Regular(_));
    let is_directory = matches!(kind, Kind::Directory(_));
    match name {
        acl::ACCESS | acl::DEFAULT => match kind {
            _ if Acl::from_xattr(value).is_err() => Some(Reason::Acl),
            Kind::Symlink(_) => Some(Reason::AclOfLink),
            _ if name == acl::DEFAULT && !is_directory => Some(Reason::DefaultAclOfFile),
            _ => None,
        },
        CAPABILITY if !is_regular => Some(Reason::CapabilityOfOther),
        CAPABILITY if !is_capability(value) => Some(Reason::Capability),
        _ if name.starts_with(b"user.") && !is_regular && !is_directory => Some(Reason::UserOfSpecial),
        _ if name.starts_with(b"system.") => Some(Reason::System),
        _ => None,
    }
}

/// Returns true for the length of `struct vfs_cap_data` of a known revision, as checked by
/// `get_vfs_caps_from_disk` of `security/commoncap.c`.
fn is_capability(value: &[u8]) -> bool {
    /// `VFS_CAP_REVISION_1` to `_3` in the highest byte of `magic_etc`, each with the length of the
    /// struct in bytes.
    const REVISIONS: [(u8, usize); 3] = [(1, 12), (2, 20), (3, 24)];
    let revision = value.get(3).copied();
    REVISIONS.iter().any(|(known, len)| revision == Some(*known) && value.len() == *len)
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    const CAPABILITY_OF_RAW: &str =
        r"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    const PLAIN_ACL: &str = r"\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x04\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff";

    const EXT4: Support = Support { format: "ext4", converts_acls: true };

    fn applied(lines: &str, support: Support) -> (Vec<String>, String) {
        let text = format!("/ 0 40755 2 0 0 0 0.0 - - -\n{lines}");
        let tree = dump::parse(text.as_bytes(), |_| Ok::<_, std::io::Error>(Vec::new()));
        let mut tree: Tree<Vec<u8>> = tree.unwrap_or_else(|error| panic!("{error}"));
        let found = apply(&mut tree, &Options { support })
            .expect("it cannot fail")
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut after = Vec::new();
        dump::write(&tree, &mut after, |_, _| Ok(dump::Body::None)).expect("memory");
        (found, String::from_utf8(after).expect("ASCII"))
    }

    #[test]
    fn xattrs_that_linux_uses_are_not_reported() {
        let lines = format!(
            "/d 0 40755 2 0 0 0 0.0 - - - security.selinux=x system.posix_acl_default={PLAIN_ACL} user.a=b\n\
             /f 0 100755 1 0 0 0 0.0 - - - security.capability={CAPABILITY_OF_RAW} system.posix_acl_access={PLAIN_ACL}\n\
             /l 1 120777 1 0 0 0 0.0 f - - security.selinux=x trusted.a=b\n"
        );
        let (found, after) = applied(&lines, EXT4);
        assert_eq!(found, Vec::<String>::new());
        assert!(after.ends_with(&lines), "{after}");
    }

    #[test]
    fn each_fault_is_counted_and_only_malformed_acls_are_dropped() {
        let line = |path: &str, mode: &str, payload: &str, xattrs: &str| {
            format!(
                "{path} {} {mode} 1 0 0 0 0.0 {payload} - - {xattrs}\n",
                payload.len() * usize::from(payload != "-")
            )
        };
        let lines = [
            line("/a", "120777", "f", &format!("system.posix_acl_access={PLAIN_ACL} user.a=b user.c=d")),
            line("/b", "10644", "-", "user.a=b"),
            line("/c", "100644", "-", &format!("system.posix_acl_default={PLAIN_ACL}")),
            line("/d", "100755", "-", "security.capability=x system.posix_acl_access=x user.kept=y"),
            line("/e", "20644", "-", &format!("security.capability={CAPABILITY_OF_RAW}")),
            line("/f", "100644", "-", "system.foo=x system.posix_acl_default=x"),
        ]
        .concat();
        let (found, after) = applied(&lines, EXT4);
        let starts = [
            "2 files have a user.* xattr",
            "1 file has capabilities and is not a regular file",
            "1 file has a security.capability that is malformed",
            "1 file has an ACL and is a symbolic link",
            "1 file has a default ACL and is not a directory",
            "2 files have an ACL that is malformed: dropped",
            "1 file has a system.* xattr",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start), "{found}");
        }
        assert!(
            found[0].contains("the first is user.a of /a; --xattr-filter 'drop=user.a' leaves it out"),
            "{found:?}"
        );
        assert!(!after.contains("acl_access=x") && !after.contains("acl_default=x"), "{after}");
        assert!(after.contains("user.kept=y") && after.contains("system.foo=x"), "{after}");
    }

    #[test]
    fn malformed_acls_are_kept_where_acls_are_not_converted() {
        let lines = "/f 0 100644 1 0 0 0 0.0 - - - system.foo=x system.posix_acl_access=x\n";
        let (found, after) = applied(lines, Support { format: "another", converts_acls: false });
        assert!(found[0].starts_with("1 file has an ACL that is malformed: kept"), "{found:?}");
        assert!(found[1].starts_with("1 file has a system.* xattr that another does not know"), "{found:?}");
        assert!(after.ends_with(lines), "{after}");
    }
}
