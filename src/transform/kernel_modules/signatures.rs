//! Kernels that load signed modules only.

use std::collections::BTreeMap;

use image_tree::path::{base_name, join};
use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, Shown, Tree};

use crate::blob::Blob;
use crate::bounded;
use crate::closure::kernel_modules::versions;
use crate::error::Result;

/// The longest configuration of a kernel, in bytes: 16 MiB.
const MAX_CONFIG: u64 = 16 << 20;

/// The line of a kernel that loads signed modules only.
const ENFORCED: &[u8] = b"CONFIG_MODULE_SIG_FORCE=y";

/// The directories of versions whose kernel loads signed modules only, with the configurations that
/// say so.
pub type Enforced = BTreeMap<Vec<u8>, Vec<u8>>;

/// Returns the versions of a tree whose kernel loads signed modules only.
///
/// # Errors
/// The error of a configuration that cannot be read, or is too long.
pub fn enforced(tree: &Tree<Blob>) -> Result<Enforced> {
    let mut found = Enforced::new();
    for version in versions(tree) {
        let name = [b"config-", base_name(&version)].concat();
        for config in [join(b"/boot", &name), join(&version, b"config")] {
            let Some(id) = resolve_in_root(tree, &config) else { continue };
            let Kind::Regular(content) = &tree.get(id).kind else { continue };
            let text = bounded::read_content(content, MAX_CONFIG, Shown(&config))?;
            if text.split(|byte| *byte == b'\n').any(|line| line.trim_ascii() == ENFORCED) {
                found.insert(version.clone(), config);
            }
        }
    }
    Ok(found)
}
