//! The output of a run is not its input: rejected as an archive or a payload, excluded from a
//! directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::judges;
use crate::product::{Outcome, Scratch, as_ordinary_user, rootcast, run};

fn image(scratch: &Scratch, arguments: &[&str]) -> Outcome {
    let mut command = rootcast();
    command.current_dir(scratch.path());
    run(command.args(["image", "--layout", "bare"]).args(arguments))
}

/// The names in the tree of an image, found by debugfs.
fn names(image: &Path, directory: &str) -> Option<Vec<String>> {
    let mut debugfs = judges::command("debugfs")?;
    let outcome = run(debugfs.args(["-R", &format!("ls -p {directory}")]).arg(image)).success().unwrap();
    let names = outcome
        .text()
        .lines()
        .filter_map(|line| Some(line.split('/').nth(5)?.to_owned()))
        .collect::<Vec<_>>();
    Some(names.into_iter().filter(|name| !matches!(name.as_str(), "." | ".." | "" | "lost+found")).collect())
}

fn writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("the test's own");
}

/// A source file is not replaced, whatever name it is given by.
#[test]
fn a_file_that_is_read_is_not_an_output() {
    let scratch = Scratch::new();
    let Some(mut tar) = judges::command("tar") else { return };
    scratch.file("file", "x");
    run(tar.current_dir(scratch.path()).args(["-cf", "same.tar", "file"])).success().unwrap();
    let before = fs::read(scratch.join("same.tar")).expect("it is there");
    run(Command::new("gzip").arg("-k").arg(scratch.join("same.tar"))).success().unwrap();
    fs::hard_link(scratch.join("same.tar"), scratch.join("hard")).expect("it is new");
    std::os::unix::fs::symlink("same.tar", scratch.join("soft")).expect("it is new");
    fs::create_dir(scratch.join("empty")).expect("it is new");
    let dump = "/ 0 40755 2 0 0 0 0.0 - - -\n/f 1 100644 1 0 0 0 0.0 file - -\n";
    scratch.file("dump", dump);
    for arguments in [
        &["same.tar", "-o", "same.tar"][..],
        &["same.tar", "-o", "hard"],
        &["same.tar", "-o", "soft"],
        &["soft", "-o", "./same.tar"],
        &["empty", "hard", "-o", "same.tar"],
        &["same.tar.gz", "-o", "same.tar.gz"],
        &["dump", "-o", "dump"],
        &["dump", "-o", "file"],
        &["empty", "--add", "file:/f", "-o", "file"],
        &["empty", "--owner", "file", "-o", "file"],
        &["empty", "--file-contexts", "file", "-o", "file"],
    ] {
        let outcome = image(&scratch, arguments);
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert!(
            outcome.stderr.contains("is an input and would be overwritten; name another output"),
            "{outcome}"
        );
    }
    assert!(fs::read(scratch.join("same.tar")).expect("it is there") == before);
    assert_eq!(fs::read_to_string(scratch.join("file")).expect("it is there"), "x");
    assert_eq!(fs::read_to_string(scratch.join("dump")).expect("it is there"), dump);

    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$0\" image - -o same.tar < same.tar"]).arg(rootcast().get_program());
    let outcome = run(as_ordinary_user(shell).current_dir(scratch.path()));
    assert!(outcome.code == Some(2) && outcome.stderr.contains("/dev/stdin is an input"), "{outcome}");
    assert!(fs::read(scratch.join("same.tar")).expect("it is there") == before);
}

/// The same as tar's "file is the archive; not dumped".
#[test]
fn the_output_is_left_out_of_a_directory() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    fs::create_dir_all(tree.join("sub")).expect("it is new");
    fs::write(tree.join("file"), "x").expect("it is new");
    writable(&tree);
    let disk = tree.join("disk.img");
    let first = image(&scratch, &["tree", "-o", "tree/disk.img"]).success().unwrap();
    assert!(!first.stderr.contains("left out"), "{first}");
    let Some(found) = names(&disk, "/") else { return };
    assert_eq!(found, ["file", "sub"]);
    let len = fs::metadata(&disk).expect("it was made").len();
    fs::hard_link(&disk, tree.join("sub/second")).expect("it is new");
    std::os::unix::fs::symlink("disk.img", tree.join("link")).expect("it is new");
    for output in ["tree/disk.img", "tree/link"] {
        let again = image(&scratch, &["tree", "-o", output]).success().unwrap();
        for name in if output == "tree/link" { &["disk.img"][..] } else { &["disk.img", "sub/second"] } {
            let warning = format!("warning: tree/{name}: is the output and was left out");
            assert!(again.stderr.contains(&warning), "{again}");
        }
        assert_eq!(names(&disk, "/").expect("debugfs is here"), ["file", "link", "sub"]);
        assert_eq!(fs::metadata(&disk).expect("it was made").len(), len, "it does not grow");
        // The name that the previous run replaced is a different file now.
        let _ = fs::remove_file(tree.join("sub/second"));
    }
    // The same holds for added directories and for standard output redirected to a file.
    let added = image(&scratch, &["tree/sub", "--add", "tree:/", "-o", "tree/disk.img"]).success().unwrap();
    assert!(added.stderr.contains("tree/disk.img: is the output and was left out"), "{added}");
    assert_eq!(names(&disk, "/").expect("debugfs is here"), ["file", "link", "sub"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "exec \"$0\" image tree --layout bare -o - > tree/stdout.img"])
        .arg(rootcast().get_program());
    let outcome = run(as_ordinary_user(shell).current_dir(scratch.path())).success().unwrap();
    assert!(outcome.stderr.contains("tree/stdout.img: is the output and was left out"), "{outcome}");
    let found = names(&tree.join("stdout.img"), "/").expect("debugfs is here");
    assert_eq!(found, ["disk.img", "file", "link", "sub"]);
}

#[test]
fn redirected_text_is_left_out_of_the_tree_that_it_lists() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    fs::create_dir_all(tree.join("sub")).expect("it is new");
    fs::write(tree.join("sub/file"), "x").expect("it is new");
    writable(&tree);
    for (arguments, expected) in [
        ("closure tree --keep /", "/sub\n/sub/file\n"),
        ("closure tree --keep /sub --keep /*", "/sub\n/sub/file\n"),
        ("closure tree --add tree:/new --keep /new", "/new\n/new/sub\n/new/sub/file\n"),
    ] {
        let mut shell = Command::new("sh");
        let script = format!("set -f; exec \"$0\" {arguments} > tree/out");
        shell.args(["-c", &script]).arg(rootcast().get_program());
        let outcome = run(as_ordinary_user(shell).current_dir(scratch.path())).success().unwrap();
        assert!(outcome.stderr.contains("warning: tree/out: is the output and was left out"), "{outcome}");
        assert_eq!(fs::read_to_string(tree.join("out")).expect("it was made"), expected, "{arguments}");
        fs::remove_file(tree.join("out")).expect("the test's own");
    }
}

#[test]
fn the_cache_is_left_out_of_a_directory_and_is_not_a_source() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    fs::create_dir(&tree).expect("it is new");
    writable(&tree);
    fs::write(tree.join("file"), "x".repeat(1000)).expect("it is new");
    let initrd = |source: &str| {
        let mut command = rootcast();
        command.current_dir(scratch.path()).args([
            "initrd",
            "--init",
            "none",
            "--source-date-epoch",
            "0",
            "-o",
            "initrd",
        ]);
        run(command.args(["--cache", "tree/cache", source]))
    };
    let first = initrd("tree").success().unwrap();
    // It was created before the directory was read.
    assert!(first.stderr.contains("warning: tree/cache: is the cache and was left out"), "{first}");
    let bytes = fs::read(scratch.join("initrd")).expect("it was made");
    let second = initrd("tree").success().unwrap();
    assert!(second.stderr.contains("warning: tree/cache: is the cache and was left out"), "{second}");
    assert!(fs::read(scratch.join("initrd")).expect("it was made") == bytes);
    let refused = initrd("tree/cache");
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("tree/cache: is the directory of the cache"), "{refused}");
}
