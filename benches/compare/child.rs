//! A run of one tool: a child process with its time, memory and output.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use wait4::Wait4 as _;

/// The measurements of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The time from before the child is spawned until after it is reaped.
    pub(crate) wall: Duration,
    /// CPU time in user mode, all threads.
    pub(crate) user: Duration,
    /// CPU time in kernel mode, all threads.
    pub(crate) system: Duration,
    /// Peak resident memory in bytes.
    pub(crate) peak_rss: u64,
    /// Length of the output in bytes.
    pub(crate) apparent: u64,
    /// The allocated size of the output in bytes: less than its length if it is sparse.
    pub(crate) allocated: u64,
}

/// The maximum length in bytes of a child's messages that is kept to explain its failure.
const MESSAGE_LIMIT: u64 = 4096;

/// Runs `command`, which must create the file `out`.
pub(crate) fn measure(command: &mut Command, out: &Path, cold: bool) -> Result<Sample> {
    settle(out, cold)?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());

    let start = Instant::now();
    let mut child = command.spawn().with_context(|| program.clone())?;
    let mut message = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.by_ref().take(MESSAGE_LIMIT).read_to_end(&mut message)?;
        // The child must neither block on a full pipe nor be killed by a closed one.
        std::io::copy(&mut stderr, &mut std::io::sink())?;
    }
    let usage = child.wait4().with_context(|| program.clone())?;
    let wall = start.elapsed();

    if !usage.status.success() {
        bail!("{program}: {}: {}", usage.status, String::from_utf8_lossy(&message).trim());
    }
    let made =
        std::fs::metadata(out).with_context(|| format!("{program} left no output {}", out.display()))?;
    Ok(Sample {
        wall,
        user: usage.rusage.utime,
        system: usage.rusage.stime,
        peak_rss: usage.rusage.maxrss,
        apparent: made.len(),
        allocated: made.blocks() * 512,
    })
}

/// Removes the output of a run, including that of a failed one.
pub(crate) fn remove_output(out: &Path) -> Result<()> {
    match std::fs::remove_file(out) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(out.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Empties the page cache, the dentry cache and the inode cache.
pub(crate) fn drop_page_cache() -> Result<()> {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("/proc/sys/vm/drop_caches: --cold needs root")
}

/// Returns the peak memory of this program so far, in bytes; 0 if the kernel does not report it.
pub(crate) fn own_peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

/// Lets the output directory's filesystem finish the writeback of the previous run.
fn settle(out: &Path, cold: bool) -> Result<()> {
    if cold {
        return drop_page_cache();
    }
    let directory = out.parent().context("the output has no directory")?;
    let directory = std::fs::File::open(directory).with_context(|| directory.display().to_string())?;
    Ok(rustix::fs::syncfs(&directory)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn measures_time_and_output() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("out");
        let script = format!("sleep 0.2; printf hello > '{0}'; truncate -s 1M '{0}'", out.display());
        let sample = measure(&mut shell(&script), &out, false).unwrap();
        assert!(sample.wall >= Duration::from_millis(200), "{sample:?}");
        assert!(sample.user + sample.system < Duration::from_millis(200), "{sample:?}");
        assert_eq!(sample.apparent, 1 << 20);
        assert!(sample.allocated < 1 << 20, "{sample:?}");
        assert!(sample.peak_rss > 100 << 10, "in bytes: {sample:?}");
        remove_output(&out).unwrap();
        assert!(!out.exists());
        remove_output(&out).unwrap();
    }

    #[test]
    fn measures_memory_of_the_child() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("out");
        let script = format!("dd if=/dev/zero of='{}' bs=64M count=1 status=none", out.display());
        let sample = measure(&mut shell(&script), &out, false).unwrap();
        assert!(sample.peak_rss > 60 << 20, "{sample:?}");
    }

    #[test]
    fn failures_include_the_message() {
        let out = Path::new("/tmp/never-made");
        let error =
            measure(&mut shell("echo no space for it >&2; exit 3"), out, false).unwrap_err().to_string();
        assert!(error.contains("no space for it") && error.contains('3'), "{error}");
        let error = measure(&mut shell("exit 0"), out, false).unwrap_err();
        assert!(error.to_string().contains("no output"), "{error:#}");
    }

    #[test]
    fn long_output_of_a_child_does_not_block() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("out");
        let script = format!("head -c 1000000 /dev/zero >&2 && : > '{}'", out.display());
        assert!(measure(&mut shell(&script), &out, false).is_ok());
    }
}
