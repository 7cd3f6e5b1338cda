//! Command lines of units.

use image_tree::path::base_name;

use super::command_line::{COMMANDS, commands};
use super::examined::Unit;
use super::root;
use super::settings::Settings;
use crate::closure::dependency::{Dependencies, PATH, Target};
use crate::closure::library_path::LibraryPath;

/// The programs that systemd itself runs for units of a type.
const OF_KIND: [(&[u8], &[&[u8]]); 2] =
    [(b"mount", &[b"mount", b"umount"]), (b"swap", &[b"swapon", b"swapoff"])];

/// Adds the programs that a unit starts, and returns their base names.
pub(super) fn add_programs(unit: &Unit<'_>, found: &mut Dependencies) -> Vec<Vec<u8>> {
    let (name, settings) = (unit.name, unit.settings);
    let mut programs = Vec::new();
    for (section, keys) in COMMANDS {
        let search = search_path(settings, section);
        let search: Vec<&[u8]> = search.iter().map(|path| &path[..]).collect();
        let library_path = library_path(unit, section);
        for key in keys.iter().filter(|key| !root::applies_to(settings, section, key)) {
            for command in settings.values(section, key).into_iter().flat_map(commands) {
                let path = name.expand(&command.program);
                if !path.is_known {
                    let (unit, shown) = (name.as_bytes().escape_ascii(), command.program.escape_ascii());
                    found.unknown.push(format!(
                        "{key}= of {unit} starts \"{shown}\", of which a part is known only at run time"
                    ));
                    continue;
                }
                programs.push(base_name(&path.text).to_vec());
                if let Some(directories) = &library_path {
                    let Target::File(paths) = Target::program(&path.text, &search) else { continue };
                    let of_program = |path| LibraryPath::of_program(path, directories.clone());
                    found.library_paths.extend(paths.into_iter().map(of_program));
                }
                let required = !command.may_fail;
                let is = format_args!("is started by {key}=");
                unit.add(found, Target::program(&path.text, &search), required, is);
                if command.is_for_shell {
                    let is = format_args!("is the shell of {key}=");
                    unit.add(found, Target::program(b"/bin/sh", &[]), required, is);
                }
            }
        }
    }
    for (_, of_kind) in OF_KIND.iter().filter(|(kind, _)| *kind == name.kind()) {
        for program in *of_kind {
            let target = Target::program(program, &[b"/usr/bin", b"/bin", b"/usr/sbin", b"/sbin"]);
            unit.add(found, target, true, format_args!("is run by systemd"));
        }
    }
    programs
}

/// Returns the value of `LD_LIBRARY_PATH` in `Environment=`.
fn library_path(unit: &Unit<'_>, section: &str) -> Option<Vec<u8>> {
    let values = unit.settings.values(section, "Environment");
    let words = values.iter().flat_map(|value| value.split(u8::is_ascii_whitespace));
    let mut values = words.filter_map(|word| {
        let word = word.strip_prefix(b"\"").or_else(|| word.strip_prefix(b"'")).unwrap_or(word);
        let word = word.strip_suffix(b"\"").or_else(|| word.strip_suffix(b"'")).unwrap_or(word);
        word.strip_prefix(b"LD_LIBRARY_PATH=")
    });
    let expanded = unit.name.expand(values.next_back()?);
    (expanded.is_known && !expanded.text.is_empty()).then_some(expanded.text)
}

fn search_path(settings: &Settings, section: &str) -> Vec<Vec<u8>> {
    let stated = settings.values(section, "ExecSearchPath");
    let stated = stated.iter().flat_map(|value| value.split(|byte| *byte == b':'));
    let stated: Vec<Vec<u8>> = stated.filter(|path| path.starts_with(b"/")).map(<[u8]>::to_vec).collect();
    if stated.is_empty() { PATH.iter().map(|path| path.to_vec()).collect() } else { stated }
}
