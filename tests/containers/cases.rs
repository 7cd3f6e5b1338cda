//! Hard cases of layers, each an image of its own, and the trees they make.
//!
//! `cases.txt` has their members, `trees.txt` the results: the rules of the OCI image specification,
//! as umoci applies them. Where programs differ, the text of [`rootcast::source::container`] decides.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use image_tree::Content as _;
use image_tree::dump::{self, Body};
use rootcast::interrupt::Interrupt;
use rootcast::source::{self, ReadOptions, Source};
use rootcast::threads::Threads;

use super::layout::{Layer, Layout, Member, gzip, oci, tar};
use crate::product::Scratch;

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
    let mut text = Vec::new();
    dump::write(&scanned.tree, &mut text, |_, blob| {
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
