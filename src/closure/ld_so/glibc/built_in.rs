//! The constants of a dynamic linker of glibc: its default directories and the expansions of
//! dynamic string tokens.

use crate::closure::elf::Abi;
use image_tree::path::join;

/// Finds the directories compiled into a dynamic linker: consecutive NUL-terminated paths that end
/// in `/`.
///
/// Each has a component that starts with `lib`, which distinguishes them from other text.
pub(super) fn compiled_in(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut run: Vec<Vec<u8>> = Vec::new();
    for text in bytes.split(|byte| *byte == 0) {
        match directory(text) {
            Some(directory) => run.push(directory.to_vec()),
            None if run.is_empty() => {}
            None => return Some(run),
        }
    }
    None
}

fn directory(text: &[u8]) -> Option<&[u8]> {
    let start = text.iter().rposition(|byte| !byte.is_ascii_graphic()).map_or(0, |last| last + 1);
    let path = text.get(start..)?.strip_suffix(b"/")?;
    let is_library = |component: &[u8]| component.starts_with(b"lib");
    let fits =
        path.len() < 1024 && path.starts_with(b"/") && path.split(|byte| *byte == b'/').any(is_library);
    fits.then_some(path)
}

/// Returns the usual directories by the dynamic linker's location, for a dynamic linker whose file
/// does not contain them.
pub(super) fn usual(linker: &[u8], abi: Abi) -> Vec<Vec<u8>> {
    let name = linker.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if name.windows(7).any(|part| part == b"-linux-") {
        let multiarch = [join(b"/lib", name), join(b"/usr/lib", name)];
        return [multiarch[0].clone(), multiarch[1].clone(), b"/lib".to_vec(), b"/usr/lib".to_vec()].into();
    }
    match abi {
        Abi { class: 2, machine: 243, .. } => vec![b"/lib64/lp64d".to_vec(), b"/usr/lib64/lp64d".to_vec()],
        Abi { class: 2, .. } => vec![b"/lib64".to_vec(), b"/usr/lib64".to_vec()],
        _ => vec![b"/lib".to_vec(), b"/usr/lib".to_vec()],
    }
}

/// Returns the expansion of `$LIB`: the first directory, starting at the component that begins with
/// `lib`.
pub(super) fn library_part(system: &[Vec<u8>]) -> Vec<u8> {
    let first = system.first().map(Vec::as_slice).unwrap_or_default();
    let start = first.windows(4).rposition(|part| part == b"/lib").map_or(0, |slash| slash + 1);
    first.get(start..).unwrap_or_default().to_vec()
}

/// Returns the kernel's name for the baseline processor of a machine (`AT_PLATFORM`).
pub(super) fn platform(abi: Abi) -> &'static [u8] {
    match (abi.machine, abi.class) {
        (62, _) => b"x86_64",
        (183, _) => b"aarch64",
        (3, _) => b"i686",
        (40, _) => b"v7l",
        (21, _) => b"power8",
        (22, _) => b"z900",
        _ => b"",
    }
}
