//! Hard cases of layers, each an image of its own, and the trees they make.
//!
//! `cases.txt` has their members, `trees.txt` the results: the rules of the OCI image specification,
//! as umoci applies them. Where programs differ, the text of [`rootcast::source::container`] decides.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use image_tree::dump::{self, Body};
use image_tree::{Content as _, InodeId, Timestamp, Tree};
use rootcast::blob::Blob;
use rootcast::interrupt::Interrupt;
use rootcast::source::{self, ReadOptions, Source};
use rootcast::threads::Threads;

use super::layout::{Layer, Layout, Member, gzip, oci, tar};
use crate::judges;
use crate::product::{Scratch, run};

const CASES: &str = include_str!("cases.txt");
const TREES: &str = include_str!("trees.txt");

/// A layer of a case: members, or a special one.
enum Given {
    Members(Vec<Member>),
    Special(String),
}

/// Parses `%XX`.
fn unescape(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [byte, tail @ ..] = rest {
        (rest, _) = match (byte, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("digits");
                out.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
                (after, ())
            }
            _ => {
                out.push(*byte);
                (tail, ())
            }
        };
    }
    out
}

fn member(line: &str) -> Member {
    let mut words = line.split(' ');
    let flag = match words.next().expect("a type") {
        "d" => b'5',
        "f" => b'0',
        "l" => b'2',
        "h" => b'1',
        "c" => b'3',
        "b" => b'4',
        "p" => b'6',
        "g" => b'g',
        other => panic!("{other}"),
    };
    let path = if flag == b'g' { Vec::new() } else { unescape(words.next().expect("a path")) };
    let mut member = Member::new(flag, &path);
    for word in words {
        let (key, value) = word.split_once('=').expect("key=value");
        let number = || value.parse().expect("a number");
        match key {
            "mode" => member.mode = u16::from_str_radix(value, 8).expect("octal") & 0o7777,
            "uid" => member.owner.0 = number(),
            "gid" => member.owner.1 = number(),
            "mtime" if flag != b'g' => member.mtime = value.parse().expect("a number"),
            "data" => member.data = unescape(value),
            "link" => member.link = unescape(value),
            "device" => {
                let (major, minor) = value.split_once(':').expect("two numbers");
                member.device = (major.parse().expect("a number"), minor.parse().expect("a number"));
            }
            key => {
                let key = key.strip_prefix("pax:").unwrap_or(key);
                member.records.push((key.to_owned(), unescape(value)));
            }
        }
    }
    member
}

fn cases() -> Vec<(&'static str, Vec<Given>)> {
    let mut cases: Vec<(&str, Vec<Given>)> = Vec::new();
    for line in CASES.lines() {
        if let Some(name) = line.strip_prefix("case ") {
            cases.push((name, Vec::new()));
        } else if let Some(special) = line.strip_prefix("layer") {
            let (_, layers) = cases.last_mut().expect("a case");
            layers.push(match special.trim() {
                "" => Given::Members(Vec::new()),
                special => Given::Special(special.to_owned()),
            });
        } else if let Some((_, layers)) = cases.last_mut()
            && let Some(Given::Members(members)) = layers.last_mut()
        {
            members.push(member(line));
        }
    }
    cases
}

fn layer(given: &Given) -> Layer {
    let special = match given {
        Given::Members(members) => return Layer::gzip(tar(members)),
        Given::Special(special) => special,
    };
    let whole = tar(&[Member::file("s", "special")]);
    let with = |more: &[u8]| Layer::gzip([&whole, more].concat());
    match &**special {
        "EMPTY" => Layer::gzip(Vec::new()),
        "NOEND" => Layer::gzip(whole[..1024].to_vec()),
        "TRAIL" => with(&b"garbage!".repeat(64)),
        "ZEROS" => with(&[0; 100_000]),
        "TWOGZ" => Layer { stored: [gzip(&whole[..700]), gzip(&whole[700..])].concat(), ..with(b"") },
        "GZTRAIL" => Layer { stored: [gzip(&whole), vec![0; 512]].concat(), ..with(b"") },
        other => panic!("{other}"),
    }
}

/// Reads the image of a layout, and returns its tree as a text, or the error.
fn tree(directory: &Path) -> String {
    let (threads, interrupt) = (Threads::new(NonZeroUsize::MIN), Interrupt::default());
    let source = Source::at(oci(directory).as_ref(), None).expect("a name of an image");
    let scanned = match source::read(source, &ReadOptions::new(&threads, &interrupt)) {
        Ok(scanned) => scanned,
        Err(error) => {
            let text = error.to_string().replace(&directory.display().to_string(), "DIR");
            // The digest differs where a header does.
            let digests = text.split("sha256:").enumerate();
            let text: String = digests
                .map(|(at, part)| if at == 0 { part } else { part.get(64..).unwrap_or(part) })
                .collect();
            return format!("error {text}\n");
        }
    };
    text(&scanned.tree)
}

/// Returns a tree as a text.
fn text(tree: &Tree<Blob>) -> String {
    let mut text = Vec::new();
    dump::write(tree, &mut text, |_, blob| {
        let mut bytes = vec![0; usize::try_from(blob.len()).expect("small")];
        blob.read_at(&mut bytes, 0)?;
        Ok(Body::Inline(bytes.into()))
    })
    .expect("memory takes it");
    String::from_utf8(text).expect("a dump is ASCII")
}

#[test]
fn layers_make_the_trees_of_the_table() {
    let scratch = Scratch::new();
    let mut found = String::new();
    for (name, layers) in cases() {
        let layout = Layout::new(scratch.join(name));
        layout.image(&layers.iter().map(layer).collect::<Vec<_>>());
        write!(found, "case {name}\n{}", tree(&layout.0)).expect("memory takes it");
    }
    assert!(CASES.matches("case ").count() > 125);
    let differ = found.split("case ").zip(TREES.split("case ")).find(|(found, expected)| found != expected);
    if let Some(path) = std::env::var_os("ROOTCAST_WRITE_TREES") {
        std::fs::write(path, &found).expect("it can be written");
    }
    assert!(found == TREES, "found and expected: {differ:#?}");
}

/// The cases of which umoci makes another tree, with the reasons. Everything else is equal.
const DIFFERENT: &[(&str, &str)] = &[
    ("wo_dir_recreate_after", "a directory gets the time of a later whiteout in it"),
    ("wo_dir_recreate_implied_after", "what a whiteout hides depends on its place in the layer"),
    ("opq_last", "a directory gets the time of a later whiteout in it"),
    ("aufs_plnk", "the files of aufs itself are kept"),
    ("hl_self", "a link to itself is an error"),
    ("hl_whited", "a link to what the layer hides is an error"),
    ("hl_dotdot", "the target of a link may have \"..\""),
    ("um_deep", "a directory behind a link gets the time of what is added to it"),
    ("xattr_user_symlink", "xattrs that Linux does not permit are an error"),
    ("xattr_selinux", "labels of SELinux are left out"),
    ("schily_acl", "ACLs as text are left out"),
    ("libarchive_xattr", "xattrs in libarchive's records are left out"),
    ("pax_global", "global headers are an error"),
    ("char00", "a device 0:0 is a device, and not a whiteout"),
    ("char00_first", "a device 0:0 is a device, and not a whiteout"),
    ("name_dotdot", "\"..\" stops at the root directory"),
    ("name_dotdot_inner", "\"..\" is resolved"),
];

/// Returns the tree that umoci unpacks of a layout as a text, or "error" if it refuses the image.
fn unpacked(layout: &Path, bundle: &Path) -> Option<String> {
    let mut umoci = judges::command("umoci")?;
    umoci.args(["unpack", "--image", &format!("{}:latest", layout.display())]).arg(bundle);
    if run(&mut umoci).success().is_err() {
        return Some("error".to_owned());
    }
    let (threads, interrupt) = (Threads::new(NonZeroUsize::MIN), Interrupt::default());
    let source = Source::Directory(bundle.join("rootfs"));
    let mut tree = source::read(source, &ReadOptions::new(&threads, &interrupt)).expect("a tree").tree;
    let mut walk = tree.walk();
    let ids: Vec<InodeId> = std::iter::from_fn(|| walk.next().map(|step| step.id)).collect();
    for id in ids {
        // A directory without an entry gets the time of unpacking, and no case has times as late.
        let mtime = &mut tree.metadata_mut(id).mtime;
        if mtime.seconds() > 1_700_000_000 {
            *mtime = Timestamp::from_seconds(0);
        }
    }
    Some(text(&tree))
}

#[test]
fn umoci_unpacks_the_trees_of_the_table() {
    if !judges::is_root() {
        judges::skip("umoci", "only root unpacks owners and devices");
        return;
    }
    let scratch = Scratch::new();
    let mut wrong = String::new();
    for (name, layers) in cases() {
        let layout = Layout::new(scratch.join(name));
        layout.image(&layers.iter().map(layer).collect::<Vec<_>>());
        let Some(found) = unpacked(&layout.0, &scratch.join(format!("{name}.bundle"))) else { return };
        let expected = TREES.split("case ").find_map(|case| case.strip_prefix(name)?.strip_prefix('\n'));
        let expected = expected.expect("a case of the table");
        let expected = if expected.starts_with("error ") { "error" } else { expected };
        let differs = DIFFERENT.iter().any(|(different, _)| *different == name);
        if (found == expected) == differs {
            write!(wrong, "case {name}, umoci:\n{found}expected:\n{expected}").expect("memory takes it");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
