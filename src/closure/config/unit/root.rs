//! `RootDirectory=` and `RootImage=`: a service with a root of its own.

use image_tree::path::components;
use image_tree::resolve::resolve_in_root;
use image_tree::{Directories, InodeId, Kind};

use super::command_line::{COMMANDS, commands};
use super::examined::Unit;
use super::settings::Settings;
use crate::closure::dependency::{Dependencies, Target};

/// Returns true if the programs of a key are started in another root, so that they are not those
/// of the tree.
pub(super) fn applies_to(settings: &Settings, section: &str, key: &str) -> bool {
    let has_root = directory(settings, section).is_some() || settings.last(section, "RootImage").is_some();
    let only_start = settings.boolean(section, "RootDirectoryStartOnly") == Some(true);
    has_root && (!only_start || key == "ExecStart")
}

/// Returns the directory that is the root of the programs of a section.
fn directory<'s>(settings: &'s Settings, section: &str) -> Option<&'s [u8]> {
    let path = settings.last(section, "RootDirectory")?;
    // Another path than an absolute one is ignored, and / is the root that it has anyway.
    let is_other = path.starts_with(b"%") || path.starts_with(b"/") && components(path).next().is_some();
    is_other.then_some(path)
}

/// Adds the root directory with its whole content, since its programs use what they find there.
/// The programs that the unit starts must be in it, and are reported if they are not.
pub(super) fn add<T: Directories>(tree: &T, unit: &Unit<'_>, found: &mut Dependencies) {
    for (section, keys) in COMMANDS {
        let Some(root) = directory(unit.settings, section) else { continue };
        let root = unit.name.expand(root);
        if !root.is_known {
            found.unknown.push(format!(
                "RootDirectory= of {} is known only at run time",
                unit.name.as_bytes().escape_ascii()
            ));
            continue;
        }
        if !root.text.starts_with(b"/") {
            continue;
        }
        let is = format_args!("is the root directory");
        unit.add(found, Target::Whole(root.text.clone()), true, is);
        let Some(id) = resolve_in_root(tree, &root.text) else { continue };
        for key in keys.iter().filter(|key| applies_to(unit.settings, section, key)) {
            for command in unit.settings.values(section, key).into_iter().flat_map(commands) {
                let path = unit.name.expand(&command.program);
                if path.is_known && path.text.starts_with(b"/") && !may_be_in(tree, id, &path.text) {
                    let target = Target::File(vec![[root.text.trim_ascii_end(), &path.text].concat()]);
                    unit.add(found, target, !command.may_fail, format_args!("is started by {key}="));
                }
            }
        }
    }
}

/// Returns true if a path exists in a root directory, as far as it has no links: these lead to
/// other places in that root.
fn may_be_in<T: Directories>(tree: &T, root: InodeId, path: &[u8]) -> bool {
    let mut id = root;
    for name in components(path) {
        match tree.lookup(id, name) {
            None => return false,
            Some(next) if matches!(tree.get(next).kind, Kind::Symlink(_)) => return true,
            Some(next) => id = next,
        }
    }
    true
}
