//! Sources and the limits on them.

use super::case::{BAD_INPUT, Case, IO, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("tree {source}", &["/small "]),
    good("tree {dump}", &["/etc/hostname 6 100644 1 0 0 0 1600000000.0 - guest\\n -"]),
    good("tree {source} {dump}", &["/small ", "/etc/hostname "]),
    good("tree {source} --hardlinks content", &["/small "]),
    good("tree {source} --unreadable skip", &["/small "]),
    bad(USAGE, "tree - {source} -", &["standard input (-) can be one SOURCE only"]),
    bad(USAGE, "tree {source} --basedir {scratch}", &["--basedir is for dumps"]),
    bad(USAGE, "tree {source} --max-size big", &["big", "--max-size"]),
    bad(USAGE, "tree {source} --max-entries -1", &["-1"]),
    bad(USAGE, "tree", &["SOURCE"]),
    bad(USAGE, "tree {source} --unreadable maybe", &["maybe", "--unreadable"]),
    bad(USAGE, "tree {source} --hardlinks some", &["some", "--hardlinks", "content"]),
    bad(IO, "image {scratch}/no-such-source -o {out}", &["no-such-source"]),
    bad(IO, "tree {scratch}/no-such-source", &["no-such-source"]),
    bad(BAD_INPUT, "image {scratch}/garbage -o {out}", &["garbage"]),
    bad(BAD_INPUT, "image {scratch}/cut.dump -o {out}", &["cut.dump", "2"]),
];

#[test]
fn sources_are_read_or_rejected() {
    check_all(CASES);
}
