//! The interest of packages in triggers, deb-triggers(5).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::source::package::deb::files::package::Package;

/// Returns the files below `triggers`, by name: one for all paths, and one for each other trigger.
pub(super) fn files(packages: &[Package]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut paths = BTreeSet::new();
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        let name = Path::new(&package.control.name);
        let text = package.control.text("triggers", name)?.unwrap_or_default();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let suffix = match directive {
                b"interest" | b"interest-await" => "",
                b"interest-noawait" => "/noawait",
                _ => continue,
            };
            let interested = format!("{}{suffix}", package.control.qualified_name());
            let refuse = || {
                let what = format!("triggers: \"{}\" is not the name of a trigger", trigger.escape_ascii());
                Error::at(ErrorKind::BadInput, name, what)
            };
            let trigger = str::from_utf8(trigger).map_err(|_| refuse())?;
            if trigger.starts_with('/') {
                paths.insert(format!("{trigger} {interested}\n"));
            } else if is_name(trigger) {
                named.entry(trigger.to_owned()).or_default().insert(format!("{interested}\n"));
            } else {
                return Err(refuse());
            }
        }
    }
    let text = |lines: BTreeSet<String>| lines.into_iter().collect::<String>().into_bytes();
    let mut files: BTreeMap<String, Vec<u8>> =
        named.into_iter().map(|(name, lines)| (name, text(lines))).collect();
    files.insert("File".to_owned(), text(paths));
    files.insert("Unincorp".to_owned(), Vec::new());
    Ok(files)
}

/// Returns true for a name that can be that of a file beside `File` and `Unincorp`.
fn is_name(trigger: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._:".contains(&byte);
    trigger.len() <= 128
        && trigger.bytes().all(is_valid)
        && trigger.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !matches!(trigger, "File" | "Unincorp")
}
