use super::super::testing::{configure, text, tree};

const SYSUSERS: &str = "/usr/lib/sysusers.d/a.conf";

#[test]
fn masters_are_copied_and_get_shadow_files_where_pwconv_is() {
    let files = [
        ("/usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/bash\nbin:*:2:2::/bin:/x\n"),
        ("/usr/share/base-passwd/group.master", "root:*:0:\nshadow:*:42:\nadm:*:4:syslog\n"),
        ("/usr/sbin/pwconv", ""),
        ("/etc/login.defs", "#PASS_MIN_DAYS 5\nPASS_MIN_DAYS\t0\nPASS_MAX_DAYS 99999\nPASS_WARN_AGE 7\n"),
    ];
    let mut whole = tree(&files);
    configure(&mut whole, "accounts").expect("it is complete");
    assert_eq!(text(&whole, "/etc/passwd"), "root:x:0:0:root:/root:/bin/bash\nbin:x:2:2::/bin:/x\n");
    assert_eq!(text(&whole, "/etc/group"), "root:x:0:\nshadow:x:42:\nadm:x:4:syslog\n");
    assert_eq!(text(&whole, "/etc/shadow"), "root:*:10:0:99999:7:::\nbin:*:10:0:99999:7:::\n");
    assert_eq!(text(&whole, "/etc/gshadow"), "root:*::\nshadow:*::\nadm:*::syslog\n");
    let shadow = whole.resolve_no_symlinks(b"/etc/shadow").map(|id| whole.get(id).metadata.clone());
    assert!(shadow.is_some_and(|metadata| (metadata.mode, metadata.gid) == (0o640, 42)));
    assert_eq!(text(&whole, "/etc/subuid"), "");

    let mut plain = tree(&files[..2]);
    configure(&mut plain, "accounts").expect("it is complete");
    assert_eq!(text(&plain, "/etc/passwd"), files[0].1);
    assert_eq!(plain.resolve_no_symlinks(b"/etc/shadow"), None);
}

#[test]
fn fixed_numbers_are_reserved_and_others_count_down() {
    let lines = "u aaa -\nu bbb 999\ng ccc -\nu ddd -:ccc \"A, b\" /home /bin/sh\nu! eee 998:0\nm aaa ccc\nm bbb ccc\n";
    let mut tree = tree(&[(SYSUSERS, lines), ("/etc/group", "root:x:0:\n"), ("/etc/passwd", "")]);
    let made = configure(&mut tree, "accounts").expect("there are numbers");
    assert_eq!(made[0].problems, [""; 0]);
    assert_eq!(
        text(&tree, "/etc/passwd"),
        "aaa:x:996:996::/:/usr/sbin/nologin\nbbb:x:999:999::/:/usr/sbin/nologin\nddd:x:995:997:A, b:/home:/bin/sh\n\
         eee:x:998:0::/:/usr/sbin/nologin\n"
    );
    assert_eq!(text(&tree, "/etc/group"), "root:x:0:\nccc:x:997:aaa,bbb\naaa:x:996:\nbbb:x:999:\n");
    assert_eq!(text(&tree, "/etc/group-"), "root:x:0:\n");
    let shadow = text(&tree, "/etc/shadow");
    assert!(shadow.starts_with("aaa:!*:10::::::\n") && shadow.ends_with("eee:!*:10:::::1:\n"), "{shadow}");
    assert_eq!(text(&tree, "/etc/gshadow"), "ccc:!*::aaa,bbb\naaa:!*::\nbbb:!*::\n");
    let made = configure(&mut tree, "accounts").expect("there are numbers");
    assert!(made[0].paths.is_empty() && made[0].problems.is_empty(), "{made:?}");
}

#[test]
fn conflicts_are_reported_and_the_first_declaration_counts() {
    let lines =
        "u x 5\nu x 6\nu y 5\nu z 7:8\nu 0bad -\ng g - comment\nq x\nu v %v\nu w - a:b\nr - 10-5\nu x 5\n";
    let mut tree = tree(&[(SYSUSERS, lines), ("/etc/passwd", "root:x:0:0::/root:/bin/sh\n+\n")]);
    let made = configure(&mut tree, "accounts").expect("there are numbers");
    let expected = [
        "a.conf:2: x is declared in another way in /usr/lib/sysusers.d/a.conf:1, which counts",
        "a.conf:5: \"0bad\" is not a name",
        "a.conf:6: \"comment\" is a field that its type does not have",
        "a.conf:7: \"q\" is not a type of sysusers.d",
        "a.conf:8: %v is a property of the machine",
        "a.conf:9: \"a:b\" cannot be a field of passwd(5)",
        "a.conf:10: the range 10-5 is empty",
        "a.conf:3: the user y has the number 999 and not 5, 5 is that of x",
        "a.conf:4: z is not added: no group has the number 8",
    ];
    let problems = &made[0].problems;
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem} is not {expected}");
    }
    let passwd = text(&tree, "/etc/passwd");
    assert!(passwd.ends_with("y:x:999:999::/:/usr/sbin/nologin\n+\n"), "{passwd}");
}

#[test]
fn a_range_that_is_full_is_an_error_that_names_it() {
    let mut full = tree(&[(SYSUSERS, "r - 20-21\nu a -\nu b -\nu c -\n")]);
    let error = configure(&mut full, "accounts").expect_err("it is full").to_string();
    assert!(error.contains("no free number for the group c: all of 20-21 are used"), "{error}");
}

#[test]
fn files_of_etc_hide_others_and_a_path_gives_its_owner() {
    let mut tree = tree(&[
        (SYSUSERS, "u hidden -\n"),
        ("/etc/sysusers.d/a.conf", "-> /dev/null"),
        ("/usr/lib/sysusers.d/b.conf", "u owner /var/x\nu gone /var/y\n"),
        ("/var/x", ""),
    ]);
    let id = tree.resolve_no_symlinks(b"/var/x").expect("it exists");
    let metadata = tree.metadata_mut(id);
    (metadata.uid, metadata.gid) = (77, 78);
    configure(&mut tree, "accounts").expect("there are numbers");
    let nologin = "/usr/sbin/nologin";
    assert_eq!(
        text(&tree, "/etc/passwd"),
        format!("owner:x:77:78::/:{nologin}\ngone:x:999:999::/:{nologin}\n")
    );
}
