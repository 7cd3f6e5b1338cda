//! Whiteouts by the members of archives.

use super::*;

/// In whatever order they are: the directory is not the one behind the link.
#[test]
fn whiteouts_beneath_a_directory_that_takes_the_place_of_a_link_hide_nothing() {
    let expected = "lib/ usr/ usr/lib/ usr/lib/a:1";
    let cases: &[(&[&str], &str)] = &[
        (&[USR, "lib/ lib/.wh.a"], expected),
        (&[USR, "lib/.wh.a lib/"], expected),
        (&[USR, "lib/ lib/.wh..wh..opq"], expected),
        (&[USR, "lib/ lib/a!"], expected),
        (&[USR, "lib/ lib/d/ lib/d/.wh..wh..opq"], "lib/ lib/d/ usr/ usr/lib/ usr/lib/a:1"),
        // What leads through the link leads to the new directory.
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
