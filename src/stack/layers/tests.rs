use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, dump};

use super::*;
use crate::stack::{Rules, Stack, Whiteouts};

type Files = Tree<Vec<u8>>;

/// Returns a tree of paths: `d/` a directory, `f:X` a file with contents, `l->X` a link, `g=f` a hard
/// link. A number before a path is its owner.
fn tree(text: &str) -> Files {
    let mut tree = Tree::new(Metadata::new(0o755));
    for word in text.split_whitespace() {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (owner, word) = word.split_at(digits);
        let metadata = Metadata { uid: owner.parse().unwrap_or(0), ..Metadata::new(0o755) };
        if let Some((path, target)) = word.split_once('=') {
            let target = tree.resolve_no_symlinks(format!("/{target}").as_bytes()).expect("an earlier file");
            let (parent, name) = place(&tree, path);
            tree.link(parent, name, target).expect("a free name");
            continue;
        }
        let (path, kind) = if let Some((path, target)) = word.split_once("->") {
            (path, Kind::Symlink(LinkTarget::new(target).expect("a target")))
        } else if let Some((path, bytes)) = word.split_once(':') {
            (path, Kind::Regular(bytes.as_bytes().to_vec()))
        } else {
            (word.trim_end_matches('/'), Inode::<Vec<u8>>::directory(Metadata::new(0)).kind)
        };
        let (parent, name) = place(&tree, path);
        tree.insert(parent, name, Inode { metadata, kind }).expect("a free name");
    }
    tree
}

fn place(tree: &Files, path: &str) -> (InodeId, Name) {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = tree.resolve_no_symlinks(format!("/{above}").as_bytes()).expect("an earlier directory");
    (parent, Name::new(name).expect("a name"))
}

/// Returns the trees after each source.
fn states(sources: &[Files]) -> Vec<Files> {
    let mut stack = Stack::new(Rules::default());
    let mut states = Vec::new();
    for source in sources {
        stack.add_tree(source.clone()).expect("small trees");
        states.push(stack.tree().clone());
    }
    states
}

fn merged(states: &[Files]) -> Files {
    states.last().expect("a source").clone().compact().0
}

/// Returns the tree that layers make up.
fn stacked(layers: &[Files]) -> Files {
    let mut stack =
        Stack::new(Rules { whiteouts: Whiteouts::Apply, keep_directory_symlink: false, is_layer: true });
    for layer in layers {
        stack.add_tree(layer.clone()).expect("small trees");
    }
    stack.finish()
}

fn text(tree: &Files) -> String {
    let mut paths = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let path = String::from_utf8(path).expect("text");
        paths.push(match &tree.get(step.id).kind {
            _ if !step.first => format!("{path}="),
            Kind::Directory(_) => format!("{}/", path.trim_end_matches('/')),
            Kind::Regular(bytes) => format!("{path}:{}", String::from_utf8_lossy(bytes)),
            _ => path,
        });
    }
    paths.join(" ")
}

/// Checks the layers of sources, and that they make up the merged tree.
fn check(sources: &[&str], change: fn(&mut Files), expected: &[&str]) {
    let sources: Vec<Files> = sources.iter().map(|text| tree(text)).collect();
    let states = states(&sources);
    let mut merged = merged(&states);
    change(&mut merged);
    let merged = merged.compact().0;
    let layers = layers(&states, &merged).expect("short names");
    let found: Vec<String> = layers.iter().map(text).collect();
    assert_eq!(found, expected);
    assert_eq!(text(&stacked(&layers)), text(&merged));
    assert_eq!(stacked(&layers), merged);
}

fn remove(tree: &mut Files, path: &str) {
    let (parent, name) = place(tree, path);
    tree.remove(parent, name.as_bytes()).expect("it is there");
}

#[test]
fn a_layer_has_what_its_source_adds_and_changes() {
    check(&["a:1 d/ d/x:1"], |_| {}, &["/ /a:1 /d/ /d/x:1"]);
    check(&["a:1 d/ d/x:1", "d/ d/y:2"], |_| {}, &["/ /a:1 /d/ /d/x:1", "/ /d/ /d/y:2"]);
    check(&["a:1", "a:1"], |_| {}, &["/ /a:1", "/"]);
    check(&["a:1", "a:2", "b:3"], |_| {}, &["/ /a:1", "/ /a:2", "/ /b:3"]);
    check(&["d/ d/x:1", "5d/"], |_| {}, &["/ /d/ /d/x:1", "/ /d/"]);
    check(&["d/ d/x:1", "d:2"], |_| {}, &["/ /d/ /d/x:1", "/ /d:2"]);
    check(&["d:1 l->d", "d/ d/x:2 l/ l/y:2"], |_| {}, &["/ /d:1 /l", "/ /d/ /d/x:2 /l/ /l/y:2"]);
}

#[test]
fn names_of_one_file_are_in_one_layer() {
    check(&["a:1 b=a", "c:2"], |_| {}, &["/ /a:1 /b=", "/ /c:2"]);
    check(&["a:1 b=a", "a:2"], |_| {}, &["/ /a:1 /b=", "/ /a:2"]);
    // A later source has equal files that are not one file, or are one file only there.
    check(&["a:1 b=a", "a:1 b:1"], |_| {}, &["/ /a:1 /b=", "/ /b:1"]);
    check(&["a:1 b=a c=a", "a:1 b:1 c=b"], |_| {}, &["/ /a:1 /b= /c=", "/ /b:1 /c="]);
    check(&["a:1 b:1", "a:1 b=a"], |_| {}, &["/ /a:1 /b:1", "/ /a:1 /b="]);
    // A hard link to a file of a lower layer, which programs that mount layers cannot make.
    let link = |tree: &mut Files| {
        let target = tree.resolve_no_symlinks(b"/a").expect("it is there");
        tree.link(InodeId::ROOT, Name::new("z").expect("a name"), target).expect("a free name");
    };
    check(&["a:1", "c:2"], link, &["/ /a:1", "/ /a:1 /c:2 /z="]);
    let unlink = |tree: &mut Files| {
        remove(tree, "b");
        let copy = tree.get(tree.resolve_no_symlinks(b"/a").expect("it is there")).clone();
        tree.insert(InodeId::ROOT, Name::new("b").expect("a name"), copy).expect("a free name");
    };
    check(&["a:1 b=a", "c:2"], unlink, &["/ /a:1 /b:1", "/ /c:2"]);
}

#[test]
fn a_hidden_name_and_another_one_of_a_file_stay_one_file_unless_that_is_changed() {
    check(&["a:1 b=a", "b:2"], |_| {}, &["/ /a:1 /b=", "/ /b:2"]);
    let own = |tree: &mut Files| {
        let id = tree.resolve_no_symlinks(b"/b").expect("it is there");
        tree.metadata_mut(id).uid = 7;
    };
    check(&["a:1 b=a", "a:2"], own, &["/ /a:1 /b:1", "/ /a:2"]);
    let unlink = |tree: &mut Files| {
        let copy = tree.get(tree.resolve_no_symlinks(b"/b").expect("it is there")).clone();
        remove(tree, "c");
        tree.insert(InodeId::ROOT, Name::new("c").expect("a name"), copy).expect("a free name");
    };
    check(&["a:1 b=a c=a", "a:2"], unlink, &["/ /a:1 /b= /c:1", "/ /a:2"]);
}

#[test]
fn what_the_whole_tree_lacks_is_in_no_layer() {
    let change = |tree: &mut Files| {
        remove(tree, "secret");
        remove(tree, "d");
        let owned = tree.resolve_no_symlinks(b"/a").expect("it is there");
        tree.metadata_mut(owned).uid = 7;
    };
    check(&["a:1 secret:1 d/ d/x:1", "b:2 d/ d/y:2"], change, &["/ /a:1", "/ /b:2"]);
}

#[test]
fn a_whiteout_hides_what_a_later_source_hides() {
    let base = tree("a:1 d/ d/x:1 d/y:1 e/ e/z:1");
    let mut stack = Stack::new(Rules { whiteouts: Whiteouts::Apply, ..Rules::default() });
    let mut states = Vec::new();
    for source in [base, tree(".wh.a: d/ d/.wh.x: d/new:2 .wh.e: n:2")] {
        stack.add_tree(source).expect("small trees");
        states.push(stack.tree().clone());
    }
    let merged = merged(&states);
    let layers = layers(&states, &merged).expect("short names");
    assert_eq!(text(&layers[0]), "/ /a:1 /d/ /d/x:1 /d/y:1 /e/ /e/z:1");
    assert_eq!(text(&layers[1]), "/ /.wh.a: /.wh.e: /d/ /d/.wh.x: /d/new:2 /n:2");
    assert_eq!(stacked(&layers), merged);
}

#[test]
fn names_that_cannot_be_hidden_are_errors() {
    let long = "n".repeat(252);
    let mut stack = Stack::new(Rules { whiteouts: Whiteouts::Apply, ..Rules::default() });
    stack.add_tree(tree(&format!("d/ d/{long}:1"))).expect("small trees");
    let first = stack.tree().clone();
    let mut opaque = tree("d/");
    let id = opaque.resolve_no_symlinks(b"/d").expect("it is there");
    let name = image_tree::XattrName::new("trusted.overlay.opaque").expect("a name");
    opaque.metadata_mut(id).xattrs.insert(name, b"y".as_slice().into());
    stack.add_tree(opaque).expect("small trees");
    let states = [first, stack.tree().clone()];
    let error = layers(&states, &merged(&states)).expect_err("it is too long").to_string();
    assert!(error.contains(&format!("/d/{long}: a later source hides it")), "{error}");
    let states = self::states(&[tree("a:1"), tree("d/ d/.wh.x:1")]);
    let error = layers(&states, &merged(&states)).expect_err("it is reserved").to_string();
    assert!(error.starts_with("/d/.wh.x: a name that begins with .wh."), "{error}");
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

/// Makes a few changes to a tree: files, directories, links, owners, and removed names.
fn change(tree: &mut Files, numbers: &mut Numbers) {
    for _ in 0..numbers.below(8) {
        let mut directories = Vec::new();
        let mut files = Vec::new();
        for step in tree.walk() {
            if tree.entries(step.id).is_some() { &mut directories } else { &mut files }.push(step.id);
        }
        let parent = directories[numbers.below(directories.len())];
        let name = Name::new(["a", "b", "c", "d"][numbers.below(4)]).expect("a name");
        let metadata = Metadata {
            uid: u32::try_from(numbers.below(2)).expect("small"),
            mtime: Timestamp::from_seconds(i64::try_from(numbers.below(2)).expect("small")),
            ..Metadata::new(0o755)
        };
        // OK to ignore errors: the name may be taken.
        match numbers.below(6) {
            0 => _ = tree.remove(parent, name.as_bytes()),
            1 => *tree.metadata_mut(parent) = metadata,
            2 => _ = tree.insert(parent, name, Inode::directory(metadata)),
            3 if !files.is_empty() => _ = tree.link(parent, name, files[numbers.below(files.len())]),
            4 => {
                let kind = Kind::Symlink(LinkTarget::new("a").expect("a target"));
                _ = tree.insert(parent, name, Inode { metadata, kind });
            }
            _ => {
                let kind = Kind::Regular(vec![u8::try_from(numbers.below(2)).expect("small")]);
                _ = tree.insert(parent, name, Inode { metadata, kind });
            }
        }
    }
}

#[test]
fn layers_make_up_the_merged_tree() {
    for seed in 0..3000 {
        let mut numbers = Numbers(seed);
        let count = 1 + numbers.below(3);
        let sources: Vec<Files> = (0..count)
            .map(|_| {
                let mut source = Tree::new(Metadata::new(0o755));
                change(&mut source, &mut numbers);
                change(&mut source, &mut numbers);
                source
            })
            .collect();
        let states = states(&sources);
        let mut merged = merged(&states);
        change(&mut merged, &mut numbers);
        let merged = merged.compact().0;
        let layers = layers(&states, &merged).expect("short names");
        assert_eq!(layers.len(), count);
        let written = |tree: &Files| {
            let mut text = Vec::new();
            dump::write(tree, &mut text, |_, bytes| Ok(dump::Body::Inline(bytes.as_slice().into())))
                .expect("memory takes it");
            String::from_utf8(text).expect("a dump is ASCII")
        };
        assert_eq!(written(&stacked(&layers)), written(&merged), "seed {seed}");
    }
}
