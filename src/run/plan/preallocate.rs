//! Allocation of the output while the tree is read.

use crate::output::{Destination, Preallocation};
use crate::recipe::TreeRecipe;
use crate::transform::hardlinks;

/// Allocates blocks of the output while the tree is read, from byte `start` on, if that saves time
/// and all files that are found will be copied behind it.
pub(super) fn preallocate(
    destination: Option<&Destination>,
    tree: &TreeRecipe,
    start: u64,
) -> Option<Preallocation> {
    let is_whole = tree.keep.is_none()
        && tree.edits.is_empty()
        && tree.sources.len() == 1
        && tree.hardlinks != hardlinks::Policy::Content;
    // A single thread is faster without it.
    let helps = is_whole && tree.threads.count() > 1;
    destination.filter(|_| helps).and_then(|destination| Preallocation::begin(destination, start))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::closure::Keep;
    use crate::closure::Request;
    use crate::output::DestinationOptions;
    use crate::recipe::keep::{KeepRecipe, MissingRules};
    use crate::transform::accounts::Accounts;
    use crate::transform::edit::parse::EDIT_FLAGS;
    use crate::transform::ownership::Ownership;

    fn recipe(sources: &[&str], threads: usize) -> TreeRecipe {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        TreeRecipe::new(sources.iter().copied(), threads)
    }

    fn keep() -> KeepRecipe {
        let keep = Keep::paths(vec![Request::Path(b"/usr/bin/sh".to_vec())]);
        KeepRecipe { keep, missing: MissingRules::default(), accounts: Accounts::All }
    }

    #[test]
    fn output_is_preallocated_only_if_every_file_of_the_source_is_copied() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory can be made");
        let output = Destination::open(&directory.path().join("image"), DestinationOptions::default());
        let output = Some(&output.expect("the directory is there"));
        let exclude = EDIT_FLAGS.iter().find(|form| form.name == "exclude").expect("an edit");
        let edits = vec![exclude.parse("/usr".as_ref()).expect("a path")];
        let plain = || recipe(&["source"], 2);
        let whole = [
            plain(),
            TreeRecipe { hardlinks: hardlinks::Policy::Break, ..plain() },
            TreeRecipe { one_file_system: true, ..plain() },
            TreeRecipe { ownership: Some(Ownership::Root), ..plain() },
        ];
        for recipe in whole {
            assert!(preallocate(output, &recipe, 0).is_some(), "{recipe:?}");
            assert!(preallocate(None, &recipe, 0).is_none(), "nothing is written");
        }
        let partial = [
            recipe(&["source", "other"], 2),
            TreeRecipe { hardlinks: hardlinks::Policy::Content, ..plain() },
            TreeRecipe { edits, ..plain() },
            TreeRecipe { keep: Some(keep()), ..plain() },
            recipe(&["source"], 1),
        ];
        for recipe in partial {
            assert!(preallocate(output, &recipe, 0).is_none(), "{recipe:?}");
        }
    }
}
