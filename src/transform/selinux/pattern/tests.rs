use super::super::compiled::{Compiled, Limits};
use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    match Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")) {
        Pattern::Exact(exact) => exact == path.as_bytes(),
        Pattern::Regex { prefix, source } => {
            let shown = source.clone();
            let found = Compiled::new(Limits::DEFAULT).is_match(0, || Ok(source), path.as_bytes());
            let found = found.unwrap_or_else(|error| panic!("{pattern} as {shown}: {error}"));
            path.as_bytes().starts_with(&prefix) && found
        }
    }
}

/// One row for each pattern: paths that match, and paths that do not.
const MATCHES: &[(&str, &[&str], &[&str])] = &[
    ("/etc/shadow", &["/etc/shadow"], &["/etc/shadow-", "/etc/shado", "/etc/shadow\n"]),
    (r"/etc/a\.b\-c", &["/etc/a.b-c"], &["/etc/axb-c"]),
    ("/usr(/.*)?", &["/usr", "/usr/", "/usr/a\nb"], &["/usrx", "/us"]),
    (r"/a?quota\.(user|group)", &["/aquota.user", "/quota.group"], &["/quotaxuser", "/xquota.user"]),
    ("/[^/]+", &["/a", "/a\n", "/a&&b"], &["/", "/a/b"]),
    ("/.*", &["/", "/a"], &["a"]),
    // One newline may follow a match, as `$` allows.
    ("/a+", &["/a", "/aa\n"], &["/a\n\n", "/"]),
    // Nested sets and operators are specific to the other engine: here they are bytes.
    ("/[[a]x?", &["/[", "/a", "/[x"], &["/]"]),
    ("/[a&&b]", &["/a", "/b", "/&"], &["/c"]),
    ("/[]a]", &["/]", "/a"], &["/"]),
    ("/[^]a]", &["/b"], &["/]", "/a"]),
    ("/[a-]", &["/a", "/-"], &["/b"]),
    (r"/[\w.-]+", &["/a_9.-"], &["/+"]),
    ("/[[:digit:]x]", &["/1", "/x"], &["/:", "/d"]),
    ("/[a~~b]", &["/~"], &[]),
    ("/a{2}", &["/aa"], &["/a", "/aaa", "/a{2}"]),
    ("/a{2,}b", &["/aab", "/aaab"], &["/ab"]),
    ("/a{b}.", &["/a{b}c"], &["/abc"]),
    ("/a{.", &["/a{c"], &["/ac"]),
    ("/x*?y", &["/y", "/xxy"], &["/z"]),
    (r"/\d+", &["/12"], &["/a", "/\u{661}"]),
    // A branch is anchored only at its own end, and none is tried outside the leading directory.
    ("/a/b|/c/d", &["/a/b", "/a/bx", "/a/c/d"], &["/c/d", "/x/c/d"]),
    ("/usr/?", &["/usr/"], &["/usr"]),
    ("/usr/?lib/.*", &["/usr/lib/x"], &["/usrlib/x"]),
    ("/ab?/c", &["/a/c", "/ab/c"], &["/b/c"]),
];

#[test]
fn patterns_match_as_in_pcre2() {
    for (pattern, good, bad) in MATCHES {
        for path in *good {
            assert!(matches(pattern, path), "{pattern} does not match {path:?}");
        }
        for path in *bad {
            assert!(!matches(pattern, path), "{pattern} matches {path:?}");
        }
    }
}

#[test]
fn every_match_begins_with_the_prefix() {
    for (pattern, expected) in [
        ("/usr/lib(/.*)?", "/usr/lib"),
        ("/usr/lib/?", "/usr/lib/"),
        ("/usr/bi*n", "/usr/b"),
        ("/usr/bi+n", "/usr/bi"),
        ("/usr/bi{0,1}n", "/usr/b"),
        (r"/a\.b.", "/a.b"),
        ("/a|/b", ""),
        ("/a/b|/c", "/a/"),
        ("/(a|b)", "/"),
        (".*", ""),
    ] {
        let Ok(Pattern::Regex { prefix, .. }) = Pattern::parse(pattern) else {
            panic!("{pattern} is not a regex");
        };
        assert_eq!(String::from_utf8_lossy(&prefix), expected, "{pattern}");
    }
}

#[test]
fn refuses_invalid_patterns() {
    for (pattern, message) in [
        ("/a(b", "at byte 4: a ( is not closed"),
        ("/a)b.", "at byte 2: a ) closes nothing"),
        ("/a[b", "at byte 2: a [ is not closed"),
        ("/a[]", "at byte 2: a [ is not closed"),
        ("/[z-a]", "at byte 2: a range is from more to less"),
        ("/[a-\\d]", "at byte 3: a range ends with a set"),
        ("/[[:odd:]]", "at byte 2: [:odd:] is not a set of bytes"),
        ("*", "at byte 0: * repeats nothing"),
        ("/(|+)", "at byte 3: + repeats nothing"),
        ("/a**", "at byte 3: * repeats a repetition"),
        ("/a*+", "at byte 2: *+ is not supported"),
        ("/a(?=b)", "at byte 2: (?= is not supported, only (?: is"),
        ("/(a)\\1", "at byte 4: \\1 is not supported"),
        ("/.\\", "at byte 2: a \\ is last"),
        ("/a{3,2}", "at byte 2: {3,2} is from more to less"),
        ("/a{65536}", "at byte 2: {65536} is more than 65535 times"),
        ("/a{,2}", "at byte 2: {,2} depends on the version of PCRE2; give {0,2}"),
    ] {
        let error = Pattern::parse(pattern).expect_err(pattern);
        assert_eq!(error.to_string(), message, "{pattern}");
    }
    assert!(Pattern::parse(&"(".repeat(1000)).is_err());
    assert!(Pattern::parse(&format!("/{}", "a".repeat(4095))).is_err());
}
