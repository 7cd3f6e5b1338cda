//! What a run that does not end well leaves behind: nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::product::{Scratch, rootcast};

/// A source whose bytes take long to read and no room to keep.
const LONG: u64 = 64 << 30;

fn long_source(scratch: &Scratch) {
    let source = scratch.join("source");
    fs::create_dir(&source).expect("it is new");
    let file = fs::File::create(source.join("long")).expect("it is new");
    file.set_len(LONG).expect("a file of one hole");
    let out = scratch.join("out");
    fs::create_dir(&out).expect("it is new");
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&out, everybody).expect("the test's own directory");
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("rootcast starts")
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("ids are positive");
    kill_process(Pid::from_raw(id).expect("ids are not 0"), signal).expect("the child is ours");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    entries.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_signal_ends_the_run_and_leaves_no_file() {
    for ending in [Signal::INT, Signal::TERM, Signal::KILL] {
        let scratch = Scratch::new();
        long_source(&scratch);
        let mut command = rootcast();
        let out = scratch.join("out");
        let child = start(command.arg("image").arg(scratch.join("source")).arg("-o").arg(out.join("disk")));
        sleep(Duration::from_millis(300));
        signal(&child, ending);
        let outcome = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.status.signal(), Some(ending.as_raw()), "{:?} {errors}", outcome.status);
        assert_eq!(names(&out), [""; 0], "{ending:?} left a file");
    }
}

#[test]
fn a_file_that_changes_after_the_scan_is_named() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    fs::create_dir(&source).expect("it is new");
    let changing = source.join("changing");
    fs::write(&changing, vec![b'x'; 1 << 20]).expect("it is new");
    let pipe = scratch.join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o666)).expect("it is new");
    rustix::fs::chmod(&pipe, rustix::fs::Mode::from_raw_mode(0o666)).expect("the test's own pipe");

    // The scan is over when the pipe is opened for writing, and nothing is read before it is opened for reading.
    let mut command = rootcast();
    let mut child = start(command.arg("image").arg(&source).arg("-o").arg(&pipe));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_opening(child.id()) {
        assert!(Instant::now() < deadline, "rootcast does not open its output");
        assert!(child.try_wait().expect("it is ours").is_none(), "rootcast ended without its output");
        sleep(Duration::from_millis(20));
    }
    fs::write(&changing, "shorter").expect("the test's own file");
    let mut reader = fs::File::open(&pipe).expect("the test's own pipe");
    std::io::copy(&mut reader, &mut std::io::sink()).expect("what is written can be read");
    let outcome = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.status.code(), Some(3), "{errors}");
    assert!(
        errors.contains("changing: changed while it was read: size 1048576 when scanned, 7 now"),
        "{errors}"
    );
}

/// Whether the process sleeps in `openat(2)`, which of all that it opens only a pipe without a reader makes it do.
fn is_opening(process: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{process}/syscall")).unwrap_or_default();
    // 257 on x86-64, 56 on arm64 and riscv64.
    call.starts_with("257 ") || call.starts_with("56 ")
}
