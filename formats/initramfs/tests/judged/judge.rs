//! Runs judges, and reports those that are missing.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

/// Runs a judge with bytes as its input; returns `None` if it is not installed.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Option<Output> {
    command.env("LC_ALL", "C").env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skip(&format!("{} is missing", command.get_program().display()));
            return None;
        }
        Err(error) => panic!("{command:?}: {error}"),
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A judge that does not read to the end reports that itself.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the judge ends");
    writer.join().expect("writing does not panic");
    Some(output)
}

/// Runs a judge that must succeed without any message.
pub(crate) fn pleased(command: &mut Command, input: &[u8]) -> Option<Vec<u8>> {
    let output = run(command, input)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{command:?}: {}\n{complaint}", output.status);
    Some(output.stdout)
}

pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_none_or(|value| value != "1"), "{why}");
    eprintln!("SKIPPED: {why}");
}

/// Returns true if the tests may create devices and files of other users; returns false after
/// reporting a skip.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root {
        skip("only root extracts owners and devices");
    }
    root
}
