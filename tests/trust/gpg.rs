//! GnuPG: keys and signatures of any time, and gpgv as the judge.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::now;
use crate::judges;

/// A time in days from now.
pub(super) type Days = i64;

/// A directory with secret keys.
pub(super) struct Gpg {
    home: TempDir,
}

impl Gpg {
    /// Returns an empty one; `None` after a visible skip.
    pub(super) fn new() -> Option<Self> {
        for tool in ["gpg", "gpgv", "gpg-agent"] {
            judges::command(tool)?;
        }
        Some(Self { home: TempDir::with_prefix("gpg").expect("a directory") })
    }

    fn command(&self, day: Days) -> Command {
        let mut command = judges::command("gpg").expect("it was found");
        let time = format!("{}!", now() + day * 86400);
        command.arg("--homedir").arg(self.home.path());
        command.args(["--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        command.args(["--no-auto-check-trustdb", "--trust-model", "always", "--faked-system-time", &time]);
        command.args(["--allow-weak-digest-algos", "--allow-weak-key-signatures"]);
        command
    }

    /// Runs gpg at a day and returns what it prints.
    pub(super) fn run(&self, day: Days, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = self.command(day);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {text}");
        output.stdout
    }

    /// Makes a key with these usages and returns its fingerprint. It expires after some days: `0` is
    /// never.
    pub(super) fn key(&self, day: Days, name: &str, algorithm: &str, usage: &str, expiry: &str) -> String {
        self.run(day, &["--batch", "--quick-gen-key", name, algorithm, usage, expiry], b"");
        self.fingerprints(name).remove(0)
    }

    /// Adds a subkey and returns its fingerprint.
    pub(super) fn subkey(&self, day: Days, key: &str, algorithm: &str, usage: &str, expiry: &str) -> String {
        self.run(day, &["--batch", "--quick-add-key", key, algorithm, usage, expiry], b"");
        self.fingerprints(key).pop().expect("it was added")
    }

    fn fingerprints(&self, name: &str) -> Vec<String> {
        let listed = self.run(0, &["--batch", "--with-colons", "--list-keys", name], b"");
        let listed = String::from_utf8(listed).expect("UTF-8");
        let lines = listed.lines().filter(|line| line.starts_with("fpr:"));
        lines.filter_map(|line| line.split(':').nth(9)).map(str::to_owned).collect()
    }

    /// Answers the questions of an edit of a key.
    pub(super) fn edit(&self, day: Days, key: &str, answers: &str) {
        self.run(day, &["--command-fd", "0", "--status-fd", "2", "--edit-key", key], answers.as_bytes());
    }

    /// Revokes a key by the certificate that was made with it.
    pub(super) fn revoke(&self, key: &str) {
        let path = self.home.path().join(format!("openpgp-revocs.d/{key}.rev"));
        let text = fs::read_to_string(path).expect("gpg made it").replace(":-----BEGIN", "-----BEGIN");
        self.run(0, &["--batch", "--import"], text.as_bytes());
    }

    /// Returns the public keys with this name.
    pub(super) fn export(&self, name: &str) -> Vec<u8> {
        self.run(0, &["--batch", "--export", name], b"")
    }

    /// Returns a text with signatures by keys behind it.
    pub(super) fn sign(&self, day: Days, keys: &[&str], text: &str) -> Vec<u8> {
        self.sign_with(day, keys, &[], text)
    }

    /// The same with further options.
    pub(super) fn sign_with(&self, day: Days, keys: &[&str], options: &[&str], text: &str) -> Vec<u8> {
        let mut arguments = vec!["--batch", "--digest-algo", "SHA512"];
        arguments.extend(options);
        keys.iter().for_each(|key| arguments.extend(["--local-user", key]));
        arguments.push("--clearsign");
        self.run(day, &arguments, text.as_bytes())
    }

    /// Returns signatures of a text in a block of their own, in binary form.
    pub(super) fn detached(&self, keys: &[&str], options: &[&str], text: &str) -> Vec<u8> {
        let mut arguments = vec!["--batch", "--digest-algo", "SHA512"];
        arguments.extend(options);
        keys.iter().for_each(|key| arguments.extend(["--local-user", key]));
        arguments.push("--detach-sign");
        self.run(0, &arguments, text.as_bytes())
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent would end only once it notices that its directory is gone.
        if let Some(mut command) = judges::command("gpgconf") {
            let _ = command.arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output();
        }
    }
}

/// The judgement of gpgv, by the rules of apt: a good signature and none that is bad.
pub(super) struct Gpgv {
    pub(super) accepts: bool,
    pub(super) status: String,
    /// The text that it takes for signed.
    pub(super) text: String,
}

impl Gpgv {
    /// Judges a text with signatures behind it.
    pub(super) fn judge(message: &[u8], keys: &[u8]) -> Self {
        Self::run(&[message], keys, true)
    }

    /// Judges signatures of a text in another file.
    pub(super) fn judge_detached(text: &[u8], signatures: &[u8], keys: &[u8]) -> Self {
        Self::run(&[signatures, text], keys, false)
    }

    fn run(files: &[&[u8]], keys: &[u8], has_text: bool) -> Self {
        let directory = TempDir::with_prefix("gpgv").expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::write(path("keys.gpg"), keys).expect("room");
        let mut command = judges::command("gpgv").expect("it was found");
        command.arg("--homedir").arg(directory.path()).arg("--keyring").arg(path("keys.gpg"));
        // As apt does.
        command.args(["--weak-digest", "SHA1", "--weak-digest", "RIPEMD160", "--status-fd", "1"]);
        if has_text {
            command.arg("--output").arg(path("text"));
        }
        for (number, bytes) in files.iter().enumerate() {
            let path = path(&format!("{number}"));
            fs::write(&path, bytes).expect("room");
            command.arg(path);
        }
        let output = command.output().expect("it starts");
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        let has = |word: &str| status.lines().any(|line| line.starts_with(&format!("[GNUPG:] {word} ")));
        let accepts = has("GOODSIG") && has("VALIDSIG") && !has("BADSIG") && !has("NODATA");
        let text = fs::read(path("text")).unwrap_or_default();
        let messages = String::from_utf8_lossy(&output.stderr);
        Self {
            accepts,
            status: format!("{status}{messages}"),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }
}
