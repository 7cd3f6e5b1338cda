//! Random stacks of layers, beside a plain merge of the same members.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Layer, Layout, Member, oci, tar};
use crate::product::{Scratch, rootcast, run};

/// A small generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("it is below the limit")
    }
}

/// A file of the merged tree: its mode and contents; none for a directory.
type Files = BTreeMap<String, (u16, Option<String>)>;

fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn remove(files: &mut Files, path: &str) {
    let beneath = format!("{path}/");
    files.retain(|other, _| other != path && !other.starts_with(&beneath));
}

/// Merges a layer in the plainest way: whiteouts against what is below, then members in order.
fn merge(files: &mut Files, members: &[Member]) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    for member in members {
        let path = text(&member.path);
        let (above, name) = path.rsplit_once('/').map_or(("", &*path), |(above, name)| (above, name));
        let join = |name: &str| if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        if name == ".wh..wh..opq" {
            let beneath = join("");
            files.retain(|other, _| !other.starts_with(&beneath));
        } else if let Some(hidden) = name.strip_prefix(".wh.") {
            remove(files, &join(hidden));
        }
    }
    for member in members.iter().filter(|member| !text(&member.path).contains(".wh.")) {
        let path = text(&member.path);
        for above in parents(&path) {
            files.entry(above.to_owned()).or_insert((0o755, None));
        }
        let contents = (member.flag == b'0').then(|| text(&member.data));
        let was_directory = files.get(&path).is_some_and(|(_, contents)| contents.is_none());
        if !(was_directory && contents.is_none()) {
            remove(files, &path);
        }
        files.insert(path, (member.mode, contents));
    }
}

/// Returns the members of a random layer. No member is beneath one that is not a directory in the
/// end, as that is an error.
fn random_layer(numbers: &mut Numbers, below: &Files) -> Vec<Member> {
    let mut merged = below.clone();
    let mut members: Vec<Member> = Vec::new();
    for _ in 0..1 + numbers.below(8) {
        let mut path = String::new();
        for _ in 0..=numbers.below(3) {
            path += ["a/", "b/", "c/"][numbers.below(3)];
        }
        let path = path.trim_end_matches('/');
        let mode = [0o700, 0o711, 0o644][numbers.below(3)];
        let above = path.rsplit_once('/').map_or(String::new(), |(above, _)| format!("{above}/"));
        let name = path.rsplit('/').next().unwrap_or_default();
        let member = match numbers.below(8) {
            0 => Member::file(&format!("{above}.wh.{name}"), ""),
            1 => Member::file(&format!("{path}/.wh..wh..opq"), ""),
            2..=4 => Member { mode, ..Member::directory(path) },
            _ => Member { mode, ..Member::file(path, &numbers.below(1000).to_string()) },
        };
        let mut with = members.clone();
        with.push(member);
        merged.clone_from(below);
        if is_consistent(below, &with) {
            members = with;
        }
    }
    members
}

/// Returns true if every member is beneath directories when it is added.
fn is_consistent(below: &Files, members: &[Member]) -> bool {
    let mut files = below.clone();
    merge(
        &mut files,
        &members
            .iter()
            .filter(|member| member.path.windows(4).any(|name| name == b".wh."))
            .cloned()
            .collect::<Vec<_>>(),
    );
    members.iter().all(|member| {
        let path = String::from_utf8_lossy(&member.path).into_owned();
        if path.contains(".wh.") {
            return true;
        }
        let fits =
            parents(&path).all(|above| files.get(above).is_none_or(|(_, contents)| contents.is_none()));
        merge(&mut files, std::slice::from_ref(member));
        fits
    })
}

/// Returns the files that the program finds in an image.
fn found(source: &str) -> Files {
    let outcome = run(rootcast().args(["tar", source, "-o", "-", "--image-config", "none"]))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    let mut files = Files::new();
    let mut bytes = &outcome.stdout[..];
    while let Some((header, rest)) = bytes.split_at_checked(512).filter(|(header, _)| header[0] != 0) {
        let field = |at: usize, len: usize| {
            let field = &header[at..at + len];
            String::from_utf8_lossy(&field[..field.iter().position(|byte| *byte == 0).unwrap_or(len)])
                .into_owned()
        };
        let octal = |at, len| usize::from_str_radix(&field(at, len), 8).expect("octal");
        let size = octal(124, 12);
        let mode = u16::try_from(octal(100, 8)).expect("a mode");
        let contents = (header[156] == b'0').then(|| String::from_utf8_lossy(&rest[..size]).into_owned());
        files.insert(field(0, 100).trim_end_matches('/').to_owned(), (mode, contents));
        bytes = &rest[size.next_multiple_of(512)..];
    }
    files
}

#[test]
fn random_stacks_are_merged_as_by_a_plain_merge() {
    let scratch = Scratch::new();
    let mut shapes = BTreeSet::new();
    for seed in 1..60_u64 {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut expected = Files::new();
        let mut layers = Vec::new();
        for _ in 0..1 + numbers.below(5) {
            let members = random_layer(&mut numbers, &expected);
            merge(&mut expected, &members);
            layers.push(Layer::gzip(tar(&members)));
        }
        let layout = Layout::new(scratch.join(seed.to_string()));
        layout.image(&layers);
        assert_eq!(found(&oci(&layout.0)), expected, "seed {seed}");
        shapes.insert(expected.len());
    }
    assert!(shapes.len() > 5, "{shapes:?}");
}
