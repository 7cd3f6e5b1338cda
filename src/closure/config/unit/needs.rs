//! Files, accounts and services of PAM without which a unit cannot be started.
//!
//! systemd creates the directories of `StateDirectory=` and the like by itself, and those of mount
//! points.

use image_tree::Directories;

use super::examined::Unit;
use super::paths::{is_runtime, matches};
use super::words::words;
use crate::closure::accounts::NamedAccounts;
use crate::closure::dependency::{Dependencies, Target};

/// The sections of units that run processes.
const SECTIONS: [&str; 4] = ["Service", "Socket", "Mount", "Swap"];

/// The syntax of a setting with paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// One path.
    Path,
    /// A list of paths.
    Paths,
    /// A list of `SOURCE[:DESTINATION[:OPTIONS]]`.
    Binds,
    /// `NAME:PATH`; without a path, or with a relative one, it is searched for in the stores.
    Credential,
    /// A pattern of names in the stores.
    ImportedCredential,
    /// `file:PATH` among other values.
    File,
}

const SETTINGS: [(&str, Syntax); 19] = [
    ("EnvironmentFile", Syntax::Path),
    ("WorkingDirectory", Syntax::Path),
    ("RootImage", Syntax::Path),
    ("NetworkNamespacePath", Syntax::Path),
    ("IPCNamespacePath", Syntax::Path),
    ("StandardInput", Syntax::File),
    ("ReadWritePaths", Syntax::Paths),
    ("ReadOnlyPaths", Syntax::Paths),
    ("InaccessiblePaths", Syntax::Paths),
    ("ExecPaths", Syntax::Paths),
    ("NoExecPaths", Syntax::Paths),
    ("ExtensionDirectories", Syntax::Paths),
    ("BindPaths", Syntax::Binds),
    ("BindReadOnlyPaths", Syntax::Binds),
    ("MountImages", Syntax::Binds),
    ("ExtensionImages", Syntax::Binds),
    ("LoadCredential", Syntax::Credential),
    ("LoadCredentialEncrypted", Syntax::Credential),
    ("ImportCredential", Syntax::ImportedCredential),
];

/// The directories in which systemd searches for credentials by name.
const STORES: [&[u8]; 6] = [
    b"/etc/credstore",
    b"/usr/local/lib/credstore",
    b"/usr/lib/credstore",
    b"/etc/credstore.encrypted",
    b"/usr/local/lib/credstore.encrypted",
    b"/usr/lib/credstore.encrypted",
];

/// Adds the files that the settings of a unit name.
pub(super) fn add<T: Directories>(tree: &T, unit: &Unit<'_>, found: &mut Dependencies) {
    for section in SECTIONS {
        for (key, syntax) in SETTINGS {
            for value in unit.settings.values(section, key) {
                for path in paths(value, syntax) {
                    add_path(tree, unit, key, syntax, &path, found);
                }
            }
        }
    }
}

/// Returns the paths of a value, with their prefixes.
fn paths(value: &[u8], syntax: Syntax) -> Vec<Vec<u8>> {
    let before_colon = |word: &[u8]| word.split(|byte| *byte == b':').next().unwrap_or_default().to_vec();
    match syntax {
        Syntax::Path | Syntax::ImportedCredential => vec![value.to_vec()],
        Syntax::File => value.strip_prefix(b"file:").map(<[u8]>::to_vec).into_iter().collect(),
        Syntax::Paths => words(value),
        Syntax::Binds => words(value).iter().map(|word| before_colon(word)).collect(),
        Syntax::Credential => {
            let colon = value.iter().position(|byte| *byte == b':');
            vec![colon.map_or(value, |colon| &value[colon + 1..]).to_vec()]
        }
    }
}

fn add_path<T: Directories>(
    tree: &T,
    unit: &Unit<'_>,
    key: &str,
    syntax: Syntax,
    text: &[u8],
    found: &mut Dependencies,
) {
    // A "-" permits that the file is missing. A "+" is for a path in the unit's own root.
    let prefix = text.iter().take_while(|byte| b"-+".contains(byte)).count();
    let (prefix, path) = text.split_at(prefix);
    let path = unit.name.expand(path);
    let is = format_args!("is named by {key}=");
    if !path.is_known || prefix.contains(&b'+') {
        return;
    }
    if path.text.starts_with(b"/") {
        let required = !prefix.contains(&b'-') && !is_runtime(&path.text);
        let expanded = match key {
            "EnvironmentFile" => matches(tree, &path.text).reported(&path.text, &mut found.unknown),
            _ => vec![path.text],
        };
        for path in expanded {
            unit.add(found, Target::File(vec![path]), required, is);
        }
    } else if matches!(syntax, Syntax::Credential | Syntax::ImportedCredential) {
        let name = path.text.split(|byte| *byte == b':').next().unwrap_or_default();
        for pattern in STORES.map(|store| [store, b"/", name].concat()) {
            for path in matches(tree, &pattern).reported(&pattern, &mut found.unknown) {
                unit.add(found, Target::File(vec![path]), false, is);
            }
        }
    }
}

/// Adds the users and groups that a unit names.
pub(super) fn add_accounts(unit: &Unit<'_>, accounts: &mut NamedAccounts) {
    const USERS: [&str; 2] = ["User", "SocketUser"];
    const GROUPS: [&str; 3] = ["Group", "SupplementaryGroups", "SocketGroup"];
    let named = |keys: &[&str]| -> Vec<Vec<u8>> {
        let values = SECTIONS.iter().flat_map(|section| keys.iter().map(move |key| (section, key)));
        let values = values.flat_map(|(section, key)| unit.settings.values(section, key)).flat_map(words);
        let expanded = values.map(|value| unit.name.expand(&value)).filter(|name| name.is_known);
        expanded.map(|name| name.text).collect()
    };
    named(&USERS).iter().for_each(|name| accounts.add_user(name));
    named(&GROUPS).iter().for_each(|name| accounts.add_group(name));
}

/// Returns the services of PAM that a unit opens a session with.
pub(super) fn pam(unit: &Unit<'_>) -> impl Iterator<Item = Vec<u8>> {
    let values = SECTIONS.into_iter().filter_map(|section| unit.settings.last(section, "PAMName"));
    values.map(|value| unit.name.expand(value)).filter(|name| name.is_known).map(|name| name.text)
}
