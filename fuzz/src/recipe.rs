//! Recipes in TOML, and the equivalent command lines.

use std::ffi::OsString;

use rootcast::cli;
use rootcast::recipe::file;

use crate::input::small;
use crate::{Choices, Outcome};

const LINES: [&str; 34] = [
    "source = \"rootfs\"",
    "source = [\"base.tar\", 'overlay']",
    "owner = \"root\"",
    "owner = 'map:0:100000:65536'",
    "size = \"1G\"",
    "size = 1073741824",
    "free = '10%'",
    "reserved = 5",
    "reserved = -1",
    "quiet = true",
    "quiet = false",
    "output = 'disk.img'",
    "layout = 'gpt'",
    "layout = \"\"",
    "label = 'é'",
    "inodes = 0x10",
    "seed = '9171e420-4280-8224-8d4f-4eea40d7e99f'",
    "source-date-epoch = 0",
    "recipe = 'x'",
    "help = true",
    "file-contexts = 'auto'",
    "unreadable = 'skip'",
    "max-size = '1K'",
    "max-entries = 1_000",
    "whiteouts = 'apply'",
    "keep-directory-symlink = true",
    "mkdir = '/x'",
    "a.b = 1",
    "a = 1979-05-27",
    "a = [[1]]",
    "# é",
    "",
    "json = true",
    "dry-run = true",
];

const EDITS: [&str; 16] = [
    "mkdir = \"/srv:0750:0:0\"",
    "remove = '/x'",
    "exclude = '/**/*.pyc'",
    "add = 'a:/b'",
    "symlink = '/a:/b'",
    "mknod = '/dev/null:c:1:3'",
    "chmod = '/a:u+x'",
    "chown = '/a:0:0'",
    "setcap = '/a:cap_net_raw+ep'",
    "xattr = '/a:user.x=0x00'",
    "",
    "mkdir = 1",
    "a = 'b'",
    "mkdir = '/a', remove = '/b'",
    "mkdir = []",
    "quiet = true",
];

/// Parses arbitrary text as a recipe, then again as the command line does.
pub fn check(text: &[u8]) -> Outcome {
    let Ok(string) = std::str::from_utf8(text) else { return Outcome::Refused };
    let entries = file::parse(string);
    match &entries {
        Ok(entries) => entries.iter().for_each(|entry| check_position(string, entry.position)),
        Err(error) => {
            assert!(!error.what.is_empty());
            check_position(string, error.position);
        }
    }
    // Each entry is parsed as a command line of its own, which takes most of the time.
    const MAX_ENTRIES: usize = 8;
    if entries.as_ref().is_ok_and(|entries| entries.len() > MAX_ENTRIES) {
        return Outcome::Checked;
    }
    let arguments = ["rootcast", "tree", "--recipe"].map(OsString::from);
    let arguments = arguments.into_iter().chain([small::file(text).into_os_string()]);
    match cli::parse(arguments) {
        Ok(request) => {
            assert!(entries.is_ok(), "no recipe is taken for one: {request:?}");
            assert!(!format!("{request:?}").is_empty());
        }
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{error:?}");
            assert!(!error.render().ansi().to_string().is_empty());
        }
    }
    if entries.is_ok() { Outcome::Checked } else { Outcome::Refused }
}

/// Checks that the line is within the text, and the column within the line or just behind it.
fn check_position(text: &str, position: file::Position) {
    let line = position.line.checked_sub(1).and_then(|line| text.split('\n').nth(line));
    let line = line.unwrap_or_else(|| panic!("{position:?} is in no line"));
    let columns = 1..=line.chars().count() + 1;
    assert!(columns.contains(&position.column), "{position:?} is behind its line");
}

/// Creates a recipe from valid lines.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const MAX_LINES: usize = 8;
    let mut choices = Choices::new(bytes);
    // A key may occur only once, so lines are taken in their order.
    let mut text = String::new();
    let step = choices.up_to(7);
    let mut at = choices.index(LINES.len());
    for _ in 0..choices.index(MAX_LINES) {
        let word = if choices.wrong() { at } else { at % 18 };
        if !(text.contains(LINES[word].split(' ').next().unwrap_or_default())) || choices.wrong() {
            text = format!("{text}{}\n", LINES[word]);
        }
        at = (at + 1 + usize::try_from(step).expect("small")) % LINES.len();
    }
    let good = |choices: &mut Choices<'_>| {
        if choices.wrong() { choices.one_of(&EDITS) } else { choices.one_of(&EDITS[..10]) }
    };
    let count = choices.up_to(4);
    if choices.rarely(2) {
        let edits: Vec<String> = (0..count).map(|_| format!("    {{ {} }},\n", good(&mut choices))).collect();
        text = format!("{text}edits = [\n{}]\n", edits.concat());
    } else {
        for _ in 0..count {
            text = format!("{text}[[edits]]\n{}\n", good(&mut choices));
        }
    }
    text.into_bytes()
}
