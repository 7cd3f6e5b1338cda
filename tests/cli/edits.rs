//! Edits of the tree.

use super::case::{BAD_INPUT, Case, IO, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    // Edits, in their order across flags.
    good("tree {dump} --remove /etc --mkdir /etc:0700", &["/etc 0 40700 2 0 0 0 0.0 - - -"]),
    good(
        "tree {dump} --mkdir /srv:1777:33:34 --symlink /srv:/data --mknod /null:c:1:3:666 --chmod /etc/*:u+x \
         --chown /etc/hostname:5 --xattr /srv:user.by=me --exclude /none/**",
        &[
            "/srv 0 41777 2 33 34 ",
            "user.by=me",
            "/data 4 120777 ",
            "/null 0 20666 1 0 0 259 ",
            "/etc/hostname 6 100744 1 5 ",
        ],
    ),
    good("tree {dump} --setcap /etc/hostname:cap_net_raw+ep", &["security.capability="]),
    good("tree {dump} --add {source}/small:/opt/", &["/opt 0 40755 ", "/opt/small "]),
    good(
        "tree {dump} --write /etc/hostname:x --write /a/b:600:c",
        &["/etc/hostname 1 100644 ", "/a/b 1 100600 "],
    ),
    good("tree {dump} --write /u:[S] --set-key /u:S:A=1 --add-key /u:S:A=2", &["- [S]\\nA=1\\nA=2\\n"]),
    good("tree {dump} --write /u:A=1 --remove-key /u::A", &["/u 0 100644 "]),
    bad(BAD_INPUT, "tree {dump} --set-key /etc/hostname:S:A=1", &["/etc/hostname has no section [S]"]),
    bad(BAD_INPUT, "tree {dump} --remove-key /none:S:A", &["/none is not in the tree"]),
    bad(USAGE, "tree {source} --chmod /x:9", &["--chmod", "/x:9"]),
    bad(USAGE, "tree {source} --mknod /x:q:1:2", &["PATH:c|b:MAJOR:MINOR"]),
    bad(USAGE, "tree {source} --setcap /x:cap_flight+ep", &["cap_flight"]),
    bad(BAD_INPUT, "tree {dump} --remove /none*", &["--remove /none*: nothing in the tree matches"]),
    bad(
        BAD_INPUT,
        "tree {dump} --mknod /etc/hostname/x:c:1:3",
        &["--mknod /etc/hostname/x:c:1:3: /etc/hostname is not a directory"],
    ),
    bad(BAD_INPUT, "tree {dump} --mkdir /etc/hostname/x/", &["/etc/hostname is not a directory"]),
    good("tree {dump} --mkdir //a//b/", &["/a/b 0 40755 "]),
    bad(IO, "tree {dump} --add {scratch}/no-such-file:/x", &["no-such-file"]),
];

#[test]
fn edits_change_the_tree_in_their_order() {
    check_all(CASES);
}
