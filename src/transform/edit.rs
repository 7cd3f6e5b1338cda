//! Changes to single files of a tree, one after the other.
//!
//! | edit | text |
//! | --- | --- |
//! | add | `SRC:DST`: a file or directory of the host |
//! | write | `PATH[:MODE]:TEXT`, which is not unescaped |
//! | set-key | `PATH:SECTION:KEY=VALUE`: the only value of a key in a unit or ini file |
//! | add-key | `PATH:SECTION:KEY=VALUE`: one more value |
//! | remove-key | `PATH:SECTION:KEY` |
//! | mkdir | `PATH[:MODE[:USER:GROUP]]` |
//! | symlink | `TARGET:PATH` |
//! | mknod | `PATH:c\|b:MAJOR:MINOR[:MODE]` |
//! | chmod | `GLOB:MODE`, octal or `u+x`; an access ACL follows |
//! | chown | `GLOB:[USER][:[GROUP]]` |
//! | setcap | `GLOB:CAPS`, as `setcap(8)` takes them |
//! | xattr | `GLOB:NAME=VALUE`; the mode follows an access ACL |
//! | remove | `GLOB`, which must match something |
//! | exclude | `GLOB`, which need not |
//!
//! Fields are separated by colons; `\:` is a colon within one and `\\` a backslash. Users and
//! groups are names of the tree's own accounts or numbers.
//!
//! A PATH is that of the tree, with or without a leading `/`. Symbolic links in its directories are
//! followed inside the tree, as by a process in the guest; the last component is not followed, except
//! by edits of keys, which change the file that an editor would. A
//! GLOB without any of `*?[` is such a path. With one, it is compared with the real paths of all
//! files: [`image_tree::glob`].

mod action;
mod add;
mod apply;
pub mod capabilities;
pub(super) mod fields;
mod key_files;
pub mod keys;
pub mod modules_load;
mod new;
mod options;
pub mod parse;
mod place;
mod write;

use image_tree::Tree;

use crate::blob::Blob;
use crate::error::Result;

pub use action::{Action, Edit, Files, Group};
pub(in crate::transform) use add::copy_tree;
pub use options::{Options, Report};
pub(super) use place::parent_of;

/// Applies the edits in order and drops inodes that have no name any more.
///
/// # Errors
/// The first edit that cannot be applied, with its text.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Report> {
    let mut report = Report::default();
    for edit in options.edits {
        options.interrupt.check()?;
        apply::apply_edit(tree, edit, *options, &mut report)?;
    }
    if !options.edits.is_empty() {
        super::compact(tree);
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
