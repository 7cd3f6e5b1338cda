//! The files of a tree that a pattern of a path matches, as glob(3) finds them.

use image_tree::glob::NameGlob;
use image_tree::path::{components, join};

use super::super::site::Site;

/// The maximum number of files of a pattern.
const MAX_FILES: usize = 1_000_000;

/// Returns the paths that exist, sorted. Links in place of directories are followed.
pub(super) fn find(site: &Site<'_>, pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = vec![b"/".to_vec()];
    for component in components(pattern) {
        let is_pattern = component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
        let glob = NameGlob::parse(component).ok().filter(|_| is_pattern);
        let mut next = Vec::new();
        for directory in &found {
            match &glob {
                Some(glob) => {
                    let names = site.names(directory).into_iter();
                    let visible = names.filter(|name| !name.starts_with(b".") || component.starts_with(b"."));
                    next.extend(visible.filter(|name| glob.matches(name)).map(|name| join(directory, &name)));
                }
                None => {
                    let path = join(directory, component);
                    if site.find_link(&path).is_some() {
                        next.push(path);
                    }
                }
            }
            next.truncate(MAX_FILES);
        }
        found = next;
    }
    found
}
