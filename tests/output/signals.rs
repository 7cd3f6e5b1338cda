//! A signal ends a run within moments, whatever it is doing or waiting for, and nothing is left
//! behind.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Pid, Signal, kill_process};

use crate::judges;
use crate::product::{Scratch, rootcast, rootcast_with_default_signals, run};

/// The maximum time from the signal to the end of a run: half a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// The time for a run to reach the point where it waits or works.
const BEGINNING: Duration = Duration::from_millis(300);

/// A run that is killed on drop.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        // OK to ignore: it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Standard input and output of a run.
struct Ends {
    stdin: Stdio,
    stdout: Stdio,
}

impl Ends {
    /// Returns ends that are both /dev/null.
    fn closed() -> Self {
        Self { stdin: Stdio::null(), stdout: Stdio::null() }
    }
}

/// Fails unless `rootcast ARGUMENTS` still runs after a while, and is terminated by the signal soon
/// after it was sent.
fn check(arguments: &[&str], ends: Ends, signal: Signal) {
    let mut command = rootcast_with_default_signals();
    command.args(arguments).stdin(ends.stdin).stdout(ends.stdout).stderr(Stdio::piped());
    let mut run = Run(command.spawn().expect("it can be run"));
    thread::sleep(BEGINNING);
    let mut errors = String::new();
    if let Some(status) = run.0.try_wait().expect("it is ours") {
        run.0.stderr.take().expect("piped").read_to_string(&mut errors).expect("UTF-8");
        panic!("{arguments:?} ended before the signal: {status} {errors}");
    }
    let id = i32::try_from(run.0.id()).expect("process ids are positive");
    kill_process(Pid::from_raw(id).expect("ids are not 0"), signal).expect("the child is ours");
    let sent = Instant::now();
    let status = loop {
        match run.0.try_wait().expect("it is ours") {
            Some(status) => break status,
            None => assert!(sent.elapsed() < PATIENCE, "{arguments:?} runs on after {:?}", sent.elapsed()),
        }
        thread::sleep(Duration::from_millis(5));
    };
    run.0.stderr.take().expect("piped").read_to_string(&mut errors).expect("UTF-8");
    assert_eq!(status.signal(), Some(signal.as_raw()), "{arguments:?}: {status} {errors}");
    assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
}

/// A directory for outputs, which has to remain empty.
struct Outputs(Scratch);

impl Outputs {
    fn new() -> Self {
        Self(Scratch::new())
    }

    fn image(&self) -> String {
        self.0.join("image").to_str().expect("ASCII").to_owned()
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        if !thread::panicking() {
            let left: Vec<_> = fs::read_dir(self.0.path()).expect("it is there").collect();
            assert!(left.is_empty(), "{left:?} is left");
        }
    }
}

fn fifo(scratch: &Scratch) -> PathBuf {
    let path = scratch.join("fifo");
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("a new fifo");
    rustix::fs::chmod(&path, Mode::from_raw_mode(0o666)).expect("it is ours");
    path
}

/// Creates a dump of many directories of many empty files each.
fn wide_dump(scratch: &Scratch, files: usize) -> PathBuf {
    let mut text = "/ 0 40755 2 0 0 0 0.0 - - -\n".to_owned();
    for index in 0..files {
        if index % 1000 == 0 {
            text += &format!("/d{:03} 0 40755 2 0 0 0 0.0 - - -\n", index / 1000);
        }
        text += &format!("/d{:03}/file{index:06} 0 100644 1 0 0 0 0.0 - - -\n", index / 1000);
    }
    scratch.file("wide.dump", text)
}

#[test]
fn a_signal_interrupts_reading_an_idle_standard_input() {
    let outputs = Outputs::new();
    for arguments in [
        &["image", "-", "-o", &outputs.image()][..],
        &["image", "-", "--dry-run"],
        &["initrd", "-", "-o", &outputs.image()],
        &["closure", "-", "--keep", "/"],
        &["tree", "-"],
        &["initrd", "--check", "-"],
    ] {
        check(arguments, Ends { stdin: Stdio::piped(), ..Ends::closed() }, Signal::INT);
    }
}

#[test]
fn a_signal_interrupts_opening_a_fifo() {
    let (scratch, outputs) = (Scratch::new(), Outputs::new());
    let path = fifo(&scratch);
    let fifo = path.to_str().expect("ASCII");
    let source = wide_dump(&scratch, 10);
    let source = source.to_str().expect("ASCII");
    check(&["image", fifo, "-o", &outputs.image()], Ends::closed(), Signal::TERM);
    check(&["image", source, "-o", fifo], Ends::closed(), Signal::INT);
    check(&["initrd", source, "-o", fifo, "--init", "none"], Ends::closed(), Signal::HUP);
}

/// Returns a standard output that is a pipe to a program which does not read it.
fn stalled() -> (Ends, Run) {
    let mut sleep = Command::new("sleep");
    let sleeping = sleep.arg("60").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut sleeper = Run(sleeping.expect("sleep runs"));
    let stdout = sleeper.0.stdin.take().expect("piped").into();
    (Ends { stdin: Stdio::null(), stdout }, sleeper)
}

#[test]
fn a_signal_interrupts_writing_to_a_full_pipe() {
    let scratch = Scratch::new();
    let source = wide_dump(&scratch, 5000);
    let source = source.to_str().expect("ASCII");
    for arguments in [
        &["image", source, "-o", "-", "--layout", "bare"][..],
        &["initrd", source, "-o", "-", "--init", "none", "--compress", "none"],
        &["tree", source],
        &["closure", source, "--keep", "/"],
    ] {
        let (ends, _sleeper) = stalled();
        check(arguments, ends, Signal::TERM);
    }
}

#[test]
fn a_signal_interrupts_labelling() {
    let (scratch, outputs) = (Scratch::new(), Outputs::new());
    let source = wide_dump(&scratch, 20_000);
    // Each takes some microseconds for each of the paths, and none matches.
    let lines: String = (0..2000).map(|line| format!("/.*[d-f].*x{line}.*y.*  u:r:t:s0\n")).collect();
    let policy = scratch.file("file_contexts", lines);
    let (source, policy) = (source.to_str().expect("ASCII"), policy.to_str().expect("ASCII"));
    let arguments = ["image", source, "-o", &outputs.image(), "--file-contexts", policy];
    check(&arguments, Ends::closed(), Signal::TERM);
}

#[test]
fn a_signal_interrupts_the_closure() {
    let (scratch, outputs) = (Scratch::new(), Outputs::new());
    let source = wide_dump(&scratch, 50_000);
    let source = source.to_str().expect("ASCII");
    let globs: Vec<String> = (0..1000).map(|glob| format!("/**/*f*i*l*e*{glob}*x")).collect();
    let image = outputs.image();
    let mut arguments = vec!["image", source, "-o", &image, "-q"];
    arguments.extend(globs.iter().flat_map(|glob| ["--keep", glob]));
    check(&arguments, Ends::closed(), Signal::INT);
}

#[test]
fn a_signal_interrupts_reading_and_comparing() {
    // Listing and hashing all of it takes seconds.
    let arguments =
        ["image", "/usr", "--dry-run", "-j", "1", "--hardlinks", "content", "--unreadable", "skip"];
    check(&arguments, Ends::closed(), Signal::TERM);
}

#[test]
fn a_terminal_is_rejected() {
    let Some(mut script) = judges::command("script") else { return };
    let outputs = Outputs::new();
    let program = rootcast().get_program().to_str().expect("ASCII").to_owned();
    for command in [format!("image - -o {}", outputs.image()), "initrd --check -".to_owned()] {
        script.args(["-qec", &format!("{program} {command}"), "/dev/null"]).stdin(Stdio::null());
        let outcome = run(&mut script);
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert!(outcome.text().contains("standard input is a terminal; redirect it"), "{outcome}");
        script = judges::command("script").expect("it was there");
    }
}

#[test]
fn an_endless_device_is_rejected() {
    let outputs = Outputs::new();
    for device in ["/dev/zero", "/dev/urandom", "/dev/null"] {
        let outcome = run(rootcast().args(["image", device, "-o", &outputs.image()]));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        let expected = format!("rootcast: {device}: is a character device, which need not end; a source is ");
        assert!(outcome.stderr.starts_with(&expected), "{outcome}");
    }
}
