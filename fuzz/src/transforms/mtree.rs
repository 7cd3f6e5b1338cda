//! Manifests for a small tree.

use rootcast::transform::ownership::mtree;

use crate::input::small;
use crate::sources::dump;
use crate::{Choices, Outcome};

const PATHS: [&str; 22] = [
    ".",
    "..",
    "a",
    "b",
    "c",
    "link",
    "etc",
    "passwd",
    "dev",
    "null",
    "./a",
    "./a/b",
    "a/b/a",
    "a/c",
    "a/link",
    "./dev/sda",
    "./second",
    "a\\057b",
    "\\141",
    "./x\\040y",
    "a/",
    "\\",
];

const KEYWORDS: [&str; 40] = [
    "uid=0",
    "gid=0",
    "uid=4294967294",
    "uid=4294967295",
    "uid=",
    "uname=www",
    "uname=root",
    "uname=nobody",
    "gname=staff",
    "gname=root",
    "gname=\\162oot",
    "mode=0755",
    "mode=4755",
    "mode=u+s,go=rX",
    "mode=g=u",
    "mode=9",
    "type=dir",
    "type=file",
    "type=link",
    "type=char",
    "type=block",
    "type=fifo",
    "type=socket",
    "link=b",
    "link=/a/c",
    "optional",
    "nochange",
    "ignore",
    "size=3",
    "time=1.000000000",
    "time=-1.5",
    "nlink=2",
    "sha256=00ff",
    "md5digest=",
    "flags=uarch,schg",
    "device=native,1,3",
    "cksum=1",
    "inode=7",
    "tags=a,b",
    "=",
];

/// Applies arbitrary text, which may change owners and modes only.
pub fn check(text: &[u8]) -> Outcome {
    let mut tree = small::tree();
    let before = small::shape(&tree);
    let result = mtree::apply(text, &mut tree);
    assert!(small::shape(&tree) == before, "more than owners and modes changed");
    match result {
        Ok(()) => {
            dump::check_round_trip(&tree);
            Outcome::Checked
        }
        Err(error) => {
            assert!(error.to_string().starts_with("line "), "{error}");
            Outcome::Refused
        }
    }
}

/// Creates a manifest whose lines mostly fit the tree.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const MAX_LINES: usize = 40;
    let mut choices = Choices::new(bytes);
    let mut text = b"#mtree\n".to_vec();
    for _ in 0..MAX_LINES {
        if choices.is_empty() {
            break;
        }
        line(&mut choices, &mut text);
    }
    text
}

fn line(choices: &mut Choices<'_>, text: &mut Vec<u8>) {
    /// Keywords that are valid for any file of the tree, or for the first paths.
    const FITTING: [&str; 10] = [
        "uid=0",
        "gid=0",
        "uname=www",
        "gname=staff",
        "mode=0755",
        "mode=u+s,go=rX",
        "optional",
        "nochange",
        "time=1.0",
        "size=3",
    ];
    let wrong = choices.wrong();
    let first = match choices.up_to(7) {
        0 => "/set",
        1 => choices.one_of(&["/unset all", "/unset uid", "/unset mode", "# x"]),
        _ if wrong => choices.one_of(&PATHS),
        _ => choices.one_of(&PATHS[10..17]),
    };
    text.extend(first.bytes());
    if !first.starts_with("/unset") {
        for _ in 0..choices.up_to(3) {
            let separator = if choices.rarely(8) { " \\\n  " } else { " " };
            text.extend(separator.bytes());
            let word = if wrong { choices.one_of(&KEYWORDS) } else { choices.one_of(&FITTING) };
            text.extend(word.bytes());
        }
    }
    text.push(b'\n');
}
