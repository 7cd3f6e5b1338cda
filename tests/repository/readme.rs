//! The README's commands, run verbatim.
//!
//! A fenced block below a comment `<!-- commands: NAME -->` belongs to the script NAME. An ordinary
//! user runs it in a directory with the program at the place where `cargo build --release` puts it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::judges;
use crate::product::{Scratch, as_ordinary_user, rootcast};

const README: &str = include_str!("../../README.md");

/// The timeout of a script in seconds: software emulation on a busy machine is slow.
const TIMEOUT: &str = "300";

/// The first output of the README's `/init`.
const MARKER: &str = "rootcast: Linux ";

/// The end of the prompt of the shell in the guest, which begins with the directory: `/` or, since
/// that is root's home, `~`.
const PROMPT: &str = " # ";

/// The blocks of a script, in the README's order.
fn blocks(name: &str) -> Vec<&'static str> {
    let comment = format!("<!-- commands: {name} -->\n```sh\n");
    README.split(&comment).skip(1).map(|rest| rest.split_once("```").expect("a block ends").0).collect()
}

/// Runs a script whose guest ends with a shell, types into that, and returns the output.
///
/// # Panics
/// If the script fails, or does not end within [`TIMEOUT`].
fn run_guest(directory: &Path, script: &str, typed: &str) -> String {
    let (mut printed, output) = std::io::pipe().unwrap();
    // It also kills the guest, which is a grandchild.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", TIMEOUT, "sh", "-ec", script]);
    let mut command = as_ordinary_user(command);
    command.current_dir(directory).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.stdin(Stdio::piped()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = command.spawn().unwrap();
    let mut keyboard = child.stdin.take();
    // It holds the pipe's other end, as the child does, and reading ends once no process holds it.
    drop(command);

    let mut transcript = String::new();
    let mut buffer = [0; 4096];
    while let len @ 1.. = printed.read(&mut buffer).unwrap() {
        transcript += &String::from_utf8_lossy(&buffer[..len]);
        let guest = transcript.split_once(MARKER).map_or("", |(_, after)| after);
        if keyboard.is_some() && guest.contains(PROMPT) {
            keyboard.take().unwrap().write_all(typed.as_bytes()).unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}:\n{transcript}");
    transcript
}

#[test]
fn every_block_of_commands_succeeds() {
    let comments = README.split("<!-- commands: ").skip(1);
    let names: Vec<_> = comments.map(|rest| rest.split_once(" -->").expect("a comment ends").0).collect();
    // The first two are those of `.ci/fresh`; here only the number of their commands is checked.
    assert_eq!(names, ["image", "test", "boot", "boot", "boot"]);
    assert_eq!(README.matches("```sh\n").count(), names.len(), "a block of commands has no comment");
    for (name, count) in [("image", 1), ("test", 1), ("boot", 3)] {
        assert_eq!(blocks(name).len(), count, "{name}");
    }
}

#[test]
fn its_virtual_machines_boot_to_a_shell() {
    let tools = ["busybox", "ldd", "qemu-system-x86_64"];
    if judges::cloud_kernel().is_none() || tools.iter().any(|tool| judges::command(tool).is_none()) {
        return;
    }
    let _heavy = judges::heavy();
    let scratch = Scratch::new();
    let release = scratch.join("target/release");
    fs::create_dir_all(&release).unwrap();
    symlink(rootcast().get_program(), release.join("rootcast")).unwrap();

    let [tree, disk, initramfs] = blocks("boot").try_into().expect("a tree, a disk and an initramfs");
    for (script, root) in
        [(tree.to_owned() + disk, " on / type ext4 (rw"), (initramfs.to_owned(), "rootfs on / ")]
    {
        let transcript = run_guest(scratch.path(), &script, "mount\nexit\n");
        for expected in [MARKER, root] {
            assert!(transcript.contains(expected), "there is no {expected:?}:\n{transcript}");
        }
    }
}
