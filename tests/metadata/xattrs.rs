//! Extended attributes that cannot be read, that Linux rejects, or that it ignores.

use std::fs;
use std::process::Command;

use crate::judges;
use crate::metadata::owners::{may_give_away, printed};
use crate::oracle::kernel::{Access, Mount};
use crate::oracle::{Volume, e2fsck};
use crate::product::{Scratch, rootcast, rootcast_as_root, run};
use crate::sources::tar::builder::Archive;

/// Returns a command whose reads of xattrs are rejected by the kernel; `None` after a visible skip.
fn without_values(command: &Command) -> Option<Command> {
    let mut traced = judges::command("strace")?;
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=getxattr,lgetxattr,fgetxattr"]);
    traced.args(["-e", "inject=getxattr,lgetxattr,fgetxattr:error=EOPNOTSUPP"]);
    traced.arg(command.get_program()).args(command.get_args());
    Some(traced)
}

#[test]
fn a_label_that_is_dropped_need_not_be_readable() {
    if !may_give_away() {
        return;
    }
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("labelled"), "").unwrap();
    let Some(mut setfattr) = judges::command("setfattr") else { return };
    printed(setfattr.args(["-n", "security.selinux", "-v", "u:r:t"]).arg(tree.join("labelled")));
    let mut command = rootcast_as_root();
    command.arg("tree").arg(&tree);
    let plain = printed(&mut command);
    let Some(mut traced) = without_values(&command) else { return };
    let outcome = run(&mut traced).success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(outcome.text(), plain);
    assert!(outcome.stderr.contains("security.selinux of 1 file "), "{outcome}");

    command.args(["--xattr-filter", "keep=security.selinux"]);
    assert!(printed(&mut command).contains("security.selinux=u:r:t"), "a rule keeps the label");
    let outcome = run(&mut without_values(&command).expect("it was there"));
    assert_eq!(outcome.code, Some(6), "{outcome}");
    assert!(outcome.stderr.contains("xattr security.selinux cannot be read"), "{outcome}");
    assert!(outcome.stderr.contains("--xattr-filter 'drop=security.selinux'"), "{outcome}");
}

#[test]
fn the_flag_suggested_for_macos_attributes_drops_them() {
    let scratch = Scratch::new();
    let records: &[(&str, &[u8])] = &[
        ("LIBARCHIVE.xattr.com.apple.provenance", b"AQI"),
        ("SCHILY.xattr.com.apple.FinderInfo", b"x"),
        ("SCHILY.xattr.user.kept", b"y"),
    ];
    let archive = Archive::new().pax(b'x', records).file("file", "").finish();
    let archive = scratch.file("mac.tar", archive);
    let image = |flags: &[&str]| {
        let mut command = rootcast();
        command.arg("image").arg(&archive).args(["-o"]).arg(scratch.join("image"));
        run(command.args(["--layout", "bare"]).args(flags))
    };
    let outcome = image(&[]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let (_, rest) = outcome.stderr.split_once("--xattr-filter '").expect("the flag is named");
    let (rule, _) = rest.split_once('\'').expect("in quotation marks");
    let outcome = image(&["--xattr-filter", rule, "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.text().contains("xattr com.apple.provenance"), "the report counts them: {outcome}");
    let Some(mut getfattr) = judges::command("debugfs") else { return };
    let listed = printed(getfattr.args(["-R", "ea_list /file"]).arg(scratch.join("image")));
    assert!(listed.contains("user.kept") && !listed.contains("apple"), "{listed}");
}

/// A list with only the three entries of a mode.
const PLAIN_ACL: &str = r"\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x04\x00\x04\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff";

/// The reported attributes are those that the kernel ignores, and e2fsck accepts those that are
/// kept.
#[test]
fn reported_attributes_are_those_the_kernel_ignores() {
    let scratch = Scratch::new();
    let dump = format!(
        "/ 0 40755 2 0 0 0 0.0 - - -\n\
         /fifo 0 10644 1 0 0 0 0.0 - - - user.a=b\n\
         /file 0 100644 1 0 0 0 0.0 - - - system.foo=x system.posix_acl_access=x system.posix_acl_default={PLAIN_ACL}\n\
         /link 4 120777 1 0 0 0 0.0 file - - user.a=b system.posix_acl_access={PLAIN_ACL}\n\
         /program 2 100755 1 0 0 0 0.0 - #! - security.capability=x\n"
    );
    let dump = scratch.file("tree.dump", dump);
    let image = scratch.join("image");
    let outcome =
        run(rootcast().arg("image").arg(dump).args(["--layout", "bare", "-q", "-o"]).arg(&image)).success();
    let outcome = outcome.unwrap_or_else(|why| panic!("{why}"));
    let warnings = [
        "2 files have a user.* xattr, which Linux gives to regular files and directories only: kept",
        "1 file has a security.capability that is malformed: kept",
        "1 file has an ACL and is a symbolic link: kept",
        "1 file has a default ACL and is not a directory: kept",
        "1 file has an ACL that is malformed: dropped",
        "1 file has a system.* xattr that ext4 does not know: kept",
    ];
    for warning in warnings {
        assert!(outcome.stderr.contains(warning), "{warning}: {outcome}");
    }
    assert_eq!(outcome.stderr.lines().count(), warnings.len(), "{outcome}");
    let volume = Volume::new(&image, None);
    e2fsck::check(&volume).unwrap_or_else(|why| panic!("{why}"));
    if !judges::may_mount() {
        return;
    }
    let Some(mount) = Mount::new(&volume, Access::ReadOnly).unwrap_or_else(|why| panic!("{why}")) else {
        return;
    };
    let Some(mut getfattr) = judges::command("getfattr") else { return };
    let seen = run(getfattr.args(["-h", "-d", "-m", "-", "fifo", "link"]).current_dir(mount.path()));
    assert!(!seen.text().contains("user.a="), "the kernel shows them: {seen}");
    let mut getfattr = judges::command("getfattr").expect("it was there");
    let refused = run(getfattr.args(["-n", "security.capability", "program"]).current_dir(mount.path()));
    assert!(refused.stderr.contains("Invalid argument"), "the kernel takes it: {refused}");
}
