//! glibc's modules for character sets.

use std::collections::BTreeSet;

use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use super::context::{Context, Implied};
use crate::closure::config::file::read;
use crate::closure::config::gconv;
use crate::closure::error::Result;
use crate::closure::requests::Charsets;

/// Adds glibc's modules beneath the library directories, and the files that list them.
pub(super) fn add<T: Directories<Content: Content>>(
    context: &Context<'_, T>,
    found: &mut Implied,
) -> Result<()> {
    let Some(charsets) = &context.keep.gconv else { return Ok(()) };
    let (tree, directories) = (context.tree, &context.closure.library_directories);
    let only = match charsets {
        Charsets::All => None,
        Charsets::Only(names) => Some(&names[..]),
    };
    let mut unlisted: BTreeSet<&[u8]> = only.into_iter().flatten().map(Vec::as_slice).collect();
    for directory in directories {
        let directory = [directory, &b"/gconv"[..]].concat();
        let Some(id) = resolve_in_root(tree, &directory) else { continue };
        let beneath = |name: &[u8]| [&directory, &b"/"[..], name].concat();
        let mut lists = vec![beneath(b"gconv-modules")];
        if let Some(more) = tree.lookup(id, b"gconv-modules.d")
            && let Some(entries) = tree.entries(more)
        {
            let names = entries.keys().map(|name| name.as_bytes()).filter(|name| name.ends_with(b".conf"));
            lists.extend(names.map(|name| beneath(&[b"gconv-modules.d/", name].concat())));
        }
        // The alias of a character set may be defined in another file than its module.
        let mut all = Vec::new();
        for list in lists {
            let Some(text) = read(tree, &list)? else { continue };
            found.configured(&list, "lists modules for character sets");
            all.extend_from_slice(&text);
            all.push(b'\n');
        }
        found.take(gconv::dependencies(&directory, &all, only));
        unlisted.retain(|charset| {
            gconv::dependencies(&directory, &all, Some(&[charset.to_vec()])).known.is_empty()
        });
        found.configured(&beneath(b"gconv-modules.cache"), "lists modules for character sets");
    }
    found.unknown.extend(unlisted.into_iter().map(|charset| {
        let charset = charset.escape_ascii();
        format!("--gconv {charset}: no gconv-modules of the tree lists it; glibc has only a few, as UTF-8, without")
    }));
    Ok(())
}
