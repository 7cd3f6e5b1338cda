//! Generators, which make units at boot, and the units for which they make instances and links.

use std::collections::BTreeSet;

use image_tree::path::join;
use image_tree::{Content, Directories};

use super::table::{Files, records};
use crate::closure::config::unit::Walk;
use crate::closure::error::{Error, Result};

/// The choice of generators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Generators {
    /// All that the tree has.
    #[default]
    All,
    /// None.
    None,
    /// These, by the names of their files.
    Only(Vec<Vec<u8>>),
}

/// The directories of generators; a file hides those of the same name in later directories.
const DIRECTORIES: [&str; 5] = [
    "/run/systemd/system-generators",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

/// The event on which a generator makes something of units.
#[derive(Clone, Copy)]
enum When {
    /// At each boot, or by the kernel's command line.
    Always,
    /// If the tree has a file with other lines than comments.
    Configured(&'static str),
    /// If a unit is kept with all that it pulls in.
    With(&'static str),
}

/// The units and programs of generators: systemd's sources, `src/*-generator`, 252 to 257.
const HELPERS: [(&str, When, &[&str]); 16] = [
    (
        "systemd-fstab-generator",
        When::Always,
        &["systemd-fsck@.service", "systemd-fsck-root.service", "systemd-remount-fs.service"],
    ),
    ("systemd-gpt-auto-generator", When::Always, &["systemd-fsck@.service", "systemd-fsck-root.service"]),
    (
        "systemd-getty-generator",
        When::With("getty.target"),
        &["serial-getty@.service", "container-getty@.service"],
    ),
    ("systemd-getty-generator", When::With("getty.target"), &["console-getty.service", "getty@.service"]),
    ("systemd-debug-generator", When::Always, &["debug-shell.service"]),
    ("systemd-rc-local-generator", When::Configured("/etc/rc.local"), &["rc-local.service"]),
    ("systemd-system-update-generator", When::Always, &["system-update.target"]),
    (
        "systemd-hibernate-resume-generator",
        When::Always,
        &["systemd-hibernate-resume.service", "systemd-hibernate-resume@.service"],
    ),
    ("systemd-tpm2-generator", When::Always, &["tpm2.target"]),
    ("systemd-cryptsetup-generator", When::Configured("/etc/crypttab"), &["cryptsetup.target"]),
    ("systemd-veritysetup-generator", When::Configured("/etc/veritytab"), &["veritysetup.target"]),
    ("systemd-integritysetup-generator", When::Configured("/etc/integritytab"), &["integritysetup.target"]),
    (
        "systemd-cryptsetup-generator",
        When::Configured("/etc/crypttab"),
        &["/usr/lib/systemd/systemd-cryptsetup"],
    ),
    ("systemd-cryptsetup-generator", When::Configured("/etc/crypttab"), &["/usr/bin/systemd-cryptsetup"]),
    (
        "systemd-veritysetup-generator",
        When::Configured("/etc/veritytab"),
        &["/usr/lib/systemd/systemd-veritysetup"],
    ),
    (
        "systemd-integritysetup-generator",
        When::Configured("/etc/integritytab"),
        &["/usr/lib/systemd/systemd-integritysetup"],
    ),
];

/// The files that generators read.
const CONFIGURATION: [(&str, &str); 7] = [
    ("systemd-fstab-generator", "/etc/fstab"),
    ("systemd-cryptsetup-generator", "/etc/crypttab"),
    ("systemd-veritysetup-generator", "/etc/veritytab"),
    ("systemd-integritysetup-generator", "/etc/integritytab"),
    ("systemd-rc-local-generator", "/etc/rc.local"),
    ("rpc-pipefs-generator", "/etc/nfs.conf"),
    ("nfs-server-generator", "/etc/nfs.conf"),
];

/// Adds the chosen generators with their units and programs, and returns their names.
///
/// # Errors
/// Returns an error if a generator that is named does not exist, or a file cannot be read.
pub(super) fn add<T: Directories<Content: Content>>(
    files: &mut Files<'_, '_, T>,
    walk: &mut Walk<'_, T>,
    choice: &Generators,
) -> Result<BTreeSet<Vec<u8>>> {
    let mut found = BTreeSet::new();
    for directory in DIRECTORIES {
        for name in files.names(directory.as_bytes()) {
            let is_wanted = match choice {
                Generators::All => true,
                Generators::None => false,
                Generators::Only(names) => names.contains(&name),
            };
            if is_wanted && found.insert(name.clone()) {
                files.add_path(&join(directory.as_bytes(), &name), "is a generator of systemd");
            }
        }
    }
    if let Generators::Only(names) = choice
        && let Some(name) = names.iter().find(|name| !found.contains(*name))
    {
        return Err(Error::GeneratorNotFound(name.clone()));
    }
    for (generator, path) in CONFIGURATION {
        if found.contains(generator.as_bytes()) {
            files.add(path, &format!("is read by {generator}"));
        }
    }
    for (generator, when, helpers) in HELPERS {
        if found.contains(generator.as_bytes()) && happens(files, walk, when)? {
            for helper in helpers {
                if helper.starts_with('/') {
                    files.add(helper, &format!("is run by units of {generator}"));
                } else {
                    walk.want(helper.as_bytes(), "for which a generator makes links");
                }
            }
        }
    }
    Ok(found)
}

fn happens<T: Directories<Content: Content>>(
    files: &Files<'_, '_, T>,
    walk: &Walk<'_, T>,
    when: When,
) -> Result<bool> {
    Ok(match when {
        When::Always => true,
        When::Configured(path) => records(&files.text(path.as_bytes())?).next().is_some(),
        When::With(unit) => walk.has(unit.as_bytes()),
    })
}
