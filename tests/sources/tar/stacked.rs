//! Archives stacked over each other, judged by GNU tar that unpacks one after the other, and
//! slightly invalid archives.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use rootcast::interrupt::Interrupt;
use rootcast::source::tar::{Limits, Reader, Unchanged};
use rootcast::stack::{Rules, Stack};

use super::builder::{Archive, put};
use super::expected;
use crate::judges;
use crate::oracle::Expected;
use crate::oracle::expected::{Kind, Owner, Sees};
use crate::product::{Scratch, rootcast, rootcast_as_root, run};

/// Returns the result of several archives. Times are ignored: directories without a member have the
/// time of the run.
fn stacked(archives: &[&[u8]], rules: Rules) -> Result<Expected, String> {
    let mut stack = Stack::new(rules);
    let interrupt = Interrupt::never();
    for archive in archives {
        let reader = Reader::bytes(archive, Limits::DEFAULT, &interrupt);
        reader.add_to(&mut stack, &mut Unchanged).map_err(|error| error.to_string())?;
    }
    Ok(without_times(expected(&stack.finish())))
}

fn without_times(mut tree: Expected) -> Expected {
    for (path, file) in &mut tree.files {
        file.mtime = None;
        match file.kind {
            // Linux gives every link this mode.
            Kind::Symlink(_) => file.mode = 0o777,
            _ if path == b"/" => file.mode = 0o755,
            _ => {}
        }
    }
    tree
}

/// Returns the result of GNU tar for the same archives in an empty directory, or its error if it
/// rejects a member; `None` if it is not available.
fn unpacked(archives: &[&[u8]], flags: &[&str]) -> Option<Result<Expected, String>> {
    if !judges::is_root() {
        judges::skip("tar", "only root can give files away");
        return None;
    }
    let scratch = Scratch::new();
    let directory = scratch.join("unpacked");
    fs::create_dir(&directory).unwrap();
    for archive in archives {
        let archive = scratch.file("archive.tar", archive);
        let mut tar = judges::command("tar")?;
        tar.args(["--same-owner", "--same-permissions", "--numeric-owner"]).args(flags);
        if let Err(why) = run(tar.arg("-C").arg(&directory).arg("-xf").arg(&archive)).success() {
            return Some(Err(why));
        }
    }
    Some(Ok(without_times(Expected::from_directory(&directory, Owner::Keep))))
}

fn agree(archives: &[&[u8]], keep_directory_symlink: bool) {
    let flags: &[&str] = if keep_directory_symlink { &["--keep-directory-symlink"] } else { &[] };
    let rules = Rules { keep_directory_symlink, ..Rules::default() };
    let found = stacked(archives, rules).unwrap();
    if let Some(unpacked) = unpacked(archives, flags) {
        let compared = unpacked.and_then(|unpacked| unpacked.compare(&found, Sees::EVERYTHING));
        compared.unwrap_or_else(|why| panic!("{why}"));
    }
}

fn usr() -> Archive {
    Archive::new()
        .directory("usr/", 0o755)
        .directory("usr/lib/", 0o750)
        .file("usr/lib/a", "lower")
        .link("lib", b'2', "usr/lib")
        .link("lib64", b'2', "lib")
        .file("hard", "lower")
}

#[test]
fn stacked_archives_match_gnu_tar() {
    let base = usr().finish();
    let uppers = [
        Archive::new().file("lib/modules/m.ko", "module").finish(),
        Archive::new().file("lib64/modules/m.ko", "module").file("usr/lib/a", "upper").finish(),
        Archive::new().link("d/link", b'1', "hard").link("usr/lib/b", b'1', "usr/lib/a").finish(),
        Archive::new().link("b", b'1', "lib/a").link("l", b'1', "lib").finish(),
        Archive::new().link("b", b'1', "hard").file("hard", "upper").finish(),
        Archive::new().directory("lib/", 0o700).file("lib/x", "upper").finish(),
        Archive::new().directory("lib64/", 0o711).file("lib64/y/z", "upper").finish(),
        Archive::new().directory("usr/lib/", 0o700).file("lib/x", "upper").finish(),
        Archive::new().file("lib", "upper").finish(),
    ];
    for upper in &uppers {
        for keep in [false, true] {
            agree(&[&base, upper], keep);
        }
    }
    let both = usr().file("lib/modules/m.ko", "module").directory("lib/", 0o700).file("lib/x", "").finish();
    for keep in [false, true] {
        agree(&[&both], keep);
    }
}

/// Returns a member of two archives with few names.
fn member() -> impl Strategy<Value = (String, u8, String)> {
    let path = || prop_oneof!["[abc]", "[abc]/[abc]", "[abc]/[abc]/[abc]"];
    let flag = prop_oneof![3 => Just(b'0'), 2 => Just(b'5'), 3 => Just(b'2'), 1 => Just(b'1')];
    // A target that leads out of the directory would lead out of the judge's too.
    (path(), flag, prop_oneof!["[abc]", "[abc]/[abc]"])
}

fn archive(members: &[(String, u8, String)], contents: &str) -> Vec<u8> {
    let mut archive = Archive::new();
    for (path, flag, target) in members {
        archive = match flag {
            b'0' => archive.file(path, contents),
            b'5' => archive.directory(&format!("{path}/"), 0o711),
            // The mode of symbolic links on Linux.
            _ => archive.raw(path.as_bytes(), *flag, 0, b"", |header| {
                put(header, 157, target);
                put(header, 100, "0000777");
            }),
        };
    }
    archive.finish()
}

#[test]
fn random_stacked_archives_match_gnu_tar() {
    const CASES: u32 = 200;
    let config = ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let members = || prop::collection::vec(member(), 1..4);
    let (mut judged, refused) = (Cell::new(0), Cell::new(0));
    let outcome =
        TestRunner::new(config).run(&(members(), members(), any::<bool>()), |(lower, upper, keep)| {
            let base =
                Archive::new().directory("a/", 0o755).link("b", b'2', "a").file("c/a", "base").finish();
            let (lower, upper) = (archive(&lower, "lower"), archive(&upper, "upper"));
            let flags: &[&str] = if keep { &["--keep-directory-symlink"] } else { &[] };
            match unpacked(&[&base, &lower, &upper], flags) {
                None => {}
                // A member that it rejects, such as a file in place of a non-empty directory, may
                // be accepted here.
                Some(Err(_)) => refused.set(refused.get() + 1),
                Some(Ok(unpacked)) => {
                    let rules = Rules { keep_directory_symlink: keep, ..Rules::default() };
                    let found = stacked(&[&base, &lower, &upper], rules);
                    let compared = found.and_then(|found| unpacked.compare(&found, Sees::EVERYTHING));
                    prop_assert!(compared.is_ok(), "{}", compared.unwrap_err());
                    judged.set(judged.get() + 1);
                }
            }
            Ok(())
        });
    outcome.unwrap_or_else(|why| panic!("{why}"));
    let is_judged = *judged.get_mut() > 0 || refused.get() > 0;
    assert!(!is_judged || *judged.get_mut() >= CASES / 8, "{judged:?} were judged, {refused:?} refused");
}

/// Returns the first fields of each line of a dump: path, size, mode, link count, user and group.
fn lines(command: &mut Command) -> (Vec<String>, String) {
    let outcome = run(command).success().unwrap_or_else(|why| panic!("{why}"));
    let text = outcome.text();
    let lines = text.lines().map(|line| line.split(' ').take(6).collect::<Vec<_>>().join(" "));
    (lines.collect(), outcome.stderr)
}

#[test]
fn a_directory_over_a_symlink_is_reported_and_a_flag_keeps_the_link() {
    let scratch = Scratch::new();
    let base = scratch.file("base.tar", usr().finish());
    let upper = scratch.file("upper.tar", Archive::new().directory("lib/", 0o755).file("lib/x", "").finish());
    let (replaced, warned) = lines(rootcast().arg("tree").arg(&base).arg(&upper));
    assert!(replaced.contains(&"/lib/x 0 100644 1 0 0".to_owned()), "{replaced:?}");
    let expected =
        "upper.tar: /lib: a symbolic link replaced by a directory; --keep-directory-symlink keeps the link";
    assert!(warned.contains(expected), "{warned}");
    let (kept, warned) = lines(rootcast().args(["tree", "--keep-directory-symlink"]).arg(&base).arg(&upper));
    assert!(kept.contains(&"/usr/lib/x 0 100644 1 0 0".to_owned()), "{kept:?}");
    assert_eq!(warned, "");
}

#[test]
fn whiteouts_are_reported_kept_or_applied() {
    let scratch = Scratch::new();
    let base = scratch.file("base.tar", Archive::new().file("a", "").file("d/b", "").file("k", "").finish());
    let upper = Archive::new().file(".wh.a", "").file("d/.wh..wh..opq", "").file("d/n", "").finish();
    let upper = scratch.file("upper.tar", upper);
    let tree = |flags: &[&str]| lines(rootcast().arg("tree").args(flags).arg(&base).arg(&upper));
    let paths = |lines: &[String]| {
        lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ["/", "/.wh.a", "/a", "/d", "/d/.wh..wh..opq", "/d/b", "/d/n", "/k"];
    let (found, warned) = tree(&[]);
    assert_eq!(paths(&found), all);
    for part in ["1 whiteout .wh.NAME, 1 marker", "the first one /.wh.a; --whiteouts apply"] {
        assert!(warned.contains(part), "{warned}");
    }
    let (found, warned) = tree(&["--whiteouts", "keep"]);
    assert_eq!((paths(&found), warned.as_str()), (all.map(str::to_owned).to_vec(), ""));
    let (found, warned) = tree(&["--whiteouts", "apply"]);
    assert_eq!(paths(&found), ["/", "/d", "/d/n", "/k"]);
    assert_eq!(warned, "");
}

/// An archive of an upper directory of overlayfs: a directory that replaced a link is opaque, and
/// the whiteouts are hard links of one device.
#[test]
fn an_archive_of_an_upper_directory_of_overlayfs_is_applied() {
    let scratch = Scratch::new();
    let base = usr().file("f", "lower").file("g", "lower").finish();
    let upper = Archive::new()
        .file("lib/.wh..wh..opq", "")
        .directory("lib/", 0o755)
        .link("f", b'3', "")
        .link("g", b'1', "f")
        .finish();
    let (base, upper) = (scratch.file("base.tar", base), scratch.file("upper.tar", upper));
    let (found, _) = lines(rootcast().args(["tree", "--whiteouts", "apply"]).arg(base).arg(upper));
    let paths: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(paths, ["/", "/hard", "/lib", "/lib64", "/usr", "/usr/lib", "/usr/lib/a"]);
}

#[test]
fn an_upper_directory_of_overlayfs_is_applied() {
    let scratch = Scratch::new();
    let base = scratch.file("base.tar", Archive::new().file("a", "").file("d/b", "").file("k", "").finish());
    let upper = scratch.join("upper");
    fs::create_dir_all(upper.join("d")).unwrap();
    fs::write(upper.join("d/n"), "").unwrap();
    let mut mknod = Command::new("mknod");
    if run(mknod.arg(upper.join("a")).args(["c", "0", "0"])).code != Some(0) {
        return judges::skip("mknod", "only root can make devices");
    }
    let Some(mut setfattr) = judges::command("setfattr") else { return };
    setfattr.args(["-n", "trusted.overlay.opaque", "-v", "y"]).arg(upper.join("d"));
    if run(&mut setfattr).code != Some(0) {
        return judges::skip("setfattr", "only root can set xattrs that begin with trusted.");
    }
    let tree = |flags: &[&str]| {
        run(rootcast_as_root().arg("tree").args(flags).arg(&base).arg(&upper)).success().unwrap()
    };
    let kept = tree(&[]);
    assert!(kept.stderr.contains("1 character device 0:0, 1 file with xattrs of overlayfs"), "{kept}");
    assert!(kept.text().contains("trusted.overlay.opaque=y"), "{kept}");
    let text = tree(&["--whiteouts", "apply"]).text();
    let paths: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(paths, ["/", "/d", "/d/n", "/k"]);
    assert!(!text.contains("overlay"), "{text}");
}

/// Creates a directory with an unreadable file and an unreadable directory, for every user
/// including root.
fn with_closed_files(scratch: &Scratch) -> std::path::PathBuf {
    let top = scratch.join("closed");
    fs::create_dir_all(top.join("d/secret")).unwrap();
    fs::create_dir(top.join("e")).unwrap();
    fs::write(top.join("d/file"), "").unwrap();
    fs::write(top.join("e/file"), "").unwrap();
    for name in ["d/file", "d/secret", "e/file"] {
        fs::set_permissions(top.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    top
}

#[test]
fn replaced_files_need_not_be_readable() {
    let scratch = Scratch::new();
    let closed = with_closed_files(&scratch);
    let covers = |archive: Archive, over: &[&str]| {
        let archive = scratch.file("archive.tar", archive.finish());
        let outcome = run(rootcast().arg("tree").arg(&closed).arg(&archive));
        let named: Vec<&str> = ["d/file", "d/secret", "e/file"]
            .into_iter()
            .filter(|name| outcome.stderr.contains(name))
            .collect();
        assert_eq!(named, over, "{outcome}");
        assert_eq!(outcome.code, Some(if over.is_empty() { 0 } else { 6 }), "{outcome}");
    };
    let file = |path: &str| Archive::new().file(path, "");
    covers(file("x"), &["d/file", "d/secret", "e/file"]);
    covers(file("d/file"), &["d/secret", "e/file"]);
    covers(file("d/file").file("d/secret", ""), &["e/file"]);
    covers(file("d"), &["e/file"]);
    covers(file("d").file("e/file", ""), &[]);
    // A directory is merged with the unreadable one, so the contents of the latter are still
    // missing.
    covers(Archive::new().directory("d/secret/", 0o755), &["d/file", "d/secret", "e/file"]);
    // Other files added to it are kept.
    let archive = scratch.file("archive.tar", file("d/secret/own").finish());
    let (found, warned) = lines(rootcast().args(["tree", "--unreadable", "skip"]).arg(&closed).arg(&archive));
    let paths: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(paths, ["/", "/d", "/d/secret", "/d/secret/own", "/e"], "{warned}");
    assert!(warned.contains("3 files may not be read and were left out"), "{warned}");
    // Beneath a kept link it has another path.
    let base = scratch.file("base.tar", Archive::new().directory("t/", 0o755).link("d", b'2', "t").finish());
    let flags = ["tree", "--keep-directory-symlink", "--unreadable", "skip"];
    let (found, warned) = lines(rootcast().args(flags).arg(&base).arg(&closed));
    let paths: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(paths, ["/", "/d", "/e", "/t"], "{warned}");
    assert!(warned.contains("3 files may not be read and were left out"), "{warned}");
}

#[test]
fn implied_directories_need_no_id_map_range() {
    let scratch = Scratch::new();
    let owned = |header: &mut [u8; 512]| {
        put(header, 108, "0303240");
        put(header, 116, "0303240");
    };
    let archive = Archive::new().raw(b"etc/passwd", b'0', 0, b"", owned).finish();
    let archive = scratch.file("archive.tar", archive);
    let (found, _) = lines(rootcast().args(["tree", "--owner", "map:0:100000:65536"]).arg(&archive));
    assert_eq!(found, ["/ 0 40755 3 0 0", "/etc 0 40755 2 0 0", "/etc/passwd 0 100644 1 0 0"]);
    let (found, _) = lines(rootcast().args(["tree", "--owner", "7:8"]).arg(&archive));
    assert_eq!(found, ["/ 0 40755 3 7 8", "/etc 0 40755 2 7 8", "/etc/passwd 0 100644 1 7 8"]);
    let outcome = run(rootcast().args(["tree", "--owner", "map:0:1:9"]).arg(&archive));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("/etc/passwd: user 100000 is in no range of the map"), "{outcome}");
    // A member that is replaced later needs no range of the map either.
    let replaced = Archive::new().raw(b"f", b'0', 0, b"", owned).file("f", "").finish();
    let replaced = scratch.file("replaced.tar", replaced);
    let (found, _) = lines(rootcast().args(["tree", "--owner", "map:0:0:9"]).arg(&replaced));
    assert_eq!(found, ["/ 0 40755 2 0 0", "/f 0 100644 1 0 0"]);
}

#[test]
fn set_id_programs_of_root_are_reported_by_their_final_paths() {
    let scratch = Scratch::new();
    let owned = |header: &mut [u8; 512]| {
        put(header, 108, "0000041");
        put(header, 100, "0004755");
    };
    let upper = Archive::new()
        .raw(b"lib/su", b'0', 0, b"", owned)
        .raw(b"lib/gone", b'0', 0, b"", owned)
        .file("lib/gone", "")
        .finish();
    let base = scratch.file("base.tar", usr().raw(b"low", b'0', 0, b"", owned).finish());
    let upper = scratch.file("upper.tar", upper);
    let last = scratch.file("last.tar", Archive::new().file("low", "").finish());
    let outcome = run(rootcast().args(["tree", "--owner", "root"]).arg(&base).arg(&upper).arg(&last));
    let expected = "1 set-id file now runs as root: /usr/lib/su;";
    assert_eq!(outcome.stderr.matches("set-id").count(), 1, "{outcome}");
    assert!(outcome.stderr.contains(expected), "{outcome}");
}

#[test]
fn names_in_acls_resolve_through_the_accounts_of_the_tree() {
    let scratch = Scratch::new();
    let acl: (&str, &[u8]) =
        ("SCHILY.acl.access", b"user::rwx,group::r-x,group:adm:r-x,mask::r-x,other::r-x");
    let log = || Archive::new().pax(b'x', &[acl]).directory("log/", 0o755);
    let xattr = "system.posix_acl_access=\\x02\\x00\\x00\\x00\\x01\\x00\\x07\\x00\\xff\\xff\\xff\\xff\\x04\\x00\\x05\\x00\\xff\\xff\\xff\\xff\
                 \\x08\\x00\\x05\\x00\\x04\\x00\\x00\\x00\\x10\\x00\\x05\\x00";
    let tree = |archives: &[&Path]| run(rootcast().arg("tree").args(archives));
    let own = scratch.file("own.tar", log().file("etc/group", "adm:x:4:\n").finish());
    let alone = scratch.file("alone.tar", log().finish());
    let base = scratch.file("base.tar", Archive::new().file("etc/group", "adm:x:4:\n").finish());
    for archives in [&[&*own][..], &[&base, &alone]] {
        let text = tree(archives).success().unwrap_or_else(|why| panic!("{why}")).text();
        assert!(text.contains(xattr), "{text}");
    }
    let outcome = tree(&[&alone]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let expected = "alone.tar: offset 1024: log/: SCHILY.acl.access: names group \"adm\", which neither the archive's \
                    /etc/group nor that of a source before it has; put the account there";
    assert!(outcome.stderr.contains(expected), "{outcome}");
    // A replaced member needs no account.
    let replaced = scratch.file("replaced.tar", log().file("log", "").finish());
    tree(&[&replaced]).success().unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn acls_with_names_of_gnu_tar_and_bsdtar_are_read() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    fs::create_dir_all(source.join("etc")).unwrap();
    fs::create_dir(source.join("log")).unwrap();
    // A group that this machine has, with a number that differs from the tree's.
    fs::write(source.join("etc/group"), "adm:x:77:\n").unwrap();
    let Some(mut setfacl) = judges::command("setfacl") else { return };
    run(setfacl.args(["-m", "g:adm:rwx", "-dm", "g:adm:rwx"]).arg(source.join("log"))).success().unwrap();
    for (tool, flags) in [("tar", ["--acls", "--format=posix"]), ("bsdtar", ["--acls", "--format=pax"])] {
        let Some(mut command) = judges::command(tool) else { continue };
        let archive = scratch.join("archive.tar");
        run(command.args(flags).arg("-C").arg(&source).arg("-cf").arg(&archive).arg(".")).success().unwrap();
        let text =
            run(rootcast().arg("tree").arg(&archive)).success().unwrap_or_else(|why| panic!("{why}")).text();
        let log = text.lines().find(|line| line.starts_with("/log ")).unwrap();
        assert_eq!(log.matches("\\x08\\x00\\x07\\x00M\\x00\\x00\\x00").count(), 2, "{tool}: {log}");
    }
}

#[test]
fn missing_end_blocks_and_trailing_zeros_are_warnings() {
    let scratch = Scratch::new();
    let whole = Archive::new().file("f", "12345").finish();
    let open = &whole[..1024];
    let plain = scratch.file("plain.tar", open);
    let empty = scratch.file("empty.tar", "");
    let no_end = "the archive ends here without the two blocks of zeros";
    let (found, warned) = lines(rootcast().arg("tree").arg(&plain));
    assert_eq!(found.last().map(String::as_str), Some("/f 5 100644 1 0 0"));
    assert!(warned.contains(&format!("plain.tar: offset 1024: {no_end}")), "{warned}");
    let (found, warned) = lines(rootcast().arg("tree").arg(&empty));
    assert_eq!(found, ["/ 0 40755 2 0 0"]);
    assert!(warned.contains(&format!("empty.tar: offset 0: {no_end}")), "{warned}");
    for tool in ["gzip", "xz", "zstd", "bzip2", "lz4"] {
        let packed = |path: &Path| {
            let mut command = judges::command(tool)?;
            Some(run(command.arg("-c").arg(path)).success().unwrap().stdout)
        };
        let Some(open) = packed(&plain) else { continue };
        let padded = scratch.file("padded", [&open[..], &[0; 700]].concat());
        let (found, warned) = lines(rootcast().arg("tree").arg(&padded));
        assert_eq!(found.last().map(String::as_str), Some("/f 5 100644 1 0 0"), "{tool}");
        assert!(warned.contains(no_end), "{tool}: {warned}");
        assert!(warned.contains("700 bytes of zeros behind the compressed archive were ignored"), "{warned}");
        let garbage = scratch.file("garbage", [&open[..], b"garbage garbage"].concat());
        let outcome = run(rootcast().arg("tree").arg(&garbage));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        let expected = format!("cannot be unpacked: bytes that are neither {tool} nor zeros follow its end");
        assert!(outcome.stderr.contains(&expected), "{outcome}");
        let nothing = scratch.file("nothing", packed(&empty).unwrap());
        let (found, warned) = lines(rootcast().arg("tree").arg(&nothing));
        assert_eq!(found, ["/ 0 40755 2 0 0"], "{tool}");
        assert!(warned.contains("offset 0: the archive ends here"), "{tool}: {warned}");
    }
    // For an empty stream there is no way to determine whether it is complete.
    let outcome = run(rootcast().args(["tree", "-"]));
    assert_eq!(outcome.code, Some(3), "{outcome}");
}

#[test]
fn endless_zeros_are_rejected() {
    let scratch = Scratch::new();
    let zeros = scratch.file("zeros", "");
    fs::File::options().write(true).open(&zeros).unwrap().set_len(100 << 30).unwrap();
    let device = fs::File::open("/dev/zero").unwrap();
    for command in [rootcast().arg("tree").arg(&zeros), rootcast().args(["tree", "-"]).stdin(device)] {
        let outcome = run(command);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("more than 67108864 bytes of zeros follow"), "{outcome}");
    }
}

#[test]
fn large_windows_need_a_flag() {
    let scratch = Scratch::new();
    let archive = scratch.file("archive.tar", Archive::new().file("f", "12345").finish());
    // A known size would limit the window to that size, so it is read from a pipe.
    let cases = [
        ("zstd", "-1 --long=31", &[][..], "its window is 2147483648 bytes, the limit is 134217728;"),
        ("xz", "-9", &["--decoder-memory", "32M"], " bytes of memory, the limit is 33554432;"),
        ("xz", "--format=lzma -9", &["--decoder-memory", "32M"], " bytes of memory, the limit is 33554432;"),
    ];
    for (tool, flags, limit, expected) in cases {
        if judges::locate(tool).is_none() {
            judges::skip(tool, "it is not installed");
            continue;
        }
        let mut pipe = Command::new("sh");
        pipe.args(["-c", &format!("cat \"$0\" | {tool} {flags} -c")]).arg(&archive);
        let packed = run(&mut pipe).success().unwrap_or_else(|why| panic!("{why}")).stdout;
        let packed = scratch.file("packed", packed);
        let outcome = run(rootcast().arg("tree").args(limit).arg(&packed));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains(expected), "{outcome}");
        assert!(outcome.stderr.contains("--decoder-memory sets the limit"), "{outcome}");
        let (found, _) = lines(rootcast().args(["tree", "--decoder-memory", "3G"]).arg(&packed));
        assert_eq!(found.last().map(String::as_str), Some("/f 5 100644 1 0 0"), "{tool} {flags}");
    }
    let outcome = run(rootcast().args(["tree", "--decoder-memory", "9G"]).arg(&archive));
    assert_eq!(outcome.code, Some(2), "{outcome}");
}
