//! Owners, edits and globs, as users may type them, on a small tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use image_tree::glob::Glob;
use image_tree::{Timestamp, Tree, XattrName};
use rootcast::blob::Blob;
use rootcast::interrupt::Interrupt;
use rootcast::source::directory::{HostInode, Scanned};
use rootcast::threads::Threads;
use rootcast::transform::edit::parse::EDIT_FLAGS;
use rootcast::transform::edit::{self, Action, Edit, Options};
use rootcast::transform::own_files::OwnFiles;
use rootcast::transform::ownership::{self, Ownership};
use rootcast::xattr_filter::Filter;

use crate::input::small;
use crate::sources::dump;
use crate::{Choices, Outcome};

const PATHS: [&str; 22] = [
    "/a",
    "a/b",
    "/a/c",
    "/a/link",
    "/second",
    "/dev/null",
    "/etc/passwd",
    "/a/**",
    "/**",
    "/**/a/**",
    "/*",
    "/[a-c]*",
    "/**/*s*",
    "/?",
    "/new/x",
    "/",
    "/a/link/x",
    "\\:",
    "..",
    "/[",
    "/dev/\\*",
    "",
];

const VALUES: [&str; 33] = [
    "0755",
    "u+x,go=rX",
    "a-w",
    "7777",
    "www",
    "www:",
    ":staff",
    "0:0",
    "root:4294967295",
    "cap_net_raw+ep",
    "=p 40-p",
    "all=eip",
    "user.x=0x00ff",
    "user.x=0seA==",
    "user.y=text",
    "security.selinux=u:r:t",
    "c:1:3",
    "Unit:After=x",
    "::a",
    "600:text",
    "b:8:0:0600",
    "c:4095:1048575",
    "0750:www:staff",
    "/new/link",
    "/srv",
    ":",
    "=",
    "+",
    "\\",
    "user.x",
    "8",
    "",
    "a",
];

const OWNERS: [&str; 14] = [
    "root",
    "keep",
    "xattr",
    "7:8",
    "0:4294967295",
    "map:0:0:65536",
    "map:u:0:1000:10,g:0:0:2000,u:10:0:1",
    "map:0:100000:65536",
    "map:b:1:0:4294967295",
    "map:",
    "map:0:0",
    "1:",
    "fakeroot:",
    "",
];

/// Sets owners in a tree, then edits it.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut choices = Choices::new(bytes);
    check_glob(&mut choices);
    let mut tree: Tree<Blob> =
        small::tree().try_map_content(|bytes| Ok::<_, ()>(Blob::from(bytes))).expect("kept");
    let mut outcome = Outcome::Refused;
    if choices.rarely(2) {
        let mut source = Scanned::from(tree);
        outcome = check_owner(&mut choices, &mut source);
        tree = source.tree;
    }
    let mut edits = Vec::new();
    while !choices.is_empty() && edits.len() < 20 {
        edits.extend(edit(&mut choices));
    }
    let interrupt = Interrupt::never();
    let options = Options {
        edits: &[],
        time: Timestamp::from_seconds(0),
        threads: &Threads::single(),
        filter: Filter::NONE,
        interrupt: &interrupt,
        own: OwnFiles::default(),
    };
    // Applied individually, so that a rejected edit does not prevent the others.
    for edit in &edits {
        let mut edited = tree.clone();
        match edit::apply(&mut edited, &Options { edits: std::slice::from_ref(edit), ..options }) {
            Ok(_) => {
                check_tree(&edited);
                (tree, outcome) = (edited, Outcome::Checked);
            }
            Err(error) => assert!(error.to_string().starts_with("--"), "{error}"),
        }
    }
    outcome
}

fn check_tree(tree: &Tree<Blob>) {
    small::check_names(tree);
    let content = |blob: Blob| match blob {
        Blob::Memory(bytes) => Ok::<_, String>(bytes.to_vec()),
        other => Err(format!("{other:?}")),
    };
    dump::check_round_trip(&tree.clone().try_map_content(content).expect("contents are in memory"));
}

/// Creates an edit that does not read anything from the host.
fn edit(choices: &mut Choices<'_>) -> Option<Edit> {
    let form = choices.one_of(&EDIT_FLAGS);
    let paths = if choices.wrong() { &PATHS[..] } else { &PATHS[..16] };
    let mut text = choices.one_of(paths).as_bytes().to_vec();
    let value = match choices.up_to(15) {
        0..=13 => choices.one_of(&VALUES).as_bytes(),
        _ => choices.bytes(30),
    };
    match form.name {
        "remove" | "exclude" => {}
        "symlink" => text = [&b"target:"[..], &text].concat(),
        _ => {
            text.push(b':');
            text.extend(value);
        }
    }
    let edit = form.parse(OsStr::from_bytes(&text)).ok()?;
    (!matches!(edit.action, Action::Add { .. })).then_some(edit)
}

fn check_owner(choices: &mut Choices<'_>, source: &mut Scanned) -> Outcome {
    let text = match choices.up_to(7) {
        0..=5 => choices.one_of(&OWNERS).as_bytes().to_vec(),
        6 => [b"map:", choices.bytes(40)].concat(),
        _ => choices.bytes(40).to_vec(),
    };
    if text.starts_with(b"xattr") {
        note_owners(choices, &mut source.tree);
    }
    let Ok(mut ownership) = Ownership::parse(OsStr::from_bytes(&text)) else { return Outcome::Refused };
    match &mut ownership {
        Ownership::Fakeroot(path) => {
            let count = source.tree.inode_count() as u64;
            source.hosts = (0..count).map(|inode| HostInode { device: 0xfe00, inode }).collect();
            *path = small::file(&save(choices));
        }
        Ownership::Mtree(path) => *path = small::file(choices.bytes(200)),
        _ => {}
    }
    let options =
        ownership::Options { ownership: &ownership, default: &Ownership::Keep, hosts: &source.hosts };
    match ownership::apply(&mut source.tree, &options) {
        Ok(_) => {
            check_tree(&source.tree);
            Outcome::Checked
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Outcome::Refused
        }
    }
}

/// Creates a state file as saved by fakeroot.
fn save(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..choices.up_to(4) {
        let mode = choices.one_of(&["100644", "40755", "20600", "60600", "10644", "120777", "140777", "7"]);
        let (ino, id, rdev) = (choices.up_to(16), choices.u32(), choices.u64());
        text.extend(format!("dev=fe00,ino={ino},mode={mode},uid={id},gid=0,nlink=1,rdev={rdev}\n").bytes());
    }
    if choices.wrong() {
        text.extend(choices.bytes(60));
    }
    text
}

/// Adds the xattrs in which container tools store ownership.
fn note_owners(choices: &mut Choices<'_>, tree: &mut Tree<Blob>) {
    const STATS: [&str; 8] = [
        "1:2:0755",
        "0:0:0600:pipe",
        "0:5:0620:char-1-3",
        "1:2:0755:file",
        "1:2:040755:dir",
        "0:0:0140600",
        "::",
        "1:2:9",
    ];
    for path in ["a", "a/b", "a/b/a", "a/c", "a/link", "dev/null"] {
        let Some(id) = tree.resolve_no_symlinks(path.as_bytes()) else { continue };
        let (name, value) = match choices.up_to(5) {
            0 => ("user.containers.override_stat", choices.one_of(&STATS).as_bytes().to_vec()),
            3 => ("user.fuseoverlayfs.override_stat", choices.one_of(&STATS).as_bytes().to_vec()),
            4 => ("security.fuseoverlayfs.override_stat", choices.bytes(20).to_vec()),
            1 => ("user.rootlesscontainers", choices.bytes(20).to_vec()),
            2 => ("user.containers.override_stat", choices.bytes(20).to_vec()),
            _ => continue,
        };
        let name = XattrName::new(name).expect("a valid name");
        tree.metadata_mut(id).xattrs.insert(name, value.into());
    }
}

/// Checks a simple pattern against a direct implementation of the rules.
fn check_glob(choices: &mut Choices<'_>) {
    const PIECES: [&str; 9] = ["/**", "/a", "/*", "/?", "a", "b", "*", "?", "/*a"];
    let mut text = |pieces: &[&str]| -> Vec<u8> {
        (0..choices.up_to(10)).flat_map(|_| choices.one_of(pieces).bytes()).collect()
    };
    let pattern = text(&PIECES);
    let path = text(&["/a", "a", "b", "/b"]);
    let path = [b"/", path.strip_prefix(b"/").unwrap_or(&path)].concat();
    let Ok(glob) = Glob::parse(&pattern) else { return };
    let parts = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let expected = components_match(&parts(&pattern), &parts(&path));
    assert_eq!(glob.matches(&path), expected, "{} and {}", pattern.escape_ascii(), path.escape_ascii());
}

fn components_match(pattern: &[Vec<u8>], path: &[Vec<u8>]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == b"**" && rest.is_empty() => !path.is_empty(),
        Some((first, rest)) if first == b"**" => {
            (0..=path.len()).any(|count| components_match(rest, &path[count..]))
        }
        Some((first, rest)) => path
            .split_first()
            .is_some_and(|(name, path)| name_matches(first, name) && components_match(rest, path)),
    }
}

fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|count| name_matches(rest, &name[count..])),
        Some((b'?', rest)) => name.split_first().is_some_and(|(_, name)| name_matches(rest, name)),
        Some((byte, rest)) => name.strip_prefix(&[*byte]).is_some_and(|name| name_matches(rest, name)),
    }
}
