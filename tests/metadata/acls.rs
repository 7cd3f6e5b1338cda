//! Modes and POSIX ACLs stay consistent, as in the kernel: judged by chmod(1), setfacl(1) and
//! setfattr(1) on a real directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::judges;
use crate::metadata::owners::{may_give_away, printed};
use crate::oracle::{self, Expected, Owner};
use crate::product::{self, Scratch, rootcast_as_root, run};
use crate::sources::tar::builder::Archive;

/// Creates files with ACLs, one file for each name: by name, by mask alone, of a group, and
/// inherited ones.
const MADE: &str = r#"
set -e; umask 022; mkdir -p t/d/inner; cd t
for f in named masked group removed plain low high manifest set set-plain set-none link-target; do echo $f >$f; done
ln -s link-target link
chmod 660 named low high manifest; setfacl -m u:1000:rwx named low high manifest
chmod 640 masked; setfacl -m m::r masked
chmod 2750 group; setfacl -m g:50:rw,u:7:x group
chmod 644 removed plain set set-plain set-none; setfacl -m u:1000:rw removed set-none
chmod 1770 d; setfacl -m u:1000:rwx d; setfacl -d -m u:1000:rwx d
"#;

/// Values of xattrs as returned by getxattr(2), in hexadecimal: with user 1000, and with mode
/// entries only.
const NAMED: &str =
    "0x0200000001000600ffffffff02000700e803000004000400ffffffff10000700ffffffff20000000ffffffff";
const AS_A_MODE: &str = "0x0200000001000600ffffffff04000400ffffffff20000100ffffffff";

const BY_TOOLS: &str = r#"
set -e
chmod 0644 named; chmod 0444 low; chmod u=,go=rwx high; chmod 0601 manifest
chmod g=rwx,o= masked; chmod o+x,g-w group; chmod 4711 plain
setfattr -x system.posix_acl_access removed
setfattr -n system.posix_acl_access -v $NAMED set
setfattr -n system.posix_acl_access -v $AS_A_MODE set-plain
setfattr -n system.posix_acl_access -v $AS_A_MODE set-none
chmod 0755 d; setfattr -n system.posix_acl_default -v $NAMED d/inner
"#;

const BY_ROOTCAST: &str = "\
--chmod /named:0644 --chmod /low:0444 --chmod /high:u=,go=rwx
--chmod /masked:g=rwx,o= --chmod /gr*:o+x,g-w --chmod /plain:4711
--xattr /removed:system.posix_acl_access=
--xattr /set:system.posix_acl_access={named}
--xattr /set-*:system.posix_acl_access={mode}
--chmod /d:0755 --xattr /d/*:system.posix_acl_default={named}";

fn flags() -> Vec<String> {
    let text = BY_ROOTCAST.replace("{named}", NAMED).replace("{mode}", AS_A_MODE);
    text.split_whitespace().map(str::to_owned).collect()
}

fn shell(directory: &Path, script: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).current_dir(directory).env("NAMED", NAMED).env("AS_A_MODE", AS_A_MODE);
    printed(&mut shell);
}

/// Makes the files of [`MADE`]; `false` after a visible skip.
fn make(scratch: &Scratch) -> bool {
    let tools = ["setfacl", "setfattr"].map(judges::locate);
    let ready = may_give_away() && tools.iter().all(Option::is_some);
    if ready {
        shell(scratch.path(), MADE);
    }
    ready
}

#[test]
fn modes_and_acls_change_together_as_in_the_kernel() {
    let scratch = Scratch::new();
    if !make(&scratch) {
        return;
    }
    let (source, copy, image) = (scratch.join("t"), scratch.join("copy"), scratch.join("image"));
    printed(judges::command("cp").expect("coreutils").arg("-a").arg(&source).arg(&copy));
    let before = Expected::from_directory(&source, Owner::Keep);
    shell(&copy, BY_TOOLS);
    let mut expected = Expected::from_directory(&copy, Owner::Keep);
    for (path, file) in &mut expected.files {
        file.mtime = before.files.get(path).and_then(|file| file.mtime);
    }
    let acl = b"system.posix_acl_access".as_slice();
    let has_acl = |path: &str| expected.files[path.as_bytes()].xattrs.contains_key(acl);
    assert!(has_acl("/named") && has_acl("/set") && !has_acl("/set-none"), "the tools did their work");
    assert_eq!(expected.files[b"/set".as_slice()].mode, 0o670);
    let manifest = scratch.file("owners.mtree", "#mtree\n./manifest mode=0601\n");
    let mut command = rootcast_as_root();
    command.arg("image").arg(&source).args(["--layout", "bare", "-o"]).arg(&image);
    run(command.arg("--owner").arg(&manifest).args(flags())).success().unwrap_or_else(|why| panic!("{why}"));
    oracle::judge(&image, None, &expected);
}

#[test]
fn the_acl_of_an_archive_sets_the_mode() {
    let scratch = Scratch::new();
    let value = |hexadecimal: &str| {
        let digits = hexadecimal.trim_start_matches("0x").as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect::<Vec<u8>>()
    };
    let named = value(NAMED);
    let archive = Archive::new()
        .pax(b'x', &[("SCHILY.xattr.system.posix_acl_access", &named)])
        .file("by-xattr", "")
        .pax(b'x', &[("SCHILY.xattr.system.posix_acl_access", &value(AS_A_MODE))])
        .file("by-xattr-plain", "")
        .pax(b'x', &[("SCHILY.acl.access", b"user::rw-,user:1000:rwx,group::r--,mask::rwx,other::---")])
        .file("by-text", "")
        .pax(b'x', &[("SCHILY.xattr.system.posix_acl_access", &named)])
        .link("link", b'2', "by-text")
        .finish();
    let archive = scratch.file("acls.tar", archive);
    let text = printed(product::rootcast().arg("tree").arg(archive));
    let lines: Vec<_> = text.lines().map(|line| line.split(' ').collect::<Vec<_>>()).collect();
    let found = |path: &str| {
        let line = lines.iter().find(|line| line[0] == path).unwrap_or_else(|| panic!("{path}: {text}"));
        (line[2].to_owned(), line.iter().any(|field| field.starts_with("system.posix_acl_access=")))
    };
    assert_eq!(found("/by-xattr"), ("100670".to_owned(), true));
    assert_eq!(found("/by-xattr-plain"), ("100641".to_owned(), false));
    assert_eq!(found("/by-text"), ("100670".to_owned(), true));
    assert_eq!(found("/link").0, "120644", "a link has no ACL for its mode to follow");
}

#[test]
fn invalid_acls_are_rejected() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("t")).unwrap();
    fs::write(scratch.join("t/file"), "").unwrap();
    std::os::unix::fs::symlink("file", scratch.join("t/link")).unwrap();
    for (edit, expected) in [
        (format!("/file:system.posix_acl_default={NAMED}"), "/file is not a directory"),
        (format!("/link:system.posix_acl_access={NAMED}"), "/link is a symbolic link"),
        (format!("/f*:system.posix_acl_default={NAMED}"), "nothing that matches can have this ACL"),
        ("/file:system.posix_acl_access=0x02000000".to_owned() + "01", "is not a POSIX ACL"),
    ] {
        let outcome = run(product::rootcast().arg("tree").arg(scratch.join("t")).args(["--xattr", &edit]));
        assert!(matches!(outcome.code, Some(2 | 3)), "{edit}: {outcome}");
        assert!(outcome.stderr.contains(expected), "{edit}: {outcome}");
    }
}
