//! Whiteouts by the members of archives.

use super::*;

/// The results of umoci 0.4.7 for these layers, except where noted. Of six programs only this one
/// applies whiteouts first and keeps the files of their own layer, as the OCI image specification
/// requires.
const WHITEOUTS: &[(&[&str], &str)] = &[
    (&["d/ d/a d/b", "d/.wh.a"], "d/ d/b:1"),
    (&[D, ".wh.d"], ""),
    (&[D, ".wh.d d/ d/new"], "d/ d/new:2"),
    (&[D, "d/ d/new .wh.d"], "d/ d/new:2"),
    (&[D, ".wh.d d/new"], "d/ d/new:2"),
    (&[D, "d/new .wh.d"], "d/ d/new:2"),
    (&["f", ".wh.f f"], "f:2"),
    (&["f", "f .wh.f"], "f:2"),
    (&["k", "g .wh.g"], "g:2 k:1"),
    (&[D, "d/s/y d/.wh.s"], "d/ d/old:1 d/s/ d/s/y:2"),
    (&[D, "d/ d/.wh..wh..opq d/new d/s/ d/s/y"], "d/ d/new:2 d/s/ d/s/y:2"),
    (&[D, "d/ d/new d/s/ d/s/y d/.wh..wh..opq"], "d/ d/new:2 d/s/ d/s/y:2"),
    (&[D, "d/.wh..wh..opq"], "d/"),
    (&[D, "d/s/y d/.wh..wh..opq"], "d/ d/s/ d/s/y:2"),
    (&["k d/", ".wh..wh..opq n"], "n:2"),
    (&["k d/", "n .wh..wh..opq"], "n:2"),
    (&[D, "d/ d/.wh..wh..opq d/.wh.old d/new"], "d/ d/new:2"),
    (&["k", ".wh.none"], "k:1"),
    (&["h1 h2=h1", ".wh.h1"], "h2:1"),
    (&[D, ".wh.d/"], ""),
    (&[D, ".wh.d->x"], ""),
    (&[D, "k .wh.d=k"], "k:2"),
    (&["real/ real/a lnk->real", ".wh.lnk"], "real/ real/a:1"),
    (&["k", ".wh..wh.aufs .wh..wh.orph/ n"], "k:1 n:2"),
    (&["d/ d/k", "d/.wh..wh.foo"], "d/ d/k:1"),
    (&["f", ".wh.f", "f"], "f:3"),
    (&[".wh.x k"], "k:1"),
    // umoci leaves the directory.
    (&[".wh..wh.plnk/ .wh..wh.plnk/1 p1=.wh..wh.plnk/1 p2=.wh..wh.plnk/1 k"], "k:1 p1:1 p2=p1"),
    // umoci creates a device; it is a whiteout on overlayfs.
    (&["f k", "f!"], "k:1"),
];

#[test]
fn whiteouts_hide_files_of_earlier_sources_only() {
    check(WHITEOUTS, APPLY, stacked);
    check(WHITEOUTS, APPLY, stacked_trees);
    let cases: &[(&[&str], &str)] = &[
        // Directories without a member: in a tree they exist, and would be added.
        (&["k", "none/.wh..wh..opq"], "k:1"),
        (&["k", "no/such/.wh.x"], "k:1"),
        (&["k", "k/.wh.x"], "k:1"),
        (&["l->l", "l/.wh.x"], "l->l"),
        (&[D, ".wh.d d/.wh.old"], ""),
        (&["real/ real/a real/b lnk->real", "lnk/.wh.a"], "lnk->real real/ real/b:1"),
        (&["real/ real/a lnk->real", "lnk/.wh..wh..opq"], "lnk->real real/"),
        (&["k", ".wh.q/file"], ".wh.q/ .wh.q/file:2 k:1"),
        // A hidden file can still be the target of a link.
        (&["f", ".wh.f g=f"], "g:1"),
        (&["f", "g=f .wh.f"], "g:1"),
        (&["d/ d/f", ".wh.d d/ g=d/f"], "d/ g:1"),
        (&["d/ d/f", "d/.wh..wh..opq g=d/f"], "d/ g:1"),
        (
            &["k", "d/.wh."],
            "is a whiteout of \"\", which cannot be the name of a file; --whiteouts keep keeps it as a file",
        ),
        (
            &["k", ".wh.."],
            "is a whiteout of \".\", which cannot be the name of a file; --whiteouts keep keeps it as a file",
        ),
        (
            &["k", ".wh..."],
            "is a whiteout of \"..\", which cannot be the name of a file; --whiteouts keep keeps it as a file",
        ),
    ];
    check(cases, APPLY, stacked);
    let error = stacked_trees(&["k", "d/.wh."], APPLY).expect_err("no file has that name");
    let source = Box::new(AddError::Whiteout(Vec::new()));
    assert_eq!(error, AddError::At { path: b"/d/.wh.".to_vec(), source });
}

#[test]
fn whiteouts_beneath_kept_links_apply_to_the_target() {
    let rules = Rules { keep_directory_symlink: true, ..APPLY };
    let cases: &[(&[&str], &str)] = &[(&[USR, "lib/ lib/.wh.a"], "lib->usr/lib usr/ usr/lib/")];
    check(cases, rules, stacked);
    check(cases, rules, stacked_trees);
}

/// In whatever order they are: the directory is not the one behind the link.
#[test]
fn whiteouts_beneath_a_directory_that_replaces_a_link_hide_nothing() {
    let expected = "lib/ usr/ usr/lib/ usr/lib/a:1";
    let cases: &[(&[&str], &str)] = &[
        (&[USR, "lib/ lib/.wh.a"], expected),
        (&[USR, "lib/.wh.a lib/"], expected),
        (&[USR, "lib/ lib/.wh..wh..opq"], expected),
        (&[USR, "lib/ lib/a!"], expected),
        (&[USR, "lib/ lib/d/ lib/d/.wh..wh..opq"], "lib/ lib/d/ usr/ usr/lib/ usr/lib/a:1"),
        // A path through the link leads to the new directory.
        (&[USR, "lib/ usr/.wh.lib"], "lib/ usr/"),
        (&["d/ d/f l->d m->l", "l/ m/.wh.f"], "d/ d/f:1 l/ m->l"),
    ];
    check(cases, APPLY, stacked);
    check(&cases[..6], APPLY, stacked_trees);
    let kept = Rules { keep_directory_symlink: true, ..APPLY };
    check(&[(&[USR, "lib/ lib/.wh..wh..opq"], "lib->usr/lib usr/ usr/lib/")], kept, stacked);
}

/// The kernel makes the whiteouts of an upper directory hard links to one device.
#[test]
fn hard_links_to_whiteouts_are_whiteouts() {
    let cases: &[(&[&str], &str)] = &[
        (&["f g k", "f! g=f"], "k:1"),
        (&["f g d/ d/h k", "f! g=f d/h=./f"], "d/ k:1"),
        (&["f g k", "f! g=f k=g"], ""),
        (&["k", "f! g=f"], "k:1"),
        (&["f g k", "f! g=f g"], "g:2 k:1"),
    ];
    check(cases, APPLY, stacked);
    check(&cases[..4], APPLY, stacked_trees);
    // The link is to the file that its own source has at the path.
    check(&[(&["f g k", "f! f g=f"], "f:2 g=f k:1")], APPLY, stacked);
    // Kept as they are, they are a device.
    check(&[(&["f g k", "f! g=f"], "f! g=f k:1")], DEFAULT, stacked);
}
