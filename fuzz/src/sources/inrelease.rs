//! Signed texts, and the keyrings that they are verified with.

use std::path::Path;

use rootcast::source::package::trust::{Keyring, verify_detached, verify_inrelease};

use crate::Outcome;

/// A text that is signed by a subkey, and the key.
const MESSAGE: &[u8] = include_bytes!("inrelease.txt");
const KEYS: &[u8] = include_bytes!("inrelease.gpg");

/// The text.
const TEXT: &str = "Origin: Test\n-dash\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n\nend\n";

/// A day after it was signed.
const NOW: i64 = 1_767_312_000;

/// Verifies a text, signatures or keys that are mostly wrong: only the text that was signed is
/// accepted.
pub fn check(bytes: &[u8]) -> Outcome {
    let Some((kind, bytes)) = bytes.split_first() else { return Outcome::Refused };
    let (keys, message) = if kind % 3 == 1 { (bytes, MESSAGE) } else { (KEYS, bytes) };
    let Ok(keyring) = Keyring::read(keys, Path::new("keys")) else { return Outcome::Refused };
    let name = Path::new("InRelease");
    let verified = match kind % 3 {
        2 => verify_detached(TEXT.as_bytes(), bytes, name, &keyring, NOW),
        _ => verify_inrelease(message, name, &keyring, NOW),
    };
    let Ok(verified) = verified else { return Outcome::Refused };
    assert!(!verified.signers.is_empty());
    assert_eq!(verified.text.trim_end(), TEXT.trim_end());
    Outcome::Checked
}

/// Returns an input that is right, or has one changed byte.
pub fn input(bytes: &[u8]) -> Vec<u8> {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let text = if at(0) % 3 == 1 { KEYS } else { MESSAGE };
    let mut input = [&[at(0)], text].concat();
    let place = 1 + (usize::from(at(1)) << 8 | usize::from(at(2))) % text.len();
    if at(3) % 2 == 1 {
        input[place] ^= 1 << (at(3) >> 1) % 8;
    }
    input
}
