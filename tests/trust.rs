//! Signatures of metadata, judged by gpgv: whatever is accepted here it accepts, and what is refused
//! beyond that is named.

mod archives;
mod gpg;
mod keys;
mod packets;
mod texts;

use std::path::Path;

use rootcast::source::package::trust::{Keyring, Verified, verify_inrelease};

use gpg::Gpgv;

/// A text of the kind that is signed.
const TEXT: &str =
    "Origin: Test\nSuite: stable\nDate: Sat, 28 Nov 2026 08:25:00 UTC\n- dash\n\nSHA256:\n abc 1 x\n";

/// Returns the time in seconds since 1970.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_secs()).expect("it fits")
}

/// Verifies a text with keys of a file `keys.gpg`. Errors are without the name of the text.
fn verify(message: &[u8], keys: &[u8]) -> Result<Verified, String> {
    let keyring = Keyring::read(keys, Path::new("keys.gpg")).map_err(|error| error.to_string())?;
    let verified = verify_inrelease(message, Path::new("InRelease"), &keyring, now());
    verified.map_err(|error| error.to_string().trim_start_matches("InRelease: ").to_owned())
}

/// Asserts that we and gpgv accept a text by these keys.
#[track_caller]
fn accepted(message: &[u8], keys: &[u8]) -> Verified {
    let verified = verify(message, keys).unwrap_or_else(|why| panic!("{why}"));
    let judged = Gpgv::judge(message, keys);
    assert!(judged.accepts, "gpgv does not accept it:\n{}", judged.status);
    assert_eq!(verified.text.trim_end(), judged.text.replace('\r', "").trim_end());
    verified
}

/// Asserts that we and gpgv refuse a text by these keys, and our reason.
#[track_caller]
fn refused(message: &[u8], keys: &[u8], why: &str) {
    let judged = Gpgv::judge(message, keys);
    assert!(!judged.accepts, "gpgv accepts it:\n{}", judged.status);
    refused_by_us(message, keys, why);
}

/// Asserts that we refuse a text, by a rule that gpgv may not have.
#[track_caller]
fn refused_by_us(message: &[u8], keys: &[u8], why: &str) {
    let error = verify(message, keys).expect_err(why);
    assert!(error.contains(why), "{error}\ninstead of: {why}");
}
