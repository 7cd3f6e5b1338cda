//! Sources are written as words: `d/` is a directory, `l->t` a symbolic link, `h=t` a hard link,
//! `c!` a character device 0:0, and anything else a file, whose contents are the number of its
//! source.

use image_tree::{Device, Inode, InodeId, LinkTarget, MAX_DEPTH, XattrName};

use super::limits::MAX_LINK_STEPS;
use super::*;

mod overlayfs;
mod whiteouts;

type Text = Vec<u8>;

fn member(word: &str, source: usize) -> Member<Text> {
    let inode = MemberKind::Inode;
    let (path, mode, kind) = if let Some((path, target)) = word.split_once("->") {
        (path, 0o777, inode(Kind::Symlink(LinkTarget::new(target).expect("a target"))))
    } else if let Some((path, target)) = word.split_once('=') {
        (path, 0o644, MemberKind::HardLink(target.into()))
    } else if let Some(path) = word.strip_suffix('!') {
        (path, 0, inode(Kind::CharacterDevice(Device { major: 0, minor: 0 })))
    } else if let Some(path) = word.strip_suffix('/') {
        (path, 0o755, inode(Kind::Directory(BTreeMap::new())))
    } else {
        (word, 0o644, inode(Kind::Regular(source.to_string().into_bytes())))
    };
    Member { path: path.into(), metadata: Metadata::new(mode), kind }
}

fn members(words: &str, source: usize) -> Vec<Member<Text>> {
    words.split_whitespace().map(|word| member(word, source)).collect()
}

fn add(stack: &mut Stack<Text>, members: Vec<Member<Text>>) -> Result<Report, AddError> {
    let mut addition = stack.members(Metadata::new(0o755));
    members.iter().for_each(|member| addition.record_replaced_link(member));
    for member in &members {
        addition.hide(member)?;
    }
    for Member { path, metadata, kind } in members {
        addition.add(&path, metadata, kind)?;
    }
    Ok(addition.finish())
}

/// Returns a tree in the same words, with `f:1` for the file of the first source.
fn shown(tree: &Tree<Text>) -> String {
    let mut words = Vec::new();
    let mut firsts: BTreeMap<InodeId, String> = BTreeMap::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let path = String::from_utf8(path[1..].to_vec()).expect("ASCII");
        if path.is_empty() {
            continue;
        }
        if !step.first {
            words.push(format!("{path}={}", firsts[&step.id]));
            continue;
        }
        words.push(match &tree.get(step.id).kind {
            Kind::Directory(_) => format!("{path}/"),
            Kind::Symlink(target) => format!("{path}->{target}"),
            Kind::Regular(bytes) => format!("{path}:{}", bytes.escape_ascii()),
            Kind::CharacterDevice(_) => format!("{path}!"),
            _ => format!("{path}?"),
        });
        firsts.insert(step.id, path);
    }
    words.join(" ")
}

fn stacked(sources: &[&str], rules: Rules) -> Result<String, AddError> {
    let mut stack = Stack::new(rules);
    for (index, words) in sources.iter().enumerate() {
        add(&mut stack, members(words, index + 1))?;
    }
    Ok(shown(&stack.finish()))
}

/// Returns the same with each source as a tree. Its directories all exist, as they do in a
/// directory of the host.
fn stacked_trees(sources: &[&str], rules: Rules) -> Result<String, AddError> {
    let mut stack = Stack::new(rules);
    for (index, words) in sources.iter().enumerate() {
        let mut alone = Stack::new(Rules { whiteouts: Whiteouts::Keep, ..Rules::default() });
        add(&mut alone, members(words, index + 1))?;
        stack.add_tree(alone.finish())?;
    }
    Ok(shown(&stack.finish()))
}

const DEFAULT: Rules = Rules { whiteouts: Whiteouts::Report, keep_directory_symlink: false, is_layer: false };
const APPLY: Rules = Rules { whiteouts: Whiteouts::Apply, ..DEFAULT };
const KEEP_LINKS: Rules = Rules { keep_directory_symlink: true, ..DEFAULT };

fn check(cases: &[(&[&str], &str)], rules: Rules, stacked: fn(&[&str], Rules) -> Result<String, AddError>) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(sources, expected)| {
            let found = stacked(sources, rules).unwrap_or_else(|error| error.to_string());
            (found != *expected).then(|| format!("{sources:?}\nexpected {expected}\n   found {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The directory that most cases with whiteouts begin with.
const D: &str = "d/ d/old d/s/ d/s/x";

const USR: &str = "usr/ usr/lib/ usr/lib/a lib->usr/lib";

#[test]
fn later_sources_replace_earlier_ones() {
    let cases: &[(&[&str], &str)] = &[
        (&["keep/ keep/k d/ d/z", "d->keep"], "d->keep keep/ keep/k:1"),
        (&["keep/ keep/k d->keep", "d/ d/own"], "d/ d/own:2 keep/ keep/k:1"),
        (&["f", "f/ f/in"], "f/ f/in:2"),
        (&["f/ f/in", "f"], "f:2"),
        (&["k s->k", "s"], "k:1 s:2"),
        (&["d/ d/both d/lower", "d/ d/both d/upper"], "d/ d/both:2 d/lower:1 d/upper:2"),
        (&["f g=f", "f"], "f:2 g:1"),
        (&["f", "f g=f"], "f:2 g=f"),
        (&["a!", "b!"], "a! b!"),
    ];
    check(cases, DEFAULT, stacked);
    check(cases, DEFAULT, stacked_trees);
    check(cases, Rules { whiteouts: Whiteouts::Keep, ..DEFAULT }, stacked);
}

#[test]
fn parents_follow_links_within_the_tree() {
    let loop_of = "the path leads through more than 40 symbolic links, as a loop does";
    let chain: String = (0..40).map(|index| format!("l{index:02}->l{:02} ", index + 1)).collect();
    let cases: &[(&[&str], &str)] = &[
        (&[USR, "lib/x"], "lib->usr/lib usr/ usr/lib/ usr/lib/a:1 usr/lib/x:2"),
        (&[&format!("{USR} lib/x")], "lib->usr/lib usr/ usr/lib/ usr/lib/a:1 usr/lib/x:1"),
        (
            &[USR, "lib/n/e/w"],
            "lib->usr/lib usr/ usr/lib/ usr/lib/a:1 usr/lib/n/ usr/lib/n/e/ usr/lib/n/e/w:2",
        ),
        (&["usr/ usr/lib/ lib->/usr/lib", "lib/x"], "lib->/usr/lib usr/ usr/lib/ usr/lib/x:2"),
        (&[USR, "lib/ lib/x"], "lib/ lib/x:2 usr/ usr/lib/ usr/lib/a:1"),
        // The link is replaced in between, and the directory of the member before is not used
        // again.
        (&[USR, "lib/x lib/ lib/y"], "lib/ lib/y:2 usr/ usr/lib/ usr/lib/a:1 usr/lib/x:2"),
        (
            &["esc->../../../opt/escaped", "esc/x"],
            "esc->../../../opt/escaped opt/ opt/escaped/ opt/escaped/x:2",
        ),
        (&["d/e/l->../../f/g", "d/e/l/x"], "d/ d/e/ d/e/l->../../f/g f/ f/g/ f/g/x:2"),
        (&["dang->nowhere", "dang/x"], "dang->nowhere nowhere/ nowhere/x:2"),
        (&["root->/", "root/x"], "root->/ x:2"),
        (&["keep/ d/ d/z", "d->keep d/y"], "d->keep keep/ keep/y:2"),
        (&["a->b b->a", "a/x"], loop_of),
        (&[&format!("{chain} l40/"), "l00/x"], &format!("{}l40/ l40/x:2", chain)),
        (&[&format!("{chain} l40->l41 l41/"), "l00/x"], loop_of),
        (&["f", "f/x"], "f is a file; it cannot contain files"),
        (&["d/f l->d", "l/f/x"], "d/f is a file; it cannot contain files"),
        (&["f l->f", "l/x"], "f is a file; it cannot contain files"),
    ];
    check(cases, DEFAULT, stacked);
}

#[test]
fn keep_directory_symlink_keeps_links_to_directories() {
    let cases: &[(&[&str], &str)] = &[
        (&[USR, "lib/ lib/x"], "lib->usr/lib usr/ usr/lib/ usr/lib/a:1 usr/lib/x:2"),
        (&[&format!("{USR} lib/ lib/x")], "lib->usr/lib usr/ usr/lib/ usr/lib/a:1 usr/lib/x:1"),
        (&["d/ a->b b->d", "a/ a/x"], "a->b b->d d/ d/x:2"),
        (&["l->none", "l/ l/x"], "l/ l/x:2"),
        (&["f l->f", "l/ l/x"], "f:1 l/ l/x:2"),
        (&["l->l", "l/ l/x"], "l/ l/x:2"),
        (&["d/ l->d", "l"], "d/ l:2"),
        (&["t/ d/ d/l->../t", "d/ d/l/ d/l/m/ d/l/m/x d/y"], "d/ d/l->../t d/y:2 t/ t/m/ t/m/x:2"),
    ];
    check(cases, KEEP_LINKS, stacked);
    // The second case has only one source.
    let trees: Vec<_> = cases.iter().filter(|(sources, _)| sources.len() > 1).copied().collect();
    check(&trees, KEEP_LINKS, stacked_trees);
}

#[test]
fn a_kept_link_preserves_the_metadata_of_its_target() {
    let mut stack = Stack::new(KEEP_LINKS);
    add(&mut stack, members(USR, 1)).expect("a source");
    let mut upper = members("lib/", 2);
    upper[0].metadata.mode = 0o700;
    add(&mut stack, upper.clone()).expect("a source");
    let mut alone = Stack::new(DEFAULT);
    add(&mut alone, upper).expect("a source");
    stack.add_tree(alone.finish()).expect("a tree");
    let tree = stack.finish();
    assert_eq!(tree.get(tree.resolve_no_symlinks(b"/usr/lib").expect("it is there")).metadata.mode, 0o755);
}

#[test]
fn hard_links_may_refer_to_earlier_sources() {
    let nothing = |target: &str| {
        format!("is a hard link to {target}, which neither an earlier member nor a source before it has")
    };
    let cases: &[(&[&str], &str)] = &[
        (&["f", "g=f"], "f:1 g=f"),
        (&["f", "g=f f"], "f:2 g:1"),
        (&["h1 h2=h1", "h2"], "h1:1 h2:2"),
        (&["h1 h2=h1", "h3=h1"], "h1:1 h2=h1 h3=h1"),
        (&["f s->f", "t=s"], "f:1 s->f t=s"),
        (&["real/ real/f lnk->real", "g=lnk/f"], "g:1 lnk->real real/ real/f=g"),
        (&["f", "f=f"], "f:1"),
        (&["d/ d/f", "d=d"], "d/ d/f:1"),
        (&["f", "g=/f"], "f:1 g=f"),
        (&["n!", "m=n"], "m! n=m"),
        (&["d/ d/f", "d=d/f"], "d:1"),
        (&["k", "g=none"], &nothing("none")),
        (&["k", "g=f f"], &nothing("f")),
        (&["k", "g=k/x"], &nothing("k/x")),
        (&["d/", "e=d"], "is a hard link to d, which is a directory"),
    ];
    check(cases, DEFAULT, stacked);
}

fn with_xattr(mut member: Member<Text>, name: &str, value: &str) -> Member<Text> {
    member.metadata.xattrs.insert(XattrName::new(name).expect("a name"), value.as_bytes().into());
    member
}

#[test]
fn kept_markers_are_counted() {
    let markers = || {
        let mut markers = members("d/ d/.wh.a d/.wh.b d/.wh..wh..opq d/c! e/", 2);
        markers[5] = with_xattr(markers[5].clone(), "user.overlay.opaque", "y");
        markers
    };
    let expected = Markers { whiteouts: 2, opaque: 1, devices: 1, xattrs: 1, first: b"/d/.wh.a".to_vec() };
    let mut stack = Stack::new(DEFAULT);
    assert_eq!(add(&mut stack, markers()).expect("a source").markers, expected);
    let tree = stack.finish();
    // A walk is in the order of the bytes of names.
    let by_walk = Markers { first: b"/d/.wh..wh..opq".to_vec(), ..expected.clone() };
    let mut first = Stack::new(DEFAULT);
    assert_eq!(first.add_tree(tree.clone()).expect("a tree").report.markers, by_walk);
    assert_eq!(first.add_tree(tree.clone()).expect("a tree").report.markers, by_walk);
    assert_eq!(first.finish(), tree);
    assert_eq!(
        expected.to_string(),
        "2 whiteouts .wh.NAME, 1 marker .wh..wh..opq of opaque directories, 1 character device 0:0, 1 file with \
         xattrs of overlayfs are kept as files, the first one /d/.wh.a; --whiteouts apply removes what they hide, \
         --whiteouts keep keeps them without this warning"
    );
    let mut keep = Stack::new(Rules { whiteouts: Whiteouts::Keep, ..DEFAULT });
    assert!(add(&mut keep, markers()).expect("a source").markers.is_empty());
    assert!(keep.add_tree(tree).expect("a tree").report.markers.is_empty());
}

#[test]
fn replaced_files_of_earlier_sources_are_reported() {
    let upper = "d/ d/both f/ lib/ new t->f new";
    let expected = [
        "/d/both: a file replaced by a file",
        "/f: a file replaced by a directory",
        "/lib: a symbolic link replaced by a directory",
        "/t: a directory replaced by a symbolic link",
    ];
    for as_tree in [false, true] {
        let mut stack = Stack::new(DEFAULT);
        add(&mut stack, members("d/ d/both d/lower f lib->usr t/ t/x", 1)).expect("a source");
        let report = if as_tree {
            let mut alone = Stack::new(DEFAULT);
            add(&mut alone, members(upper, 2)).expect("a source");
            stack.add_tree(alone.finish()).expect("a tree").report
        } else {
            add(&mut stack, members(upper, 2)).expect("a source")
        };
        let shown: Vec<String> = report.replaced.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected);
        assert_eq!(report.replaced.iter().filter(|one| one.is_link_by_directory()).count(), 1);
    }
}

#[test]
fn implied_directories_get_the_given_metadata_unless_they_exist() {
    let mut stack = Stack::new(DEFAULT);
    let mut lower = members("a/", 1);
    lower[0] = with_xattr(lower[0].clone(), "user.k", "v");
    lower[0].metadata.mode = 0o700;
    add(&mut stack, lower).expect("a source");
    let mut addition = stack.members(Metadata { uid: 7, ..Metadata::new(0o750) });
    for Member { path, metadata, kind } in members("a/f b/c/f b/", 2) {
        addition.add(&path, metadata, kind).expect("a member");
    }
    assert_eq!(addition.implied_count(), 2);
    let report = addition.finish();
    let tree = stack.tree();
    let at = |path: &str| tree.resolve_no_symlinks(path.as_bytes()).expect("it is there");
    assert_eq!(report.implied, BTreeSet::from([InodeId::ROOT, at("/b/c")]));
    let metadata = |path: &str| &tree.get(at(path)).metadata;
    assert_eq!((metadata("/a").mode, metadata("/a").xattrs.len()), (0o700, 1));
    assert_eq!((metadata("/b").mode, metadata("/b").uid), (0o755, 0));
    assert_eq!((metadata("/b/c").mode, metadata("/b/c").uid), (0o750, 7));
    // The root of a stack whose first source has no member for it.
    assert_eq!(metadata("/").uid, 0);
    let mut first: Stack<Text> = Stack::new(DEFAULT);
    let _ = first.members(Metadata { uid: 7, ..Metadata::new(0o750) }).finish();
    assert_eq!(first.finish().get(InodeId::ROOT).metadata.uid, 7);
}

#[test]
fn a_single_tree_is_unchanged_even_over_itself() {
    let mut alone = Stack::new(DEFAULT);
    add(&mut alone, members("b a d/ d/l->../a d/h=a", 1)).expect("a source");
    let tree = alone.finish();
    let mut stack = Stack::new(DEFAULT);
    let added = stack.add_tree(tree.clone()).expect("a tree");
    assert!(tree.walk().all(|step| added.id(step.id) == Some(step.id)));
    let added = stack.add_tree(tree.clone()).expect("a tree");
    let id = |path: &[u8]| stack.tree().resolve_no_symlinks(path).expect("it is there");
    for path in [&b"/"[..], b"/a", b"/d", b"/d/h", b"/d/l"] {
        assert_eq!(added.id(tree.resolve_no_symlinks(path).expect("it is there")), Some(id(path)));
    }
    assert_eq!(stack.finish(), tree);
}

#[test]
fn depth_and_link_steps_are_limited() {
    let deep = |depth: usize| [b"d/".repeat(depth - 1), b"x".to_vec()].concat();
    let add = |stack: &mut Stack<Text>, path: &[u8]| {
        let Member { metadata, kind, .. } = member("x", 1);
        stack.members(Metadata::new(0o755)).add(path, metadata, kind).map(|_| ())
    };
    let mut stack = Stack::new(DEFAULT);
    assert_eq!(add(&mut stack, &deep(MAX_DEPTH)), Ok(()));
    assert_eq!(add(&mut stack, &deep(MAX_DEPTH + 1)), Err(AddError::TooDeep(MAX_DEPTH + 1)));
    let target = "d/".repeat(2000);
    let link = Inode {
        metadata: Metadata::new(0o777),
        kind: Kind::Symlink(LinkTarget::new(target).expect("short")),
    };
    stack.tree.insert(InodeId::ROOT, Name::new("l").expect("a name"), link).expect("it is new");
    let through = |depth: usize| [&b"l/"[..], &deep(depth)].concat();
    assert_eq!(add(&mut stack, &through(MAX_DEPTH - 2000)), Ok(()));
    assert_eq!(add(&mut stack, &through(MAX_DEPTH - 1999)), Err(AddError::LinksTooDeep));
    // Every member leads through all components of the link.
    let mut addition = stack.members(Metadata::new(0o755));
    let outcome = (0..MAX_LINK_STEPS).try_for_each(|index| {
        let Member { metadata, kind, .. } = member("x", 1);
        let path = format!("l/{}/x", index % 2);
        addition.add(path.as_bytes(), metadata, kind).map(|_| ())
    });
    assert_eq!(outcome, Err(AddError::TooManySteps));
}
