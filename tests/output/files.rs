//! Outputs: readers that close the stream, modes, directories that are replaced, and limits.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::judges;
use crate::product::{NOBODY, Outcome, Scratch, as_ordinary_user, rootcast, rootcast_under_umask, run};

/// Runs a shell script as an ordinary user in a directory; `"$0"` is rootcast.
fn script(scratch: &Scratch, script: &str) -> Outcome {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(rootcast().get_program());
    run(as_ordinary_user(shell).current_dir(scratch.path()))
}

fn tree(scratch: &Scratch) {
    let tree = scratch.join("tree");
    fs::create_dir(&tree).expect("it is new");
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    fs::write(tree.join("file"), bytes).expect("it is new");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it was made").permissions().mode() & 0o7777
}

/// A truncated image has to be reported, but reading only the beginning of a text is not an error.
#[test]
fn a_closed_pipe_is_an_error_for_images_but_not_for_text() {
    let scratch = Scratch::new();
    tree(&scratch);
    for product in [
        "image tree",
        "initrd tree --init none --compress none",
        "initrd tree --init none --compress zstd:1",
        "initrd tree --init none --compress gzip:1 -j 1",
    ] {
        let outcome = script(
            &scratch,
            &format!("{{ \"$0\" {product} -o -; echo \"code $?\" >&2; }} | head -c 100000 > /dev/null"),
        );
        assert!(outcome.stderr.contains("code 6"), "{product}: {outcome}");
        let message = "standard output: the reader went away before it had all bytes: Broken pipe";
        assert!(outcome.stderr.contains(message), "{product}: {outcome}");
        let outcome = script(&scratch, &format!("\"$0\" {product} -o - >&-"));
        assert_eq!(outcome.code, Some(6), "{product}: {outcome}");
        assert!(outcome.stderr.contains("standard output: is closed"), "{product}: {outcome}");
        let outcome = script(&scratch, &format!("\"$0\" {product} -o - >/dev/null"));
        assert_eq!(outcome.code, Some(0), "{product}: {outcome}");
    }
    for text in ["tree /usr/bin", "closure tree --keep /file", "image --help", "image tree --dry-run", "man"]
    {
        let outcome =
            script(&scratch, &format!("{{ sleep 0.2; \"$0\" {text}; echo \"code $?\" >&2; }} | true"));
        assert!(outcome.stderr.contains("code 0"), "{text}: {outcome}");
        let outcome = script(&scratch, &format!("\"$0\" {text} >&-"));
        assert_eq!(outcome.code, Some(0), "{text}: {outcome}");
    }
}

#[test]
fn an_output_keeps_its_mode_or_gets_the_given_one() {
    let scratch = Scratch::new();
    tree(&scratch);
    let output = scratch.join("disk");
    let cast = |umask: &str, flags: &[&str]| {
        let mut command = rootcast_under_umask(umask);
        run(command.arg("image").arg(scratch.join("tree")).arg("-o").arg(&output).args(flags))
            .success()
            .unwrap()
    };
    cast("022", &[]);
    assert_eq!(mode(&output), 0o644);
    fs::set_permissions(&output, fs::Permissions::from_mode(0o600)).expect("root's or the test's");
    cast("022", &[]);
    assert_eq!(mode(&output), 0o600);
    cast("077", &["--mode", "0664"]);
    assert_eq!(mode(&output), 0o664);
    fs::remove_file(&output).expect("the test's own directory");
    cast("022", &["--mode", "640"]);
    assert_eq!(mode(&output), 0o640);
    let mut command = rootcast();
    command.args(["initrd", "--init", "none", "--mode", "400", "-o"]).arg(&output).arg(scratch.join("tree"));
    run(&mut command).success().unwrap();
    assert_eq!(mode(&output), 0o400);
    for (arguments, message) in [
        (["--mode", "600", "-o", "/dev/null"], "/dev/null: is not a regular file, so it keeps its mode"),
        (["--mode", "600", "-o", "-"], "--mode is for a file, so --output has to name one"),
        (["--mode", "4755", "-o", "x"], "is not an octal number from 0 to 777"),
    ] {
        let outcome = run(rootcast().arg("image").arg(scratch.join("tree")).args(arguments));
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert!(outcome.stderr.contains(message), "{outcome}");
    }
}

/// The permissions of a file's group are not given to another group.
#[test]
fn group_permissions_are_not_given_to_another_group() {
    if !judges::is_root() {
        judges::skip("a file of another group", "only root gives files away");
        return;
    }
    let scratch = Scratch::new();
    tree(&scratch);
    let output = scratch.file("disk", "before");
    std::os::unix::fs::chown(&output, Some(NOBODY), Some(4)).expect("root may");
    fs::set_permissions(&output, fs::Permissions::from_mode(0o664)).expect("root may");
    run(rootcast().arg("image").arg(scratch.join("tree")).arg("-o").arg(&output)).success().unwrap();
    assert_eq!(mode(&output), 0o644);
}

#[test]
fn a_readable_image_of_unreadable_files_is_reported() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("tree")).expect("it is new");
    let dump = "/ 0 40755 2 0 0 0 0.0 - - -\n/etc 0 40755 2 0 0 0 0.0 - - -\n/etc/shadow 2 100640 1 0 42 0 0.0 - x\\n -\n\
                /etc/passwd 2 100644 1 0 0 0 0.0 - x\\n -\n/key 2 100600 1 0 0 0 0.0 - x\\n -\n";
    let source = scratch.file("dump", dump);
    let output = scratch.join("disk");
    let cast = |umask: &str, verb: &[&str]| {
        let mut command = rootcast_under_umask(umask);
        let outcome = run(command.args(verb).arg(&source).arg("-o").arg(&output)).success().unwrap();
        outcome.stderr
    };
    let expected = "disk: everybody may read it (mode 644), and it holds files that not everybody may read in the tree: \
                    /etc/shadow and 1 more; --mode 600";
    for verb in
        [&["image"][..], &["initrd", "--init", "none"], &["initrd", "--init", "none", "--compress", "none"]]
    {
        let message = cast("022", verb);
        assert!(message.contains(expected), "{message}");
        assert!(!cast("022", verb).contains("everybody"), "it is not new");
        fs::remove_file(&output).expect("the test's own directory");
        assert!(
            !cast("022", &[verb, &["--mode", "644"]].concat()).contains("everybody"),
            "the mode was given"
        );
        fs::remove_file(&output).expect("the test's own directory");
        assert!(!cast("027", verb).contains("everybody"), "nobody else reads it");
        fs::remove_file(&output).expect("the test's own directory");
    }
}

fn fifo(path: &Path) {
    let everybody = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mkfifoat(rustix::fs::CWD, path, everybody).expect("it is new");
    rustix::fs::chmod(path, everybody).expect("the test's own pipe");
}

/// Waits until the process sleeps in `openat(2)`, which only opening a pipe causes.
fn wait_for_open(child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let call = || fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
    // 257 on x86-64, 56 on arm64 and riscv64.
    while !call().starts_with("257 ") && !call().starts_with("56 ") {
        assert!(Instant::now() < deadline, "rootcast does not open the pipe");
        sleep(Duration::from_millis(20));
    }
    assert!(child.try_wait().expect("it is ours").is_none(), "rootcast ended before");
}

/// A user with write access to the parent replaces the output's directory by a link, while the tree
/// is read.
#[test]
fn a_replaced_directory_does_not_redirect_the_image() {
    for verb in [&["image"][..], &["initrd", "--init", "none"]] {
        let scratch = Scratch::new();
        let pipe = scratch.join("pipe");
        fifo(&pipe);
        for directory in ["out", "elsewhere"] {
            fs::create_dir(scratch.join(directory)).expect("it is new");
            let everybody = fs::Permissions::from_mode(0o777);
            fs::set_permissions(scratch.join(directory), everybody).expect("the test's own");
        }
        let mut command = rootcast();
        command.args(verb).arg(&pipe).arg("-o").arg(scratch.join("out/disk")).stderr(Stdio::piped());
        let mut child = command.spawn().expect("rootcast starts");
        wait_for_open(&mut child);
        fs::rename(scratch.join("out"), scratch.join("moved")).expect("the test's own");
        symlink("elsewhere", scratch.join("out")).expect("the name is free");
        let mut source = fs::File::options().write(true).open(&pipe).expect("it is read");
        source.write_all(b"/ 0 40755 2 0 0 0 0.0 - - -\n").expect("it is read");
        drop(source);
        let outcome = child.wait_with_output().expect("it ends");
        assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!(fs::read_dir(scratch.join("elsewhere")).expect("it is there").count(), 0);
        assert!(scratch.join("moved/disk").is_file());
    }
}

/// Few descriptors suffice for any number of threads; if there are too few, the error suggests a
/// solution.
#[test]
fn few_file_descriptors_suffice_or_are_reported() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    for number in 0..200 {
        let directory = tree.join(format!("{}/{number}", number % 7));
        fs::create_dir_all(&directory).expect("it is new");
        fs::write(directory.join("file"), format!("{number}")).expect("it is new");
    }
    let output = scratch.join("disk");
    for verb in ["image", "initrd --init none --cache cache"] {
        let outcome = script(&scratch, &format!("ulimit -n 20; exec \"$0\" {verb} tree -j 64 -o disk"));
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        fs::remove_file(&output).expect("it was made");
    }
    let outcome = script(&scratch, "ulimit -n 5; exec \"$0\" image tree -j 64 -o disk");
    assert_eq!(outcome.code, Some(6), "{outcome}");
    let message =
        "Too many open files (os error 24); 5 may be open at once: raise that with ulimit -n, or lower -j";
    assert!(outcome.stderr.contains(message), "{outcome}");
    assert!(!output.exists(), "something was left");
}

/// Threads that cannot be started are an error with a way out, and leave nothing.
#[test]
fn a_limit_on_threads_is_reported() {
    let Some(prlimit) = judges::locate("prlimit") else { return };
    let scratch = Scratch::new();
    tree(&scratch);
    for (jobs, words) in [
        (
            "1",
            "a thread cannot be started: Resource temporarily unavailable (os error 11); raise ulimit -u or -v",
        ),
        (
            "9",
            "one of 9 threads cannot be started: Resource temporarily unavailable (os error 11); lower -j, or \
             raise ulimit -u or -v",
        ),
    ] {
        for verb in [
            &["image", "-o", "disk"][..],
            &["initrd", "--init", "none", "-o", "disk"],
            &["image", "--keep", "/", "-o", "disk"],
            &["tree"],
        ] {
            let mut command = as_ordinary_user(Command::new(&prlimit));
            command.arg("--nproc=0").arg(rootcast().get_program()).args(verb);
            let outcome = run(command.args(["tree", "-j", jobs]).current_dir(scratch.path()));
            assert_eq!(outcome.code, Some(6), "{outcome}");
            assert_eq!(outcome.stderr, format!("rootcast: {words}\n"), "{outcome}");
        }
    }
    let left = fs::read_dir(scratch.path()).expect("it is there");
    let left: Vec<_> = left.map(|entry| entry.expect("it is readable").file_name()).collect();
    assert_eq!(left, ["tree"], "something was left");
}
