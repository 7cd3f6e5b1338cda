//! Modules of a small tree.

use image_tree::{Kind as FileKind, Tree};

use super::*;
use crate::closure::dependency::Target;
use crate::closure::result::reason::Kind;
use crate::closure::testing::{add, kernel_module as module, tree};

/// A tree with a merged `/usr` and modules of the version 1.
fn with_modules() -> Tree<Vec<u8>> {
    let mut tree = tree(&[
        ("/lib", "-> usr/lib"),
        ("/usr/lib/modules/1/modules.builtin", "kernel/lib/crc.ko\n"),
        ("/usr/lib/modules/1/modules.order", ""),
        ("/usr/lib/modules/file", ""),
        ("/usr/lib/firmware/plain.bin", ""),
        ("/usr/lib/firmware/updates/1/d/one.fw.xz", ""),
        ("/usr/lib/firmware/d/two.fw", ""),
        ("/etc/modprobe.d/a.conf", "alias net-x top\nblacklist top\nsoftdep leaf pre: soft none crc\nfoo\n"),
        ("/usr/lib/modprobe.d/a.conf", "install top /bin/false\n"),
        ("/usr/lib/modprobe.d/b.conf", "install cmd /bin/true --now\n"),
    ]);
    let mut file = |name: &str, lines: &[&str]| {
        add(&mut tree, &format!("/usr/lib/modules/1/kernel/{name}"), FileKind::Regular(module(lines)));
    };
    file("t/top.ko", &["alias=pci:v1d*", "depends=mid-dle,crc", "weakdep=weak"]);
    file("m/mid-dle.ko", &["depends=leaf", "firmware=plain.bin", "firmware=d/*.fw", "firmware=gone.bin"]);
    file("leaf.ko", &["depends="]);
    file("soft.ko", &["firmware=../escape"]);
    file("weak.ko", &[]);
    file("cmd.ko", &[]);
    tree
}

fn wanted(names: &[&str]) -> KernelModules {
    let names = names.iter().map(|name| parse(name.as_bytes()).expect("a name")).collect();
    KernelModules { names, ..KernelModules::default() }
}

/// Returns the files of modules and firmware, with the last part of the file that needs each.
fn found(tree: &Tree<Vec<u8>>, wanted: &KernelModules) -> (Vec<String>, Vec<String>) {
    let found = dependencies(tree, wanted).expect("it can be read");
    let mut files = Vec::new();
    for one in found.known.iter().filter(|one| matches!(one.kind, Kind::Module | Kind::Firmware)) {
        let Target::File(paths) = &one.target else { panic!("{one:?}") };
        let by = one
            .by
            .as_ref()
            .map_or(String::new(), |by| format!(" < {}", image_tree::path::base_name(by).escape_ascii()));
        files.push(format!("{}{by}", paths[0].escape_ascii()));
    }
    (files, found.unknown)
}

const MIDDLE: &str = "/lib/modules/1/kernel/m/mid-dle.ko";
const LEAF: &str = "/lib/modules/1/kernel/leaf.ko";

/// Lines of `modules.dep` for all modules but top and leaf.
const OTHERS: &[u8] = b"kernel/m/mid-dle.ko:\nkernel/soft.ko:\nkernel/weak.ko:\nkernel/cmd.ko:\n";

#[test]
fn modules_bring_what_they_need() {
    let tree = with_modules();
    let (files, unknown) = found(&tree, &wanted(&["top"]));
    let expected = [
        "/lib/modules/1/kernel/t/top.ko".to_owned(),
        format!("{LEAF} < top.ko"),
        format!("{MIDDLE} < top.ko"),
        "/lib/modules/1/kernel/soft.ko < leaf.ko".to_owned(),
        format!("{LEAF} < mid-dle.ko"),
        "/lib/firmware/plain.bin < mid-dle.ko".to_owned(),
        "/lib/firmware/updates/1/d/one.fw.xz < mid-dle.ko".to_owned(),
        "/lib/firmware/d/two.fw < mid-dle.ko".to_owned(),
    ];
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    assert_eq!(sorted(files), sorted(expected.into()));
    assert_eq!(
        unknown,
        [
            "2 of 4 files of firmware that kept modules name are not in the tree, such as gone.bin of mid_dle",
            "/etc/modprobe.d/a.conf:4: modprobe ignores this line, which begins with foo"
        ]
    );
    let weak = KernelModules { weak: true, ..wanted(&["top"]) };
    assert!(found(&tree, &weak).0.contains(&"/lib/modules/1/kernel/weak.ko < top.ko".to_owned()));
}

#[test]
fn names_aliases_and_patterns_select_modules() {
    let tree = with_modules();
    let first = |name: &str| found(&tree, &wanted(&[name])).0.first().cloned();
    assert_eq!(first("mid_dle").as_deref(), Some(MIDDLE));
    assert_eq!(first("mid-*").as_deref(), Some(MIDDLE));
    assert_eq!(first("pci:v1d2").as_deref(), Some("/lib/modules/1/kernel/t/top.ko"));
    assert_eq!(first("crc"), None, "it is built in");
    let (files, unknown) = found(&tree, &wanted(&["net-x"]));
    assert!(
        files[0].ends_with("top.ko") && unknown[0].contains("modprobe.d puts on the blacklist"),
        "{unknown:?}"
    );
    let (files, unknown) = found(&tree, &wanted(&["cmd"]));
    assert!(files[0].ends_with("cmd.ko") && unknown[0].contains("\"/bin/true --now\""), "{unknown:?}");
    for bad in ["", "[", "a]"] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn indices_say_what_modules_need() {
    let mut tree = with_modules();
    let dep = [OTHERS, b"kernel/t/top.ko: kernel/gone.ko kernel/leaf.ko\nkernel/leaf.ko:\nkernel/gone.ko:\n"];
    add(&mut tree, "/usr/lib/modules/1/modules.dep", FileKind::Regular(dep.concat()));
    add(&mut tree, "/usr/lib/modules/1/modules.alias", FileKind::Regular(b"alias x:* leaf\n".to_vec()));
    let (files, _) = found(&tree, &wanted(&["top"]));
    assert!(files.contains(&format!("{LEAF} < top.ko")), "{files:?}");
    assert!(files.contains(&"/lib/modules/1/kernel/gone.ko < top.ko".to_owned()), "{files:?}");
    assert_eq!(found(&tree, &wanted(&["x:y"])).0[0], LEAF);
    // They are those of other modules if one was added.
    let top = |tree: &Tree<Vec<u8>>| found(tree, &wanted(&["top"])).0;
    assert!(!top(&tree).contains(&format!("{MIDDLE} < top.ko")));
    add(&mut tree, "/usr/lib/modules/1/kernel/added.ko", FileKind::Regular(module(&[])));
    assert!(top(&tree).contains(&format!("{MIDDLE} < top.ko")));
}

#[test]
fn optional_modules_may_be_missing() {
    let mut tree = with_modules();
    let optional =
        |names: &[&str]| KernelModules { optional: wanted(names).names, ..KernelModules::default() };
    let (files, unknown) = found(&tree, &optional(&["leaf", "none", "no*", "crc", "mid-*"]));
    assert!(files.contains(&LEAF.to_owned()) && files.contains(&MIDDLE.to_owned()), "{files:?}");
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    // The indices name one that was removed.
    let dep = b"kernel/gone.ko:\nkernel/leaf.ko:\n";
    add(&mut tree, "/usr/lib/modules/2/modules.dep", FileKind::Regular(dep.to_vec()));
    add(&mut tree, "/usr/lib/modules/2/kernel/leaf.ko", FileKind::Regular(module(&[])));
    let second = |wanted: KernelModules| KernelModules { version: Some(b"2".to_vec()), ..wanted };
    let files = found(&tree, &second(optional(&["gone", "leaf"]))).0;
    assert_eq!(files, ["/lib/modules/2/kernel/leaf.ko"]);
    assert_eq!(found(&tree, &second(wanted(&["gone"]))).0, ["/lib/modules/2/kernel/gone.ko"]);
    let several = dependencies(&tree, &optional(&["leaf"])).expect_err("there are two").to_string();
    assert!(several.contains("choose one by --kver"), "{several}");
    let empty = crate::closure::testing::tree(&[("/lib/x", "")]);
    assert_eq!(found(&empty, &optional(&["leaf"])), (Vec::new(), Vec::new()));
    assert_eq!(directory(&empty, &optional(&["leaf"])).expect("none is needed"), None);
}

#[test]
fn modules_and_their_needs_are_limited() {
    let error = |tree: &Tree<Vec<u8>>, name: &str| {
        dependencies(tree, &wanted(&[name])).expect_err("it is too much").to_string()
    };
    let mut tree = with_modules();
    let many = [OTHERS, b"kernel/leaf.ko:\nkernel/t/top.ko:"].concat();
    let many = many.iter().copied().chain(b" leaf.ko".repeat(1 + (1 << 20)));
    add(&mut tree, "/usr/lib/modules/1/modules.dep", FileKind::Regular(many.collect()));
    let limit = "/usr/lib/modules/1: its modules need more than 1048576 others in all";
    assert_eq!(error(&tree, "top"), limit);
    let mut tree = with_modules();
    let many = b"softdep soft pre:".iter().copied().chain(b" x".repeat(1 + (1 << 20)));
    let all = [OTHERS, b"kernel/leaf.ko:\nkernel/t/top.ko:\n"].concat();
    let texts = [("dep", all), ("softdep", many.collect())];
    for (name, text) in texts {
        add(&mut tree, &format!("/usr/lib/modules/1/modules.{name}"), FileKind::Regular(text));
    }
    assert_eq!(error(&tree, "soft"), limit);

    let mut tree = with_modules();
    let large = module(&vec!["alias="; 590_000]);
    for number in 0..19 {
        let path = format!("/usr/lib/modules/1/{number}.ko");
        add(&mut tree, &path, FileKind::Regular(large.clone()));
    }
    let limit = "/usr/lib/modules/1: its modules have more than 268435456 bytes of values and symbols";
    assert_eq!(error(&tree, "top"), limit);
}

#[test]
fn bad_requests_name_the_way_out() {
    let mut tree = with_modules();
    let error = |tree: &Tree<Vec<u8>>, names: &[&str], version: Option<&str>| {
        let version = version.map(|version| version.as_bytes().to_vec());
        let wanted = KernelModules { version, ..wanted(names) };
        dependencies(tree, &wanted).expect_err("it is wrong").to_string()
    };
    let none =
        "midle: no module of 1 has this name or alias, and none is built in; similar names are mid_dle";
    assert_eq!(error(&tree, &["midle"], None), none);
    assert_eq!(
        error(&tree, &["zzz*"], None),
        "zzz*: no module of 1 has this name or alias, and none is built in"
    );
    let there = "--kver 2: the tree has no such version in /lib/modules; it has 1";
    assert_eq!(error(&tree, &["top"], Some("2")), there);
    assert_eq!(error(&tree, &["top"], Some("file")), "--kver file: /lib/modules/file is not a directory");
    add(&mut tree, "/usr/lib/modules/0/x", FileKind::Regular(Vec::new()));
    let several = "the tree has modules of several versions; choose one by --kver: 0, 1";
    assert_eq!(error(&tree, &["top"], None), several);
    add(&mut tree, "/usr/lib/modules/0/bad.ko", FileKind::Regular(b"\x7fELF".to_vec()));
    let corrupt = error(&tree, &["bad"], Some("0"));
    assert!(corrupt.starts_with("/usr/lib/modules/0/bad.ko: not a valid kernel module: "), "{corrupt}");
    add(&mut tree, "/usr/lib/modules/3/bad.ko.xz", FileKind::Regular(b"\xfd7zXZ\0 and not".to_vec()));
    let corrupt = error(&tree, &["bad"], Some("3"));
    assert!(corrupt.starts_with("/usr/lib/modules/3/bad.ko.xz: it cannot be decompressed: "), "{corrupt}");
    let empty = crate::closure::testing::tree(&[("/lib/x", "")]);
    assert_eq!(error(&empty, &["top"], None), Error::NoVersion.to_string());
    assert_eq!(found(&empty, &KernelModules::default()), (Vec::new(), Vec::new()));
}
