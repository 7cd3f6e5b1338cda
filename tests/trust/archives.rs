//! The real archives of the machine, by its own configuration.

use std::path::Path;
use std::{env, fs};

use rootcast::Watch;
use rootcast::fetch::{FetchOptions, Fetcher, Length, Request, join};
use rootcast::source::package::trust::{Keyring, check_validity, verify_inrelease};

use super::now;
use crate::judges;

/// The keys of Debian.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Returns the URLs of the release files of the machine's archives of Debian.
fn archives() -> Vec<String> {
    let Some(mut command) = judges::command("apt-get") else { return Vec::new() };
    let format = "$(REPO_URI) $(RELEASE)";
    let output =
        command.args(["indextargets", "--format", format, "Created-By: Packages", "Origin: Debian"]).output();
    let text = String::from_utf8(output.expect("it starts").stdout).expect("UTF-8");
    let words = text.lines().filter_map(|line| line.split_once(' '));
    let mut archives: Vec<String> =
        words.map(|(base, suite)| join(base, &format!("dists/{suite}/InRelease"))).collect();
    archives.sort();
    archives.dedup();
    archives
}

#[test]
fn real_archives_are_verified_by_their_real_keyrings() {
    let archives = archives();
    if archives.is_empty() {
        judges::skip(
            "real archives",
            "apt has no archive of Debian whose entry names its keyring (Signed-By)",
        );
        return;
    }
    let keyring = Keyring::read(&fs::read(KEYRING).expect("it is installed"), Path::new(KEYRING));
    let keyring = keyring.expect("keys");
    assert!(keyring.len() >= 6, "{keyring:?}");
    let options = FetchOptions::from_environment(&|name| env::var_os(name)).expect("the machine's settings");
    let fetcher = Fetcher::new(options, None).expect("valid options");
    for url in archives {
        let length = Length::AtMost(1 << 20);
        let request = Request { what: url.clone(), urls: vec![url.clone()], digest: None, length };
        let fetched = fetcher.fetch(&request, &Watch::default()).unwrap_or_else(|error| panic!("{error}"));
        let bytes = fetched.into_bytes().expect("it was fetched");
        let verify = |bytes: &[u8], now| verify_inrelease(bytes, Path::new(&url), &keyring, now);
        let verified = verify(&bytes, now()).unwrap_or_else(|error| panic!("{error}"));
        let field = |name: &str| {
            let value = verified.text.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::trim)
        };
        check_validity(field("Date:"), field("Valid-Until:"), Path::new(&url), now()).expect("it is fresh");
        assert!(verified.signers[0].name.starts_with("Debian "), "{:?}", verified.signers);
        for step in 1..20 {
            let mut changed = bytes.clone();
            let at = changed.len() * step / 20;
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            if let Ok(other) = verify(&changed, now()) {
                assert_eq!(other.text, verified.text);
            }
        }
        let in_thirty_years = now() + 30 * 365 * 86400;
        let error = verify(&bytes, in_thirty_years).expect_err("all keys have expired by then").to_string();
        assert!(error.contains("expired at 20"), "{error}");
    }
}
