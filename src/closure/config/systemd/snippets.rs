//! `tmpfiles.d` and `sysusers.d`: the files that are kept, and the accounts that they name.
//!
//! A file is kept if it is systemd's own, or in `/etc`; or if its name, the name of a directory in
//! one of its paths, or an account that it names is that of a kept unit, of a program that a kept
//! unit starts, or of an account of a kept unit: `d /run/sshd` is for the program sshd.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::path::{components, join};
use image_tree::{Content, Directories};

use super::table::{Files, records};
use crate::closure::accounts::NamedAccounts;
use crate::closure::config::unit::Units;
use crate::closure::error::Result;

/// The directories above those of the two kinds; a file hides those of the same name in later ones.
const ABOVE: [&str; 4] = ["/etc", "/run", "/usr/local/lib", "/usr/lib"];

/// The names of systemd's own files, and of those of Debian's package, without `.conf`.
const OWN: [&str; 17] = [
    "basic",
    "credstore",
    "debian",
    "debian-udev",
    "etc",
    "home",
    "journal-nocow",
    "legacy",
    "portables",
    "provision",
    "root",
    "static-nodes-permissions",
    "tmp",
    "udev",
    "var",
    "x11",
    "20-systemd-stub",
];

/// The directories of which the entries are named for what uses them.
const PLACES: [&[u8]; 7] =
    [b"/run", b"/var/run", b"/var/lib", b"/var/log", b"/var/cache", b"/var/spool", b"/etc"];

/// Adds the files of both kinds, and the accounts that they name.
pub(super) fn add<T: Directories<Content: Content>>(
    files: &mut Files<'_, '_, T>,
    units: &Units,
    accounts: &mut NamedAccounts,
) -> Result<()> {
    let known = known(units);
    for (program, directory, named) in [
        ("systemd-tmpfiles", "tmpfiles.d", tmpfiles as fn(&[u8]) -> Named),
        ("systemd-sysusers", "sysusers.d", sysusers),
    ] {
        if !units.programs.contains(program.as_bytes()) {
            continue;
        }
        let mut paths: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for directory in ABOVE.map(|above| format!("{above}/{directory}").into_bytes()) {
            for name in files.names(&directory).into_iter().filter(|name| name.ends_with(b".conf")) {
                let path = join(&directory, &name);
                paths.entry(name).or_insert(path);
            }
        }
        for (name, path) in paths {
            let stem = name.strip_suffix(b".conf").unwrap_or(&name);
            let named = named(&files.text(&path)?);
            let is_own = is_own(stem) || path.starts_with(b"/etc/");
            if is_own || known.contains(stem) || named.names.iter().any(|name| known.contains(name)) {
                files.add_path(&path, &format!("is read by {program} for what is kept"));
                accounts.extend(named.accounts);
            }
        }
    }
    Ok(())
}

fn is_own(stem: &[u8]) -> bool {
    OWN.iter().any(|own| own.as_bytes() == stem)
        || stem.starts_with(b"systemd")
        || stem.starts_with(b"20-systemd-")
}

/// Returns the names of units without their type and instance, of programs, and of accounts other
/// than root.
fn known(units: &Units) -> BTreeSet<Vec<u8>> {
    let unit = |name: &Vec<u8>| name.split(|byte| matches!(byte, b'.' | b'@')).next().map(<[u8]>::to_vec);
    let accounts = units.accounts.users.iter().chain(&units.accounts.groups);
    let names = units.names.iter().filter_map(unit);
    let names = names.chain(units.programs.iter().cloned()).chain(accounts.cloned());
    names.filter(|name| !name.is_empty() && name != b"root").collect()
}

/// The accounts and owners that a file names.
#[derive(Default)]
struct Named {
    accounts: NamedAccounts,
    /// The names of accounts, and of the things to which paths belong.
    names: BTreeSet<Vec<u8>>,
}

impl Named {
    fn user(&mut self, name: &[u8]) {
        // A colon says that the owner of an existing file is not changed.
        let name = name.strip_prefix(b":").unwrap_or(name);
        self.accounts.add_user(name);
        self.names.insert(name.to_vec());
    }

    fn group(&mut self, name: &[u8]) {
        let name = name.strip_prefix(b":").unwrap_or(name);
        self.accounts.add_group(name);
        self.names.insert(name.to_vec());
    }
}

/// Reads `TYPE PATH MODE USER GROUP AGE ARGUMENT`.
fn tmpfiles(text: &[u8]) -> Named {
    let mut named = Named::default();
    for record in records(text) {
        let [kind, path, rest @ ..] = &record[..] else { continue };
        for place in PLACES {
            let beneath = path.strip_prefix(place).filter(|rest| rest.starts_with(b"/"));
            named.names.extend(beneath.and_then(|rest| components(rest).next()).map(<[u8]>::to_vec));
        }
        rest.get(1).into_iter().for_each(|user| named.user(user));
        rest.get(2).into_iter().for_each(|group| named.group(group));
        if matches!(kind.first(), Some(b'a' | b'A')) {
            let entries = rest.get(4).into_iter().flat_map(|list| list.split(|byte| *byte == b','));
            for entry in entries {
                let fields: Vec<&[u8]> = entry.split(|byte| *byte == b':').collect();
                let at = usize::from(matches!(fields.first(), Some(&b"d" | &b"default")));
                match (fields.get(at), fields.get(at + 1)) {
                    (Some(&b"u" | &b"user"), Some(name)) => named.accounts.add_user(name),
                    (Some(&b"g" | &b"group"), Some(name)) => named.accounts.add_group(name),
                    _ => {}
                }
            }
        }
    }
    named.names.retain(|name| !matches!(&name[..], b"" | b"-"));
    named
}

/// Reads `TYPE NAME ID COMMENT HOME SHELL`.
fn sysusers(text: &[u8]) -> Named {
    let mut named = Named::default();
    for record in records(text) {
        let [kind, name, rest @ ..] = &record[..] else { continue };
        match kind.first() {
            Some(b'u') => {
                named.user(name);
                let group = rest.first().and_then(|id| id.split(|byte| *byte == b':').nth(1));
                named.accounts.add_group(group.unwrap_or(name));
            }
            Some(b'g') => named.group(name),
            Some(b'm') => {
                named.user(name);
                rest.first().into_iter().for_each(|group| named.group(group));
            }
            _ => {}
        }
    }
    named.names.retain(|name| !matches!(&name[..], b"" | b"-"));
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &BTreeSet<Vec<u8>>) -> Vec<String> {
        set.iter().map(|name| name.escape_ascii().to_string()).collect()
    }

    #[test]
    fn accounts_and_owners_of_paths_are_those_that_lines_name() {
        let text = b"# d /run/no\nd /run/sshd 0755 root root\nz /dev/x 0660 - :kvm - -\n\
            a+ /var/log/journal - - - - d:group:adm:r-x,group::r-x,user:bin:r\nf\n";
        let named = tmpfiles(text);
        assert_eq!(names(&named.accounts.users), ["bin", "root"]);
        assert_eq!(names(&named.accounts.groups), ["adm", "kvm", "root"]);
        assert!(named.names.contains(&b"sshd"[..]) && named.names.contains(&b"journal"[..]));
        assert!(!named.names.contains(&b"no"[..]));

        let named =
            sysusers(b"u! sshd -:nogroup \"sshd user\" /run/sshd\nu a 5\nm b c\ng d -\nr - 500-900\n");
        assert_eq!(names(&named.accounts.users), ["a", "b", "sshd"]);
        assert_eq!(names(&named.accounts.groups), ["a", "c", "d", "nogroup"]);
    }
}
