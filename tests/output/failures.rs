//! A failed run leaves nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::MINIMAL_DUMP;
use crate::judges;
use crate::product::{
    NOBODY, Outcome, Scratch, rootcast, rootcast_as_root, rootcast_with_default_signals, run,
};

/// The length of a source whose bytes take long to read and no disk space.
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

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    entries.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_signal_ends_the_run_and_leaves_no_file() {
    let endings = [Signal::INT, Signal::TERM, Signal::KILL];
    for (ending, measured) in endings.into_iter().flat_map(|ending| [(ending, false), (ending, true)]) {
        let scratch = Scratch::new();
        long_source(&scratch);
        let mut command = rootcast_with_default_signals();
        let out = scratch.join("out");
        // Its zeros are written, which takes much longer than the signal.
        command.args(["image", "--sparse", "never"]).arg(scratch.join("source"));
        command.args(measured.then_some("--verity"));
        let child = start(command.arg("-o").arg(out.join("disk")));
        sleep(Duration::from_millis(300));
        signal(&child, ending);
        let outcome = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.status.signal(), Some(ending.as_raw()), "{:?} {errors}", outcome.status);
        assert_eq!(names(&out), [""; 0], "{ending:?} left a file");
    }
}

/// The output becomes a directory while the dump is read, so the disk cannot get its name.
#[test]
fn no_root_hash_is_left_without_its_disk() {
    use std::io::Write as _;
    for existing in [None, Some("before")] {
        let scratch = Scratch::new();
        let out = scratch.join("out");
        fs::create_dir(&out).expect("it is new");
        fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).expect("the test's own directory");
        let disk = out.join("disk");
        if let Some(text) = existing {
            fs::write(out.join("root_hash.txt"), text).expect("it is new");
        }
        let mut command = rootcast();
        command.args(["image", "-", "--verity", "-o"]).arg(&disk).stdin(Stdio::piped());
        let mut child = start(&mut command);
        // The destinations are opened before anything is read.
        sleep(Duration::from_millis(500));
        fs::create_dir(&disk).expect("it is new");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(MINIMAL_DUMP.as_bytes()).expect("it is read");
        drop(stdin);
        let outcome = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert_eq!(outcome.status.code(), Some(6), "{errors}");
        assert!(errors.contains("disk: "), "{errors}");
        let mut expected = vec!["disk"];
        expected.extend(existing.map(|_| "root_hash.txt"));
        let mut left = names(&out);
        left.sort();
        assert_eq!(left, expected, "{errors}");
    }
}

/// The calls by which files get and lose names. The ones that not every architecture has are
/// marked.
const NAMING: &str = "?link,linkat,?rename,?renameat,renameat2,?unlink,unlinkat";

/// Casts a measured disk into `out` while strace lists the calls that name files, and injects faults
/// into some of them; `None` after a visible skip. Returns the names of the calls.
fn cast_with_fault(scratch: &Scratch, out: &Path, faults: &[&str]) -> Option<(Outcome, Vec<String>)> {
    let dump = scratch.file("dump", MINIMAL_DUMP);
    let (trace, mut strace) = (scratch.join("trace"), judges::command("strace")?);
    strace.args(["-f", "-qq", "-o"]).arg(&trace).args(["-e", &format!("trace={NAMING}")]);
    strace.args(faults.iter().map(|fault| format!("-einject={fault}")));
    let command = rootcast_as_root();
    strace.arg(command.get_program()).args(command.get_args());
    strace.arg("image").arg(dump).args(["--verity", "-q", "-o"]).arg(out.join("disk"));
    let outcome = run(&mut strace);
    let calls = fs::read_to_string(trace).expect("strace wrote it");
    // A line is the number of the thread, the name and the arguments.
    let name = |line: &str| Some(line.split_once('(')?.0.split_whitespace().last()?.to_owned());
    Some((outcome, calls.lines().filter_map(name).collect()))
}

/// A new folder with the outputs of an earlier run, or an empty one.
fn earlier_run(scratch: &Scratch, existing: bool) -> PathBuf {
    let out = scratch.join("out");
    fs::create_dir(&out).expect("it is new");
    for name in ["disk", "root_hash.txt"].into_iter().filter(|_| existing) {
        fs::write(out.join(name), "before").expect("it is new");
    }
    out
}

fn is_old(path: &Path) -> Option<bool> {
    fs::read(path).ok().map(|bytes| bytes == b"before")
}

/// Each call that names a file fails once, or is the last of a process that is killed.
#[test]
fn a_disk_and_its_root_hash_are_replaced_together() {
    for existing in [false, true] {
        let scratch = Scratch::new();
        let out = earlier_run(&scratch, existing);
        let Some((outcome, calls)) = cast_with_fault(&scratch, &out, &[]) else { return };
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        assert!(calls.len() >= if existing { 7 } else { 2 }, "{calls:?}");
        for (index, fault) in
            (0..calls.len()).flat_map(|index| ["error=EIO", "signal=KILL"].map(|fault| (index, fault)))
        {
            // strace counts each kind of call.
            let call = &calls[index];
            let number = calls[..=index].iter().filter(|other| *other == call).count();
            let scratch = Scratch::new();
            let out = earlier_run(&scratch, existing);
            let injected = format!("{call}:{fault}:when={number}");
            let (outcome, _) = cast_with_fault(&scratch, &out, &[&injected]).expect("it was there");
            let (disk, text) = (is_old(&out.join("disk")), is_old(&out.join("root_hash.txt")));
            let what = format!("{existing} {injected}: {disk:?} {text:?} {:?} {outcome}", names(&out));
            if fault.starts_with("error") && outcome.code != Some(0) {
                assert_eq!(outcome.code, Some(6), "{what}");
                let before = existing.then_some(true);
                assert_eq!((disk, text), (before, before), "{what}");
                assert_eq!(names(&out).len(), if existing { 2 } else { 0 }, "{what}");
            } else if fault.starts_with("error") {
                // Only files of the earlier run could not be removed.
                assert!(existing && call == "unlinkat", "{what}");
                assert_eq!((disk, text), (Some(false), Some(false)), "{what}");
            } else {
                assert_ne!(outcome.code, Some(0), "{what}");
                assert!(text.is_none() || text == disk, "a root hash is beside another disk: {what}");
                let old = names(&out).iter().filter(|name| is_old(&out.join(name)) == Some(true)).count();
                let complete = (disk, text) == (Some(false), Some(false));
                assert!(!existing || complete || old == 2, "an old file is lost: {what}");
            }
        }
    }
}

/// Network filesystems cannot exchange names.
#[test]
fn a_disk_and_its_root_hash_are_replaced_where_names_cannot_be_exchanged() {
    for existing in [false, true] {
        let scratch = Scratch::new();
        let out = earlier_run(&scratch, existing);
        let fault = "renameat2:error=EINVAL";
        let Some((outcome, calls)) = cast_with_fault(&scratch, &out, &[fault]) else { return };
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(is_old(&out.join("disk")), Some(false));
        assert_eq!(is_old(&out.join("root_hash.txt")), Some(false));
        assert_eq!(names(&out).len(), 2, "{:?}", names(&out));

        // The last link is that of the root hash.
        let links = calls.iter().filter(|call| *call == "linkat").count();
        let last = format!("linkat:error=EIO:when={links}");
        let scratch = Scratch::new();
        let out = earlier_run(&scratch, existing);
        let (outcome, _) = cast_with_fault(&scratch, &out, &[fault, &last]).expect("it was there");
        assert_eq!(outcome.code, Some(6), "{outcome}");
        assert!(outcome.stderr.contains("root_hash.txt"), "{outcome}");
        let old = existing.then_some(true);
        assert_eq!((is_old(&out.join("disk")), is_old(&out.join("root_hash.txt"))), (old, old), "{outcome}");
        assert_eq!(names(&out).len(), if existing { 2 } else { 0 }, "{:?}", names(&out));
    }
}

#[test]
fn a_file_changed_after_the_scan_is_reported() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    fs::create_dir(&source).expect("it is new");
    let changing = source.join("changing");
    fs::write(&changing, vec![b'x'; 1 << 20]).expect("it is new");
    let pipe = scratch.join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o666)).expect("it is new");
    rustix::fs::chmod(&pipe, rustix::fs::Mode::from_raw_mode(0o666)).expect("the test's own pipe");

    // The scan has ended when the pipe is opened for writing, and nothing is read before it is
    // opened for reading.
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

/// Returns incompressible bytes, the same for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend(next(&mut state).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Returns a pseudorandom number: xorshift with a multiplication.
fn next(state: &mut u64) -> u64 {
    *state = (*state ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0x2545_f491_4f6c_dd1d);
    *state ^= *state >> 29;
    *state
}

/// Creates a tree that takes time to scan, plan and write: 3,000 small files and 128 MiB.
fn tree_with_work(root: &Path) {
    for directory in 0..30_u64 {
        let path = root.join(format!("d{directory}"));
        fs::create_dir_all(&path).expect("it is new");
        (0..100).for_each(|file| fs::write(path.join(file.to_string()), "small").expect("it is new"));
    }
    for file in 0..16 {
        fs::write(root.join(format!("large{file}")), noise(file, 8 << 20)).expect("it is new");
    }
}

/// The state of the output after a run was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutputState {
    Unchanged,
    Complete,
}

/// The runs to kill at random times: a command line, its output, and the complete output.
struct Victim<'a> {
    source: &'a Path,
    whole: &'a [u8],
    /// The previous contents of the output, if any.
    before: Option<&'a str>,
}

impl Victim<'_> {
    fn start(&self, out: &Path) -> Child {
        let spool = out.join("spool");
        let mut command = rootcast();
        command.env("TMPDIR", spool).args(["image", "-q", "--layout", "bare", "-o"]).arg(out.join("disk"));
        start(command.arg(self.source))
    }

    fn directory(&self, scratch: &Scratch, name: &str) -> std::path::PathBuf {
        let out = scratch.join(name);
        for directory in [out.clone(), out.join("spool")] {
            fs::create_dir(&directory).expect("it is new");
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("it is the test's");
        }
        if let Some(before) = self.before {
            fs::write(out.join("disk"), before).expect("it is new");
        }
        out
    }

    fn check(&self, out: &Path) -> OutputState {
        assert_eq!(names(&out.join("spool")), [""; 0], "a spool was left");
        let mut found = names(out);
        found.retain(|name| name != "spool");
        let Some(before) = self.before else {
            if found.is_empty() {
                return OutputState::Unchanged;
            }
            assert_eq!(found, ["disk"]);
            assert!(fs::read(out.join("disk")).expect("it is there") == self.whole, "the image is not whole");
            return OutputState::Complete;
        };
        let disk = fs::read(out.join("disk")).expect("the old one or the new one is always there");
        let is_old = disk == before.as_bytes();
        assert!(is_old || disk == self.whole, "the image is neither the old nor the new one");
        for name in found.iter().filter(|name| *name != "disk") {
            // Only between two calls does the new file have a second name.
            assert!(is_old, "{name} was left beside the new image");
            assert!(fs::read(out.join(name)).expect("it is there") == self.whole, "{name} is a part");
        }
        if is_old { OutputState::Unchanged } else { OutputState::Complete }
    }
}

#[test]
fn a_killed_run_leaves_nothing_or_the_whole_image() {
    let _heavy = judges::heavy();
    let scratch = Scratch::in_memory();
    let (source, packed) = (scratch.join("source"), scratch.join("packed.tar.gz"));
    tree_with_work(&source);
    let Some(mut tar) = judges::command("tar") else { return };
    run(tar.args(["-I", "gzip -1", "-cf"]).arg(&packed).arg("-C").arg(&source).arg(".")).success().unwrap();

    let mut left = Vec::new();
    for (number, (source, before)) in
        [(&source, None), (&packed, None), (&source, Some("old"))].into_iter().enumerate()
    {
        let mut victim = Victim { source, whole: &[], before };
        let out = victim.directory(&scratch, &format!("whole{number}"));
        let began = Instant::now();
        assert!(victim.start(&out).wait().expect("it ends").success(), "it does not work alone");
        let usual = began.elapsed();
        let whole = fs::read(out.join("disk")).expect("it was made");
        victim.whole = &whole;
        let count = [100, 50, 50][number];
        left.extend(kill_at_random_times(&victim, &scratch, usual, count));
    }
    assert_eq!(left.len(), 200);
    let nothing = left.iter().filter(|left| **left == OutputState::Unchanged).count();
    assert!((20..200).contains(&nothing), "{nothing} of 200 runs were killed before their end");
}

/// Kills runs at times from their start to shortly after their usual end, two at once.
fn kill_at_random_times(
    victim: &Victim<'_>,
    scratch: &Scratch,
    usual: Duration,
    count: usize,
) -> Vec<OutputState> {
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn(move || {
                let mut state = half;
                let one = |run: usize| {
                    let out = victim.directory(scratch, &format!("{half}-{run}-{}", victim.whole.len()));
                    let mut child = victim.start(&out);
                    let share = u32::try_from(next(&mut state) >> 40).expect("24 bits");
                    sleep(usual.mul_f64(f64::from(share) / f64::from(1 << 24) * 1.3));
                    signal(&child, Signal::KILL);
                    child.wait().expect("it is ours");
                    let left = victim.check(&out);
                    fs::remove_dir_all(out).expect("it is the test's");
                    left
                };
                (0..count / 2).map(one).collect::<Vec<_>>()
            })
        });
        halves.into_iter().flat_map(|half| half.join().expect("no check failed")).collect()
    })
}

/// A small filesystem in memory that is writable by everybody, or `None` after a visible skip.
pub(crate) struct SmallFilesystem(pub(crate) std::path::PathBuf);

impl SmallFilesystem {
    pub(crate) fn new(scratch: &Scratch) -> Option<Self> {
        if !judges::may_mount() {
            return None;
        }
        let at = scratch.join("small");
        fs::create_dir(&at).expect("it is new");
        let mut mount = judges::command("mount")?;
        mount.args(["-t", "tmpfs", "-o", "size=8m,mode=1777", "none"]).arg(&at);
        run(&mut mount).success().unwrap_or_else(|why| panic!("{why}"));
        Some(Self(at))
    }

    fn free(&self) -> u64 {
        rustix::fs::statvfs(&self.0).expect("it is mounted").f_bfree
    }
}

impl Drop for SmallFilesystem {
    fn drop(&mut self) {
        // OK to ignore: the directory then remains, as the test's output will show.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn an_output_on_a_full_filesystem_is_reported_and_removed() {
    let scratch = Scratch::new();
    let Some(small) = SmallFilesystem::new(&scratch) else { return };
    let source = scratch.join("source");
    fs::create_dir(&source).expect("it is new");
    fs::write(source.join("large"), noise(1, 90 << 20)).expect("it is new");
    let free = small.free();
    for layout in ["gpt", "bare"] {
        for before in [None, Some("old")] {
            let disk = small.0.join("disk.img");
            if let Some(before) = before {
                fs::write(&disk, before).expect("it is small");
                std::os::unix::fs::chown(&disk, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
            let outcome = run(rootcast().args(["image", "--layout", layout, "-o"]).arg(&disk).arg(&source));
            assert_eq!(outcome.code, Some(6), "{outcome}");
            for word in ["small/disk.img: no room for an image of ", "No space left"] {
                assert!(outcome.stderr.contains(word), "{word}: {outcome}");
            }
            match before {
                None => assert_eq!(names(&small.0), [""; 0]),
                Some(before) => {
                    assert_eq!(names(&small.0), ["disk.img"]);
                    assert_eq!(fs::read(&disk).expect("it is there"), before.as_bytes());
                    fs::remove_file(&disk).expect("it is the test's");
                }
            }
            assert_eq!(small.free(), free, "space is not given back");
        }
    }
}

#[test]
fn an_archive_that_does_not_fit_into_tmpdir_is_reported() {
    let scratch = Scratch::new();
    let Some(small) = SmallFilesystem::new(&scratch) else { return };
    fs::write(scratch.join("large"), noise(1, 90 << 20)).expect("it is new");
    let archive = scratch.join("packed.tar.gz");
    let Some(mut tar) = judges::command("tar") else { return };
    run(tar.arg("-czf").arg(&archive).arg("-C").arg(scratch.path()).arg("large")).success().unwrap();
    let free = small.free();
    let mut command = rootcast();
    command.env("TMPDIR", &small.0).arg("image").arg(&archive).arg("-o").arg(scratch.join("disk"));
    let outcome = run(&mut command);
    assert_eq!(outcome.code, Some(6), "{outcome}");
    for word in ["packed.tar.gz: ", "TMPDIR", "No space left"] {
        assert!(outcome.stderr.contains(word), "{word}: {outcome}");
    }
    assert_eq!(names(&small.0), [""; 0]);
    assert_eq!(small.free(), free, "space is not given back");
    assert!(!scratch.join("disk").exists(), "an image was left");
}

/// Returns true if the process sleeps in `openat(2)`, which only opening a pipe without a reader
/// causes.
fn is_opening(process: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{process}/syscall")).unwrap_or_default();
    // 257 on x86-64, 56 on arm64 and riscv64.
    call.starts_with("257 ") || call.starts_with("56 ")
}
