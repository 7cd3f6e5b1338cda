//! Owners of the files of a tree: those recorded by other programs are restored, and equal the tree
//! they were recorded from.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixtures::{Fixture, Item, Kind, small};
use crate::judges;
use crate::oracle::expected::Kind as Found;
use crate::oracle::{Expected, walk};
use crate::product::{NOBODY, Scratch, rootcast, rootcast_as, rootcast_as_root, run};

/// Returns true if the tests run as root, which chown(2) requires, `false` after a visible skip.
pub(crate) fn may_give_away() -> bool {
    if !judges::is_root() {
        judges::skip("chown", "only root gives files away");
    }
    judges::is_root()
}

/// Returns the output of a program that has to succeed.
pub(crate) fn printed(command: &mut Command) -> String {
    run(command).success().unwrap_or_else(|why| panic!("{why}")).text()
}

/// Returns the paths of everything in a tree, the root first.
fn paths(root: &Path) -> Vec<PathBuf> {
    let (tree, _) = walk::directory(root).expect("the test's own tree");
    let host = |path: &Vec<u8>| {
        use std::os::unix::ffi::OsStrExt as _;
        root.join(std::ffi::OsStr::from_bytes(&path[1..]))
    };
    tree.files.keys().map(host).collect()
}

/// Gives each inode an owner of its own, below 3000, and sets the modes again, since chown(2)
/// clears some bits.
fn give_away(root: &Path) {
    for (index, path) in paths(root).iter().enumerate() {
        let found = fs::symlink_metadata(path).expect("it was walked");
        let index = u32::try_from(index).expect("few files");
        lchown(path, Some(index * 7 % 2999), Some(index * 13 % 2999)).expect("root may");
        if !found.is_symlink() {
            fs::set_permissions(path, found.permissions()).expect("root may");
        }
    }
}

/// Gives everything to the ordinary user, with meaningless modes.
fn scramble(root: &Path) {
    for path in paths(root) {
        lchown(&path, Some(NOBODY), Some(NOBODY)).expect("root may");
        let found = fs::symlink_metadata(&path).expect("it was walked");
        if !found.is_symlink() {
            let mode = if found.is_dir() { 0o700 } else { 0o600 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("root may");
        }
    }
}

/// Creates a tree of many owners and modes, and a copy that lost all of them.
fn tree_and_copy(scratch: &Scratch) -> Option<(PathBuf, PathBuf)> {
    let (tree, copy) = (scratch.join("tree"), scratch.join("copy"));
    let mut fixture = small::small();
    // The mode of a file with an ACL includes its mask, which no manifest stores.
    fixture.items.iter_mut().for_each(|item| item.xattrs.clear());
    // NetBSD's mtree truncates targets at 1,024 bytes.
    fixture.items.retain(|item| !matches!(&item.kind, Kind::Symlink(target) if target.len() > 1000));
    fixture.make(&tree);
    give_away(&tree);
    printed(judges::command("cp")?.arg("-a").arg(&tree).arg(&copy));
    scramble(&copy);
    Some((tree, copy))
}

fn kept(tree: &Path) -> String {
    printed(rootcast_as_root().args(["tree", "--owner", "keep"]).arg(tree))
}

/// Fails unless rootcast, as an ordinary user, reads `copy` as if it were `tree`.
fn check_owner(owner: &str, copy: &Path, tree: &Path) {
    let found = printed(rootcast().args(["tree", "--owner", owner]).arg(copy));
    let wanted = kept(tree);
    let differ = || wanted.lines().zip(found.lines()).find(|(wanted, found)| wanted != found);
    assert!(wanted == found, "--owner {owner}: expected, found: {:#?}", differ());
}

#[test]
fn manifests_of_bsdtar_restore_owners_and_modes() {
    if !may_give_away() {
        return;
    }
    let scratch = Scratch::new();
    let Some((tree, copy)) = tree_and_copy(&scratch) else { return };
    for options in ["", "all", "use-set", "indent", "use-set,indent", "!all,use-set,uid,gid,mode,type,link"] {
        let Some(mut bsdtar) = judges::command("bsdtar") else { return };
        if !options.is_empty() {
            bsdtar.arg(format!("--options=mtree:{}", options.replace(',', ",mtree:")));
        }
        let manifest = scratch.file("manifest", "");
        printed(bsdtar.arg("--format=mtree").arg("-C").arg(&tree).arg("-cf").arg(&manifest).arg("."));
        let text = fs::read_to_string(&manifest).expect("mtree is ASCII");
        assert!(text.lines().count() > 80, "{options}: {text}");
        assert_eq!(text.contains("/set "), options.contains("use-set"), "{options}");
        check_owner(manifest.to_str().expect("ASCII"), &copy, &tree);
    }
}

#[test]
fn manifests_of_mtree_restore_owners_and_modes() {
    if !may_give_away() {
        return;
    }
    let scratch = Scratch::new();
    let Some((tree, copy)) = tree_and_copy(&scratch) else { return };
    for keywords in [
        "uid,gid,mode,type,link",
        "uid,gid,mode,type,link,nlink,size,time,cksum",
        "uid,gid,mode,type,sha256,flags",
    ] {
        let Some(mut mtree) = judges::command("mtree") else { return };
        mtree.args(["-c", "-k", keywords, "-p"]).arg(&tree);
        let manifest = scratch.file("manifest", run(&mut mtree).success().unwrap().stdout);
        check_owner(manifest.to_str().expect("ASCII"), &copy, &tree);
    }
}

/// In the style of FreeBSD's `/etc/mtree/BSD.root.dist` and of the examples in its mtree(5).
const FREEBSD: &str = "\
#	@(#)mtree
#
# Please see the file src/etc/mtree/README before making changes to this file.
#

/set type=dir uname=root gname=wheel mode=0755
.
    bin
    ..
    boot
        defaults
        ..
        a\\040b\\134c	type=file \\
			mode=0444 \\
			uid=7
        dtb             tags=package=runtime mode=0711
        ..
    ..
/set type=file
    passwd          type=file mode=u=rw,go=r
/unset mode uname
    link            type=link link=bin gname=operator uid=5
    tmp             type=dir mode=01777 ignore
    ..
    missing         optional uid=1
..
./boot/late         type=file uid=9 gid=9 mode=4711
";

#[test]
fn manifests_in_the_style_of_freebsd_are_read() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    let directory = |path: &str| Item::new(path, Kind::Directory);
    let file = |path: &str, text: &str| Item::new(path, Kind::File(text.into())).mode(0o600);
    let items = vec![
        directory(""),
        directory("bin").mode(0o700),
        directory("boot").mode(0o700),
        directory("boot/defaults").mode(0o700),
        file("boot/a b\\c", ""),
        directory("boot/dtb"),
        file("boot/late", ""),
        directory("etc"),
        file("etc/passwd", "root:x:8:8::/:\n"),
        file("etc/group", "wheel:x:3:\noperator:x:5:\n"),
        file("passwd", ""),
        Item::new("link", Kind::Symlink(b"bin".to_vec())).mode(0o777),
        directory("tmp"),
    ];
    Fixture { items }.make(&source);
    let manifest = scratch.file("BSD.root.dist", FREEBSD);
    let text = printed(rootcast().args(["tree", "--owner"]).arg(&manifest).arg(&source));
    let found: Vec<String> = text
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .map(|fields| [fields[0], fields[2], fields[4], fields[5]].join(" "))
        .collect();
    let wanted = [
        "/ 40755 8 3",
        "/bin 40755 8 3",
        "/boot 40755 8 3",
        r"/boot/a\x20b\\c 100444 7 3",
        "/boot/defaults 40755 8 3",
        "/boot/dtb 40711 8 3",
        "/boot/late 104711 9 9",
        "/etc 40755 0 0",
        "/etc/group 100600 0 0",
        "/etc/passwd 100600 0 0",
        "/link 120777 5 5",
        "/passwd 100644 8 3",
        "/tmp 41777 0 3",
    ];
    assert_eq!(found, wanted, "{text}");
}

/// The commands in fakeroot, and the view of fakeroot's own programs.
const IN_FAKEROOT: &str = "set -e; cd \"$0\"; umask 022
mkdir etc dev bin; echo a > etc/a; echo b > etc/b; echo s > bin/su; ln etc/a etc/same; ln -s a etc/link
chown 0:42 etc/a; chown -h 12:13 etc/link; chmod 0640 etc/a; chown 33:34 etc/b etc
chown 0:0 bin/su; chmod u+s bin/su; chmod 2755 bin; chown 5:6 .
mknod dev/null c 1 3; mknod dev/sda b 8 17; mknod dev/big c 300 70000; chmod 666 dev/null; chown 0:6 dev/sda
mkfifo dev/pipe; chown 8:9 dev/pipe
find . -exec stat -c '%n|%f|%u|%g|%t|%T' {} +";

#[test]
fn saved_fakeroot_state_matches_what_its_programs_saw() {
    let scratch = Scratch::new();
    let (source, save) = (scratch.join("source"), scratch.join("save"));
    fs::create_dir(&source).expect("it is new");
    let Some(mut fakeroot) = judges::command("fakeroot") else { return };
    if judges::is_root() {
        lchown(&source, Some(NOBODY), Some(NOBODY)).expect("root may");
        // As root, fakeroot would change the real owners.
        fakeroot.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    let seen = printed(fakeroot.arg("-s").arg(&save).args(["--", "sh", "-c", IN_FAKEROOT]).arg(&source));
    let before = fs::metadata(source.join("etc/b")).expect("it was made").uid();
    assert_ne!(before, 33, "fakeroot does not pretend");

    let mut owner = std::ffi::OsString::from("fakeroot:");
    owner.push(&save);
    let text = printed(rootcast().args(["tree", "--owner"]).arg(owner).arg(&source));
    let mut found = Expected::from_dump(&text);
    let count = seen.lines().count();
    assert_eq!((count, found.files.len()), (13, 13), "{seen}{text}");
    for line in seen.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let path = fields[0].strip_prefix('.').filter(|path| !path.is_empty()).unwrap_or("/");
        let hexadecimal = |text: &str| u32::from_str_radix(text, 16).expect("stat prints numbers");
        let (mode, numbers) = (hexadecimal(fields[1]), (hexadecimal(fields[4]), hexadecimal(fields[5])));
        let file = found.file_mut(path);
        let (kind, device) = match file.kind {
            Found::Directory => (0o04, (0, 0)),
            Found::Regular(_) => (0o10, (0, 0)),
            Found::Symlink(_) => (0o12, (0, 0)),
            Found::CharacterDevice { major, minor } => (0o02, (major, minor)),
            Found::BlockDevice { major, minor } => (0o06, (major, minor)),
            Found::Fifo => (0o01, (0, 0)),
            Found::Socket => (0o14, (0, 0)),
        };
        let shown = format!("{:x}|{}|{}", kind << 12 | file.mode, file.uid, file.gid);
        assert_eq!(shown, format!("{mode:x}|{}|{}", fields[2], fields[3]), "{path}");
        assert_eq!(device, numbers, "{path}");
    }
}

#[test]
fn override_xattrs_of_containers_restore_owners() {
    if !may_give_away() {
        return;
    }
    let scratch = Scratch::new();
    let Some((tree, copy)) = tree_and_copy(&scratch) else { return };
    for (original, path) in paths(&tree).iter().zip(paths(&copy)) {
        let found = fs::symlink_metadata(original).expect("it was walked");
        if !(found.is_dir() || found.is_file()) {
            // User xattrs are for these two alone; the others default to root.
            for path in [original, &path] {
                lchown(path, Some(0), Some(0)).expect("root may");
            }
            if !found.is_symlink() {
                fs::set_permissions(&path, found.permissions()).expect("root may");
            }
            continue;
        }
        let (uid, gid, mode) = (found.uid(), found.gid(), found.mode() & 0o7777);
        let value = format!("{uid}:{gid}:0{mode:o}");
        let Some(mut setfattr) = judges::command("setfattr") else { return };
        let outcome =
            run(setfattr.args(["-n", "user.containers.override_stat", "-v", &value, "--"]).arg(path));
        if outcome.code != Some(0) {
            judges::skip("setfattr", &outcome.stderr);
            return;
        }
    }
    // A fifo of root's with mode 0620 is not readable by the ordinary user, and need not be: it is
    // never opened.
    check_owner("xattr", &copy, &tree);
}

#[test]
fn owners_shifted_by_a_user_namespace_are_mapped_back() {
    if !may_give_away() {
        return;
    }
    const SHIFT: u32 = 100_000;
    let scratch = Scratch::new();
    let Some((tree, copy)) = tree_and_copy(&scratch) else { return };
    for (original, path) in paths(&tree).iter().zip(paths(&copy)) {
        let found = fs::symlink_metadata(original).expect("it was walked");
        lchown(&path, Some(SHIFT + found.uid()), Some(SHIFT + found.gid())).expect("root may");
        if !found.is_symlink() {
            fs::set_permissions(&path, found.permissions()).expect("root may");
        }
    }
    // The values that the kernel stores for the root of a user namespace, and ACLs of its users.
    for (root, name, user) in [(&tree, None, 1234), (&copy, Some("100000"), SHIFT + 1234)] {
        let (Some(mut setcap), Some(mut setfacl)) = (judges::command("setcap"), judges::command("setfacl"))
        else {
            return;
        };
        let setcap = setcap.args(name.iter().flat_map(|id| ["-n", id]));
        printed(setcap.arg("cap_net_raw,cap_chown+ep").arg(root.join("contents/1")));
        printed(setfacl.args(["-m", &format!("u:{user}:rw,g:{user}:r")]).arg(root.join("contents/4095")));
    }
    let found = printed(rootcast_as_root().args(["tree", "--owner", "map:0:100000:65536"]).arg(&copy));
    assert!(found.contains("security.capability="), "{found}");
    assert!(found.contains("system.posix_acl_access="), "{found}");
    assert!(found == kept(&tree), "the shifted tree differs");
    let outcome = run(rootcast_as_root().args(["tree", "--owner", "map:0:100001:65536"]).arg(&copy));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("user 100000 is in no range of the map"), "{outcome}");
}

/// Texts of capabilities as in cap_from_text(3).
const CAPABILITIES: [&str; 14] = [
    "cap_net_raw+ep",
    "cap_net_bind_service=ep",
    "cap_chown,cap_fowner,cap_checkpoint_restore+p",
    "cap_net_raw=i",
    "cap_net_raw=eip",
    "cap_sys_admin=p cap_sys_admin+i",
    "cap_net_raw+p cap_net_raw+e",
    "cap_net_raw=ep cap_net_raw-e",
    "CAP_SETUID,Cap_SetGid=ep",
    "cap_mac_override,cap_audit_read,cap_bpf+pe",
    "all=ep",
    "=p",
    "=ep cap_sys_admin-ep",
    "21=ep",
];

#[test]
fn capabilities_match_those_of_the_kernel() {
    if !may_give_away() {
        return;
    }
    let scratch = Scratch::new();
    let source = scratch.join("source");
    Fixture { items: vec![Item::new("", Kind::Directory), Item::new("f", Kind::File(b"#!".to_vec()))] }
        .make(&source);
    let mut wrong = Vec::new();
    for text in CAPABILITIES {
        let program = scratch.file("program", "#!");
        let (Some(mut setcap), Some(mut getfattr)) = (judges::command("setcap"), judges::command("getfattr"))
        else {
            return;
        };
        printed(setcap.arg(text).arg(&program));
        getfattr.args(["--absolute-names", "--only-values", "-n", "security.capability"]);
        let stored = run(getfattr.arg(&program)).success().unwrap().stdout;
        let tree = printed(rootcast().arg("tree").arg("--setcap").arg(format!("/f:{text}")).arg(&source));
        let mut tree = Expected::from_dump(&tree);
        let found = tree.file_mut("/f").xattrs.remove(b"security.capability".as_slice());
        if found.as_ref() != Some(&stored) {
            wrong.push(format!("{text}: stored {}, found {found:02x?}", stored.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn xattrs_match_those_of_setfattr() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    let items = ["", "a", "b"].map(|path| match path {
        "" => Item::new(path, Kind::Directory),
        path => Item::new(path, Kind::File(path.into())),
    });
    Fixture { items: items.into() }.make(&source);
    let file = source.join("a");
    let mut edits = Vec::new();
    for (name, value) in [
        ("user.text", "with spaces, commas"),
        ("user.colon", "a:b=c"),
        ("user.hexadecimal", "0x00ff7F"),
        ("user.base64", "0sAAEC/w=="),
        ("user.empty", ""),
    ] {
        let Some(mut setfattr) = judges::command("setfattr") else { return };
        let outcome = run(setfattr.args(["-n", name, "-v", value]).arg(&file));
        if outcome.code != Some(0) {
            judges::skip("setfattr", &outcome.stderr);
            return;
        }
        edits.extend(["--xattr".to_owned(), format!("/b:{name}={value}")]);
    }
    let text = printed(rootcast().arg("tree").arg(&source).args(edits));
    let mut found = Expected::from_dump(&text);
    let (set, edited) = (found.file_mut("/a").xattrs.clone(), found.file_mut("/b").xattrs.clone());
    assert_eq!(set.len(), 5, "{text}");
    assert_eq!(set, edited);
    let (by_kernel, _) = walk::directory(&source).expect("the test's own tree");
    assert_eq!(by_kernel.files[b"/a".as_slice()].xattrs, edited);
}

/// A file that is readable for all by its mode, but not for one user by its ACL, is unreadable for
/// that user.
#[test]
fn a_file_unreadable_by_its_acl_is_reported() {
    if !may_give_away() {
        return;
    }
    let Some(mut setfacl) = judges::command("setfacl") else { return };
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    fs::create_dir(&root).expect("a new directory");
    let path = root.join("hidden");
    fs::write(&path, "x").expect("a new file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    printed(setfacl.args(["-m", "u:65534:---,m::r"]).arg(&path));
    let mode = fs::metadata(&path).expect("it was just made").permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "the mode lets all read");
    let outcome = run(rootcast().arg("tree").arg(&root));
    assert_ne!(outcome.code, Some(0));
    let said = outcome.stderr;
    assert!(said.contains("hidden") && said.contains("--unreadable"), "{said}");
    let outcome = run(rootcast_as(NOBODY - 1).arg("tree").arg(&root)).success();
    assert!(outcome.unwrap_or_else(|why| panic!("{why}")).text().contains("/hidden"));
}
