//! Recipes: files of flags.

use super::case::{Case, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("initrd --recipe {scratch}/initrd.toml -o {out} -q --mode 600", &[]),
    // Recipes; flags on the command line take precedence, and their edits come after.
    good("tree --recipe {scratch}/recipe.toml", &["/from-recipe 0 40700 2 3 4 "]),
    good("tree --recipe {scratch}/recipe.toml --mkdir /from-recipe:0711", &["/from-recipe 0 40711 2 3 4 "]),
    good("tree {source} --recipe {scratch}/sourceless.toml", &["/small ", "/from-recipe "]),
    good("image {source} --recipe {scratch}/image.toml -o {out}", &[]),
    good("image {source} --recipe {scratch}/image.toml -o {out} --size 16M", &[]),
    good(
        "image {source} --recipe {scratch}/measured.toml --dry-run --json",
        &["\"salt\": \"00ff\"", "\"data_block_size\": 1024", "\"layout\": \"kata\""],
    ),
    good("tree {dump} --recipe {scratch}/keep.toml", &["/etc/hostname "]),
    bad(USAGE, "tree {source} --recipe {scratch}/no-such-recipe", &["no-such-recipe"]),
    bad(
        USAGE,
        "tree {source} --recipe {scratch}/unknown.toml",
        &["unknown.toml: line 2, column 1", "colour"],
    ),
    bad(USAGE, "tree {source} --recipe {scratch}/value.toml", &["value.toml: line 1, column 1", "many"]),
    bad(USAGE, "tree {source} --recipe {scratch}/edit.toml", &["edit.toml: line 3, column 5", "/x:9"]),
    bad(
        USAGE,
        "tree --recipe {scratch}/number.toml",
        &["number.toml: line 2, column 1", "\"source\" takes a text", "quotation marks"],
    ),
    bad(USAGE, "tree {dump} --recipe {scratch}/edit-number.toml", &["line 1", "\"remove\" takes a text"]),
];

#[test]
fn recipes_are_equivalent_to_flags() {
    check_all(CASES);
}
