//! `/etc/shells` with the shells of packages, as update-shells(8) of debianutils makes it.

use std::collections::BTreeSet;

use image_tree::path::{base_name, join, parent};
use image_tree::resolve::trace_in_root;

use super::site::Site;
use crate::error::Result;

const TEMPLATE: &[u8] = b"/usr/share/debianutils/shells";
const OF_PACKAGES: &[u8] = b"/usr/share/debianutils/shells.d";
const STATE: &[u8] = b"/var/lib/shells.state";
const SHELLS: &[u8] = b"/etc/shells";

pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    let Some(template) = site.text(TEMPLATE)? else { return Ok(()) };
    let mut files = vec![template.clone()];
    for name in site.names(OF_PACKAGES) {
        files.extend(site.text(&join(OF_PACKAGES, &name))?);
    }
    let mut shells: Vec<Vec<u8>> = Vec::new();
    for line in files.iter().flat_map(|text| shells_of(text)) {
        let real = match trace_in_root(site.tree, parent(line), &mut 0) {
            Ok(directory) => join(&directory.path, base_name(line)),
            Err(_) => line.to_vec(),
        };
        shells.push(line.to_vec());
        if real != line {
            shells.push(real);
        }
    }
    let state = site.text(STATE)?.unwrap_or_default();
    let removed: BTreeSet<&[u8]> = shells_of(&state).collect();
    let packaged: BTreeSet<&[u8]> = shells.iter().map(Vec::as_slice).collect();
    let before = site.text(SHELLS)?;
    let mut text = Vec::new();
    let mut listed: BTreeSet<Vec<u8>> = BTreeSet::new();
    for line in before.as_ref().unwrap_or(&template).split_inclusive(|byte| *byte == b'\n') {
        let shell =
            line.strip_suffix(b"\n").unwrap_or(line).split(|byte| *byte == b'#').next().unwrap_or_default();
        let stays = shell.is_empty() || packaged.contains(shell) || !removed.contains(shell);
        if stays && (shell.is_empty() || listed.insert(shell.to_vec())) {
            text.extend(line.strip_suffix(b"\n").unwrap_or(line));
            text.push(b'\n');
        }
    }
    for shell in &shells {
        if !removed.contains(&shell[..]) && !listed.contains(shell) {
            text.extend([&shell[..], b"\n"].concat());
        }
    }
    let mut new_state = Vec::new();
    for shell in &shells {
        new_state.extend([&shell[..], b"\n"].concat());
    }
    site.write(SHELLS, text, 0o644)?;
    site.write(STATE, new_state, 0o644)?;
    Ok(())
}

/// Returns the shells of a file, without comments.
fn shells_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split(|byte| *byte == b'#').next()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{configure, text, tree};

    #[test]
    fn shells_of_packages_and_their_real_paths_are_added() {
        let mut tree = tree(&[
            ("/bin", "-> usr/bin"),
            ("/usr/bin/sh", ""),
            ("/usr/share/debianutils/shells", "# valid\n/bin/sh\n"),
            ("/usr/share/debianutils/shells.d/dash", "/bin/dash # x\n/usr/bin/dash\n"),
            ("/usr/share/debianutils/shells.d/bash", "/bin/bash\n"),
        ]);
        configure(&mut tree, "shells").expect("there is room");
        let state =
            "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/dash \n/usr/bin/dash \n/usr/bin/dash\n";
        assert_eq!(text(&tree, "/var/lib/shells.state"), state);
        assert_eq!(text(&tree, "/etc/shells"), format!("# valid\n{state}"));
        let made = configure(&mut tree, "shells").expect("there is room");
        assert!(made[0].paths.is_empty(), "{made:?}");
    }

    #[test]
    fn shells_that_an_administrator_added_or_removed_stay_so() {
        let mut tree = tree(&[
            ("/usr/share/debianutils/shells", "/a\n/b\n"),
            ("/var/lib/shells.state", "/a\n/b\n/gone\n"),
            ("/etc/shells", "/own\n/b\n/gone\n/own\n"),
        ]);
        configure(&mut tree, "shells").expect("there is room");
        assert_eq!(text(&tree, "/etc/shells"), "/own\n/b\n");
        assert_eq!(text(&tree, "/var/lib/shells.state"), "/a\n/b\n");
    }
}
