//! Markers of overlayfs and of fuse-overlayfs.

use super::*;

/// Adds members one by one, or as a tree.
fn upper(
    sources: &[&str],
    members: &[Member<Text>],
    rules: Rules,
    as_tree: bool,
) -> Result<Tree<Text>, AddError> {
    let mut stack = Stack::new(rules);
    for (index, words) in sources.iter().enumerate() {
        add(&mut stack, self::members(words, index + 1))?;
    }
    if as_tree {
        let mut alone = Stack::new(Rules { whiteouts: Whiteouts::Keep, ..rules });
        add(&mut alone, members.to_vec())?;
        stack.add_tree(alone.finish())?;
    } else {
        add(&mut stack, members.to_vec())?;
    }
    Ok(stack.finish())
}

#[test]
fn overlayfs_markers_are_applied_and_dropped() {
    for as_tree in [false, true] {
        for prefix in ["trusted.overlay.", "user.overlay."] {
            let opaque = with_xattr(member("d/", 2), &format!("{prefix}opaque"), "y");
            let file = with_xattr(member("d/n", 2), &format!("{prefix}origin"), "x");
            let tree = upper(&[D], &[opaque, file], APPLY, as_tree).expect("a source");
            assert_eq!(shown(&tree), "d/ d/n:2");
            assert!(tree.walk().all(|step| tree.get(step.id).metadata.xattrs.is_empty()));

            let not_opaque = with_xattr(member("d/", 2), &format!("{prefix}opaque"), "x");
            let whiteout = with_xattr(member("d/old", 2), &format!("{prefix}whiteout"), "y");
            let tree = upper(&[D], &[not_opaque.clone(), whiteout], APPLY, as_tree).expect("a source");
            assert_eq!(shown(&tree), "d/ d/s/ d/s/x:1");

            for needed in ["redirect", "metacopy"] {
                let name = format!("{prefix}{needed}");
                let file = with_xattr(member("d/n", 2), &name, "");
                let error = upper(&[D], &[not_opaque.clone(), file.clone()], APPLY, as_tree);
                let needed = AddError::Overlay(name);
                let expected = match as_tree {
                    true => AddError::At { path: b"/d/n".to_vec(), source: Box::new(needed) },
                    false => needed,
                };
                assert_eq!(error.expect_err("the contents are in another layer"), expected);
                upper(&[D], &[not_opaque.clone(), file], DEFAULT, as_tree).expect("it is kept");
            }
        }
        // An opaque directory over a link replaces it.
        let opaque = with_xattr(member("lib/", 2), "trusted.overlay.opaque", "y");
        let tree = upper(&[USR], std::slice::from_ref(&opaque), APPLY, as_tree).expect("a source");
        assert_eq!(shown(&tree), "lib/ usr/ usr/lib/ usr/lib/a:1");
        let rules = Rules { keep_directory_symlink: true, ..APPLY };
        let tree = upper(&[USR], &[opaque], rules, as_tree).expect("a source");
        assert_eq!(shown(&tree), "lib->usr/lib usr/ usr/lib/");
    }
}

#[test]
fn opaque_directories_of_fuse_overlayfs_hide_earlier_entries() {
    for as_tree in [false, true] {
        for (value, expected) in [("y", "d/ d/n:2"), ("x", "d/ d/n:2 d/old:1 d/s/ d/s/x:1")] {
            let directory = with_xattr(member("d/", 2), "user.fuseoverlayfs.opaque", value);
            let file = with_xattr(member("d/n", 2), "user.fuseoverlayfs.origin", "x");
            let tree = upper(&[D], &[directory, file], APPLY, as_tree).expect("a source");
            assert_eq!(shown(&tree), expected);
            assert!(tree.walk().all(|step| tree.get(step.id).metadata.xattrs.is_empty()));
        }
        // This one records an owner.
        let owned = with_xattr(member("d/n", 2), "user.fuseoverlayfs.override_stat", "0:0:755");
        let tree = upper(&[D], &[owned], APPLY, as_tree).expect("a source");
        let file = tree.get(tree.resolve_no_symlinks(b"/d/n").expect("it is there"));
        assert_eq!(file.metadata.xattrs.len(), 1);
    }
}
