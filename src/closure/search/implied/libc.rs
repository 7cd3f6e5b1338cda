//! Files that the C library opens by itself.

use std::collections::BTreeSet;

use image_tree::path::base_name;
use image_tree::{Content, Directories};

use super::context::{Context, Implied};
use crate::closure::config::file::read;
use crate::closure::config::nss;
use crate::closure::error::Result;
use crate::closure::ld_so::conf;

/// Adds glibc's `libgcc_s` and name services, and the configuration of its dynamic linker.
pub(super) fn add<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    let Context { tree, keep, closure, has_cache, .. } = *context;
    let names: BTreeSet<&[u8]> = closure.kept.keys().map(|path| base_name(path)).collect();
    let libgcc = nss::libgcc(names.iter().copied());
    let has_glibc = !libgcc.known.is_empty();
    found.take(libgcc);
    if has_glibc && keep.nss {
        const PATH: &[u8] = b"/etc/nsswitch.conf";
        if let Some(text) = read(tree, PATH)? {
            found.configured(PATH, "says which name services glibc opens");
            found.take(nss::dependencies(&text));
        }
    }
    if has_cache && !closure.library_directories.is_empty() {
        for path in conf::configured(tree)?.files {
            found.configured(&path, "says which directories /etc/ld.so.cache is made of");
        }
    }
    Ok(())
}
