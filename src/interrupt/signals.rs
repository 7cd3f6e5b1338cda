//! The signals that stop the program.
//!
//! A handler only sets the flag of the [`Interrupt`]; `main` calls [`Interrupt::die`] once the
//! program has stopped by itself.
//!
//! A system call on a pipe without a peer may never return, and a piece of work may take long. So a
//! thread waits for the first signal, and if the program has not ended by itself shortly after, it
//! runs the pending [`Cleanups`](super::Cleanups) and terminates the program by that signal.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};

use super::Interrupt;
use crate::error::{Error, ErrorKind, Result};

/// The time in which the program may end by itself after a signal. Users should wait for half a
/// second at most, and a busy machine needs some of that to end a process.
const GRACE: Duration = Duration::from_millis(300);

/// The time that cleanups may take. Removing a file takes a moment, on a slow network filesystem
/// somewhat longer.
const CLEANUP_LIMIT: Duration = Duration::from_secs(2);

/// The stack size of the thread that waits for signals, in bytes.
const WATCHER_STACK: usize = 128 << 10;

impl Interrupt {
    /// Watches SIGINT, SIGTERM and SIGHUP. The first of them sets the flag, and ends the program
    /// 300 ms later if it has not ended by then; a second one kills it at once. A signal that is
    /// already ignored (`nohup`, a shell's background jobs) stays ignored.
    ///
    /// Also makes a write past the limit on file sizes (`ulimit -f`) fail with EFBIG instead of
    /// killing the program with SIGXFSZ.
    ///
    /// # Errors
    /// If the kernel rejects a handler.
    pub fn install() -> Result<Self> {
        let interrupt = Self::never();
        let failed = |error: io::Error| Error::new(ErrorKind::Io, error);
        let ignored = ignored_signals();
        let (woken, waker) = UnixStream::pair().map_err(failed)?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if ignored & signal_bit(signal) == 0 {
                interrupt.watch(signal).map_err(failed)?;
                low_level::pipe::register(signal, waker.try_clone().map_err(failed)?).map_err(failed)?;
            }
        }
        interrupt.die_when_woken(woken);
        // Any handler will do: it makes the write return.
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
            .map_err(|error| Error::new(ErrorKind::Io, error))?;
        Ok(interrupt)
    }

    /// Terminates the program by the received signal, so that a shell running it in a loop stops
    /// too. Returns if there was none.
    pub fn die(&self) {
        if let Some(signal) = self.signal() {
            // It fails only for an invalid signal number; the caller then exits with its own code.
            let _ = low_level::emulate_default_handler(signal);
        }
    }

    /// Starts the thread that ends the program if it does not end by itself. If no thread can be
    /// started, the program ends only where it checks for signals.
    fn die_when_woken(&self, mut woken: UnixStream) {
        let watcher = self.clone();
        let watch = move || {
            // Either a handler wrote a byte, or all signals are ignored and the pipe is closed.
            while woken.read(&mut [0]).is_err() {}
            if watcher.signal().is_none() {
                return;
            }
            thread::sleep(GRACE);
            watcher.end();
        };
        let name = "signals".to_owned();
        let _ = thread::Builder::new().name(name).stack_size(WATCHER_STACK).spawn(watch);
    }

    /// Runs the pending cleanups and ends the program, which does not wait for them longer than
    /// [`CLEANUP_LIMIT`]: a write to a pipe that nobody reads would block them forever.
    fn end(&self) {
        let (finished, wait) = mpsc::channel();
        let ending = self.clone();
        let run = move || {
            ending.cleanups.run_before(|| ending.die());
            // OK to ignore: nobody waits any more if it took too long.
            let _ = finished.send(());
        };
        match thread::Builder::new().stack_size(WATCHER_STACK).spawn(run) {
            Ok(_) => _ = wait.recv_timeout(CLEANUP_LIMIT),
            Err(_) => self.cleanups.run_before(|| self.die()),
        }
        self.die();
    }

    fn watch(&self, signal: i32) -> io::Result<()> {
        // Actions run in the order of registration: the first signal passes here before the flag is
        // set.
        flag::register_conditional_default(signal, Arc::clone(&self.received))?;
        flag::register(signal, Arc::clone(&self.received))?;
        let value = usize::try_from(signal).map_err(io::Error::other)?;
        flag::register_usize(signal, Arc::clone(&self.reason), value)?;
        Ok(())
    }
}

fn signal_bit(signal: i32) -> u64 {
    u32::try_from(signal - 1).ok().and_then(|bit| 1_u64.checked_shl(bit)).unwrap_or(0)
}

/// The currently ignored signals, as `SigIgn` in proc_pid_status(5): bit n-1 is signal n. Returns 0
/// without /proc.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};
    use std::time::Instant;

    use super::*;

    /// Runs one of the tests below, which affect a whole process, in a process of its own.
    fn child(shell_prefix: &str, test: &str) -> ExitStatus {
        let own = std::env::current_exe().expect("a test has a program");
        let script = format!("{shell_prefix} exec \"$0\" --exact \"$1\" --ignored --nocapture");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(own).arg(format!("interrupt::signals::tests::{test}"));
        command.output().expect("sh runs").status
    }

    #[test]
    fn the_program_ends_by_the_signal_that_it_caught() {
        assert_eq!(child("", "catch_terminate_and_die").signal(), Some(SIGTERM));
    }

    #[test]
    fn a_second_signal_ends_the_program_at_once() {
        assert_eq!(child("", "catch_terminate_twice").signal(), Some(SIGTERM));
    }

    #[test]
    fn an_ignored_signal_stays_ignored() {
        assert_eq!(child("trap '' HUP;", "hang_up_twice").code(), Some(0));
    }

    #[test]
    fn a_program_that_does_not_stop_is_ended_by_the_signal() {
        let began = Instant::now();
        assert_eq!(child("", "catch_terminate_and_sleep").signal(), Some(SIGTERM));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[test]
    fn pending_cleanups_run_before_the_end() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let file = directory.path().join("hidden");
        fs::write(&file, "").expect("it is new");
        let prefix = format!("HIDDEN='{}'; export HIDDEN;", file.display());
        assert_eq!(child(&prefix, "catch_terminate_and_sleep").signal(), Some(SIGTERM));
        assert!(!file.exists());
    }

    #[test]
    fn nothing_is_made_after_the_cleanups() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let prefix = format!("HIDDEN='{}'; export HIDDEN;", directory.path().display());
        for _ in 0..3 {
            assert_eq!(child(&prefix, "catch_terminate_and_make_files").signal(), Some(SIGTERM));
            assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
        }
    }

    #[test]
    fn a_blocked_cleanup_does_not_delay_the_end() {
        let began = Instant::now();
        assert_eq!(child("", "catch_terminate_with_a_blocked_cleanup").signal(), Some(SIGTERM));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    #[ignore = "runs in a process of its own, which it kills"]
    fn catch_terminate_with_a_blocked_cleanup() {
        let interrupt = Interrupt::install().expect("handlers can be set");
        let (_reader, mut writer) = io::pipe().expect("a pipe can be made");
        let _pending = interrupt.cleanups().add({
            let writer = writer.try_clone().expect("it is open");
            move || _ = io::Write::write_all(&mut &writer, b"x")
        });
        rustix::io::ioctl_fionbio(&writer, true).expect("it is a pipe");
        while io::Write::write(&mut writer, &[0; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&writer, false).expect("it is a pipe");
        low_level::raise(SIGTERM).expect("a signal can be raised");
        thread::sleep(Duration::from_secs(20));
        // Returning would wait for the blocked cleanup, and the test would hang instead of failing.
        std::process::exit(1);
    }

    #[test]
    #[ignore = "runs in a process of its own, which it kills"]
    fn catch_terminate_and_sleep() {
        let interrupt = Interrupt::install().expect("handlers can be set");
        let _due = std::env::var_os("HIDDEN")
            .map(|hidden| interrupt.cleanups().add(move || fs::remove_file(&hidden).expect("it is there")));
        low_level::raise(SIGTERM).expect("a signal can be raised");
        thread::sleep(Duration::from_secs(60));
    }

    #[test]
    #[ignore = "runs in a process of its own, which it kills"]
    fn catch_terminate_and_make_files() {
        let interrupt = Interrupt::install().expect("handlers can be set");
        let Some(directory) = std::env::var_os("HIDDEN").map(std::path::PathBuf::from) else { return };
        low_level::raise(SIGTERM).expect("a signal can be raised");
        let began = Instant::now();
        for number in 0.. {
            let file = directory.join(number.to_string());
            let remove = {
                let file = file.clone();
                move || _ = fs::remove_file(&file)
            };
            let made = interrupt.cleanups().add_after(|| fs::write(&file, ""), remove);
            let ((), _pending) = made.expect("it is new");
            // The cleanup may have removed it.
            let _ = fs::remove_file(&file);
            if began.elapsed() > Duration::from_secs(60) {
                return;
            }
        }
    }

    #[test]
    #[ignore = "runs in a process of its own, which it kills"]
    fn catch_terminate_and_die() {
        let interrupt = Interrupt::install().expect("handlers can be set");
        low_level::raise(SIGTERM).expect("a signal can be raised");
        assert_eq!(interrupt.signal(), Some(SIGTERM));
        interrupt.die();
    }

    #[test]
    #[ignore = "runs in a process of its own, which it kills"]
    fn catch_terminate_twice() {
        let _interrupt = Interrupt::install().expect("handlers can be set");
        low_level::raise(SIGTERM).expect("a signal can be raised");
        low_level::raise(SIGTERM).expect("a signal can be raised");
    }

    #[test]
    #[ignore = "runs in a process of its own, which it kills"]
    fn hang_up_twice() {
        let _interrupt = Interrupt::install().expect("handlers can be set");
        low_level::raise(SIGHUP).expect("a signal can be raised");
        low_level::raise(SIGHUP).expect("a signal can be raised");
    }
}
