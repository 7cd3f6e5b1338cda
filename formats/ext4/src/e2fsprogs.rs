//! Test helpers that run e2fsprogs on the output of this crate. If a program is missing, a test
//! reports that and passes; with `ROOTCAST_REQUIRE_JUDGES=1` it fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns true if a missing judge is a failure, as it is where all judges must be installed.
#[expect(
    clippy::disallowed_methods,
    reason = "which tests run may depend on the machine; what the crate makes does not"
)]
fn required() -> bool {
    std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1")
}

/// A temporary directory of one test, removed when it ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Creates the directory, or reports that `test` is skipped because a program is missing.
    pub(crate) fn for_test(test: &str, programs: &[&str]) -> Option<Self> {
        for program in programs {
            if Command::new(program).arg("-V").output().is_err() {
                // Not a print macro: the test harness hides their output. One write, because tests
                // run in parallel.
                let line = format!("SKIPPED {test}: there is no {program}\n");
                assert!(!required(), "{line}");
                let _ = std::io::stderr().write_all(line.as_bytes());
                return None;
            }
        }
        let path = std::env::temp_dir().join(format!("mkfs-ext4-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Some(Self(path))
    }

    /// Returns the path of a file in the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Runs a program in the directory. `setting` is an environment variable for it.
    pub(crate) fn run(&self, program: &str, setting: (&str, &str), arguments: &[&str]) -> Output {
        Command::new(program).args(arguments).env(setting.0, setting.1).current_dir(&self.0).output().unwrap()
    }

    /// Runs debugfs commands on `image`, or on none, and returns their output.
    pub(crate) fn debugfs(&self, image: Option<&str>, commands: &[u8]) -> Vec<u8> {
        std::fs::write(self.file("commands"), commands).unwrap();
        let mut arguments = vec!["-w", "-f", "commands"];
        arguments.extend(image);
        self.run("debugfs", NO_SETTING, &arguments).stdout
    }
}

/// A setting for [`Scratch::run`] without effect.
pub(crate) const NO_SETTING: (&str, &str) = ("MKE2FS_SYNC", "0");

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A deterministic generator of pseudorandom numbers: the high half of Knuth's MMIX generator.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    /// Returns a number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// Returns a file name of `len` arbitrary bytes.
    pub(crate) fn name(&mut self, len: usize) -> Vec<u8> {
        let byte = |lcg: &mut Self| loop {
            let byte = u8::try_from(lcg.below(256)).unwrap();
            if !matches!(byte, 0 | b'/' | b'.') {
                break byte;
            }
        };
        (0..len).map(|_| byte(self)).collect()
    }
}
